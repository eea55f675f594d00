#include <fmt/format.h>

#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

namespace fs = std::filesystem;

std::vector<int64_t> EvenIndices(int64_t frames, int64_t count) {
  if (count < 1 || count > frames)
    throw Error(fmt::format("{} frames cannot be chosen out of {}", count, frames));
  if (count == 1) return {(frames - 1) / 2};
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i)
    indices.push_back((2 * i * (frames - 1) + count - 1) / (2 * (count - 1)));
  return indices;
}

namespace {

// The wanted frames as far as the video has them; the number of frames seen goes to `seen`.
std::vector<Image> ReadAvailable(const fs::path& path, std::span<const int64_t> indices, int64_t* seen) {
  VideoReader reader(path);
  std::vector<Image> images;
  for (const int64_t index : indices) {
    if (index < reader.position()) throw Error("frame indices must be increasing and not negative");
    while (reader.position() < index && reader.Skip()) {
    }
    std::optional<Image> image = reader.Read();
    if (!image) break;
    images.push_back(std::move(*image));
  }
  *seen = reader.position();
  return images;
}

int64_t CountFrames(const fs::path& path) {
  VideoReader reader(path);
  while (reader.Skip()) {
  }
  return reader.position();
}

}  // namespace

std::vector<Image> ReadFrames(const fs::path& path, std::span<const int64_t> indices) {
  int64_t seen = 0;
  std::vector<Image> images = ReadAvailable(path, indices, &seen);
  if (images.size() < indices.size()) {
    throw FileError(path.string(),
                    fmt::format("has only {} frames; frame {} was asked for", seen, indices[images.size()]));
  }
  return images;
}

SampledFrames SampleVideo(const fs::path& path, int64_t count) {
  int64_t frames = VideoReader(path).expected_frames();
  if (frames < count) frames = CountFrames(path);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (frames < count) {
      throw FileError(path.string(), fmt::format("has only {} frames; {} are needed", frames, count));
    }
    SampledFrames sampled{EvenIndices(frames, count), {}};
    sampled.images = ReadAvailable(path, sampled.indices, &frames);
    if (sampled.images.size() == sampled.indices.size()) return sampled;
  }
  throw FileError(path.string(), "gives another number of frames each time it is read");
}

}  // namespace wildrayzer
