#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/data/packed_header.h"
#include "wildrayzer/data/packed_scenes.h"
#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/data/rle.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/safetensors_appender.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kChunk = 16;  // frames decoded together: a video is read once for each
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// One frame on its way into the file.
struct EncodedFrame {
  std::vector<std::byte> picture, clean, mask;
  std::array<int64_t, 2> photo = {};  // width, height
  std::array<double, kPackedCameraNumbers> camera = {};
};

std::vector<std::byte> BytesOf(std::span<const uint8_t> values) {
  const auto bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> EncodePicture(const Image& image, int jpeg_quality) {
  if (image.empty()) return {};
  return jpeg_quality > 0 ? EncodeJpeg(image, jpeg_quality) : BytesOf(image.rgb);
}

std::vector<std::byte> EncodeMask(const GrayImage& mask, int jpeg_quality) {
  if (mask.empty() || jpeg_quality == 0) return BytesOf(mask.values);
  const std::string runs = EncodeRleString(RleFromMask(mask));
  const auto bytes = std::as_bytes(std::span(runs));
  return {bytes.begin(), bytes.end()};
}

EncodedFrame EncodeFrame(const View& view, int jpeg_quality) {
  EncodedFrame frame;
  frame.picture = EncodePicture(view.image, jpeg_quality);
  frame.clean = EncodePicture(view.clean, jpeg_quality);
  frame.mask = EncodeMask(view.mask, jpeg_quality);
  frame.photo = {view.framing.photo_width, view.framing.photo_height};
  frame.camera.fill(kUnknown);
  if (view.intrinsics) {
    const PixelIntrinsics& k = *view.intrinsics;
    std::ranges::copy(std::array{k.fx, k.fy, k.cx, k.cy}, frame.camera.begin());
  }
  for (int i = 0; view.w2c && i < 16; ++i)
    frame.camera[static_cast<size_t>(4 + i)] = (*view.w2c)(i / 4, i % 4);
  return frame;
}

class Packer {
 public:
  Packer(const SceneDataset& scenes, const PackOptions& options, const fs::path& out)
      : scenes_(scenes), options_(options), out_(out), file_(out) {
    view_.width = options.width;
    view_.height = options.height;
    view_.patch = options.patch;
    view_.clean = view_.masks = true;
  }

  void Add(size_t index);
  PackReport Finish();

 private:
  std::string AddFrames(const SceneRecord& record);
  void Write(const EncodedFrame& frame);
  void Skip(size_t index, const std::string& problem);

  const SceneDataset& scenes_;
  const PackOptions& options_;
  fs::path out_;
  ViewOptions view_;
  SafetensorsAppender file_;
  std::vector<int64_t> places_;
  std::vector<double> cameras_;
  std::vector<PackedScene> packed_;
  PackReport report_;
};

void Packer::Skip(size_t index, const std::string& problem) {
  ++report_.skipped;
  LogWarning("{}: not packed: {}", scenes_.name(index), problem);
}

void Packer::Write(const EncodedFrame& frame) {
  const auto size = [](const std::vector<std::byte>& bytes) { return static_cast<int64_t>(bytes.size()); };
  const std::array row = {file_.size(),     size(frame.picture), size(frame.clean),
                          size(frame.mask), frame.photo[0],      frame.photo[1]};
  places_.insert(places_.end(), row.begin(), row.end());
  cameras_.insert(cameras_.end(), frame.camera.begin(), frame.camera.end());
  for (const auto* part : {&frame.picture, &frame.clean, &frame.mask}) file_.Write(*part);
  const std::array<std::byte, 8> padding = {};
  file_.Write(std::span(padding).first(static_cast<size_t>(-file_.size() & 7)));
}

// The frames of a scene, decoded and encoded by several threads and written in order. Gives what is wrong
// with them, or nothing; what is no fault of the scene (a full disk) is raised.
std::string Packer::AddFrames(const SceneRecord& record) {
  const auto count = static_cast<int64_t>(record.frames.size());
  Prefetcher<std::vector<EncodedFrame>> source(
      [&](uint64_t chunk) {
        const int64_t first = static_cast<int64_t>(chunk) * kChunk;
        std::vector<int> frames(static_cast<size_t>(std::min(kChunk, count - first)));
        std::iota(frames.begin(), frames.end(), static_cast<int>(first));
        std::vector<EncodedFrame> encoded;
        for (const View& view : LoadViews(record, frames, view_))
          encoded.push_back(EncodeFrame(view, options_.jpeg_quality));
        return encoded;
      },
      0, static_cast<uint64_t>((count + kChunk - 1) / kChunk), options_.threads, options_.threads);
  while (true) {
    ThrowIfInterrupted();
    std::optional<std::vector<EncodedFrame>> chunk;
    try {
      chunk = source.Next();
    } catch (const FileError& error) {
      return error.what();
    }
    if (!chunk) return "";
    for (const EncodedFrame& frame : *chunk) Write(frame);
  }
}

void Packer::Add(size_t index) {
  PackedScene packed;
  packed.name = scenes_.name(index);
  SceneRecord record;
  try {
    if (!IsUtf8(packed.name)) throw FileError(Printable(packed.name), "its name is not UTF-8");
    record = scenes_.Read(index);
    packed.frames = static_cast<int64_t>(record.frames.size());
    packed.views = scenes_.EvaluationViews(index);
    if (packed.views) CheckViews(*packed.views, record);
  } catch (const FileError& error) {
    return Skip(index, error.what());
  }
  const int64_t bytes = file_.size();
  const size_t places = places_.size(), cameras = cameras_.size();
  if (const std::string problem = AddFrames(record); !problem.empty()) {
    file_.Truncate(bytes);
    places_.resize(places);
    cameras_.resize(cameras);
    return Skip(index, problem);
  }
  packed_.push_back(std::move(packed));
}

PackReport Packer::Finish() {
  if (packed_.empty())
    throw FileError(out_.string(), "is not written: no scene could be read; the warnings name the files");
  report_.scenes = static_cast<int64_t>(packed_.size());
  report_.frames = static_cast<int64_t>(places_.size()) / kPackedFrameNumbers;
  for (size_t i = 0; i < places_.size(); i += kPackedFrameNumbers) {
    report_.clean += places_[i + 2] > 0;
    report_.masks += places_[i + 3] > 0;
  }
  file_.EndTensor("data", DType::kU8, {file_.size()});
  file_.Write(std::as_bytes(std::span(places_)));
  file_.EndTensor("frames", DType::kI64, {report_.frames, kPackedFrameNumbers});
  file_.Write(std::as_bytes(std::span(cameras_)));
  file_.EndTensor("cameras", DType::kF64, {report_.frames, kPackedCameraNumbers});
  const std::string scenes = DescribePackedScenes(packed_);
  file_.Write(std::as_bytes(std::span(scenes)));
  file_.EndTensor("scenes", DType::kU8, {file_.size()});
  const PackedLayout layout{options_.width, options_.height, options_.patch, options_.jpeg_quality > 0};
  file_.Commit({{kPackedMetadataKey, DescribePackedLayout(layout)}});
  report_.bytes = fs::file_size(out_);
  return report_;
}

}  // namespace

PackReport PackScenes(const SceneDataset& scenes, const PackOptions& options, const fs::path& out,
                      Progress& progress) {
  Packer packer(scenes, options, out);
  progress.Stage("packing", static_cast<int>(scenes.size()));
  for (size_t i = 0; i < scenes.size(); ++i, progress.Step()) packer.Add(i);
  progress.Finish();
  return packer.Finish();
}

}  // namespace wildrayzer
