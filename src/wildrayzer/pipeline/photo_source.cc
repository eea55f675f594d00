#include "wildrayzer/pipeline/photo_source.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

// HEIC and AVIF count as images here so that the reader can say what to do about them.
bool LooksLikeImage(const fs::path& path) {
  static const std::set<std::string> kUnsupported = {".heic", ".heif", ".avif"};
  return path.filename().string().front() != '.' &&
         (HasImageExtension(path) || kUnsupported.contains(LowerExtension(path)));
}

// By decoding: headers are often wrong by a frame or more.
size_t CountFrames(const fs::path& path) {
  VideoReader video(path);
  while (video.Skip()) ThrowIfInterrupted();
  return static_cast<size_t>(video.position());
}

// "img2" before "img10": runs of digits compare as numbers.
bool NaturalLess(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      size_t end_i = i, end_j = j;
      while (end_i < a.size() && digit(a[end_i])) ++end_i;
      while (end_j < b.size() && digit(b[end_j])) ++end_j;
      std::string x = a.substr(i, end_i - i), y = b.substr(j, end_j - j);
      x.erase(0, std::min(x.find_first_not_of('0'), x.size()));
      y.erase(0, std::min(y.find_first_not_of('0'), y.size()));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      i = end_i;
      j = end_j;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

std::vector<fs::path> ImagesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error) && LooksLikeImage(entry.path())) files.push_back(entry.path());
  }
  if (error) throw FileError(folder.string(), "cannot list the folder: " + error.message());
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return NaturalLess(a.filename().string(), b.filename().string());
  });
  return files;
}

std::vector<fs::path> ImagesOfFolder(const fs::path& folder) {
  std::vector<fs::path> files = ImagesIn(folder);
  if (files.empty() && fs::is_directory(folder / "images")) files = ImagesIn(folder / "images");
  if (files.empty()) {
    throw UsageError(folder.string() + ": no images in this folder (JPEG, PNG, WebP, BMP or TIFF)");
  }
  return files;
}

// "a", "a_2", "a_3" for files of the same stem in different folders.
std::string UniqueName(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (int i = 2; !taken.insert(name).second; ++i) name = stem + "_" + std::to_string(i);
  return name;
}

}  // namespace

PhotoSource::PhotoSource(const std::vector<std::string>& paths) {
  std::error_code error;
  for (const std::string& path : paths) {
    if (!fs::exists(path, error)) throw UsageError(path + ": no such file or folder");
  }
  if (paths.size() == 1 && fs::is_directory(paths[0], error)) {
    files_ = ImagesOfFolder(paths[0]);
  } else if (paths.size() == 1 && HasVideoExtension(paths[0])) {
    is_video_ = true;
    files_ = {paths[0]};
    frame_count_ = CountFrames(paths[0]);
  } else {
    for (const std::string& path : paths) {
      if (fs::is_directory(path, error) || HasVideoExtension(path)) {
        throw UsageError(path + ": give either image files, or one folder, or one video");
      }
      if (LowerExtension(path) == ".json") {
        throw UsageError(path +
                         ": is no photo; give image files, one folder or one video (cameras to follow go to "
                         "--trajectory)");
      }
      files_.emplace_back(path);
    }
  }
  std::set<std::string> taken;
  for (const fs::path& file : files_) names_.push_back(UniqueName(file.stem().string(), taken));
}

std::vector<Photo> PhotoSource::Read(const std::vector<size_t>& indices) const {
  std::vector<Photo> photos;
  if (indices.empty()) return photos;
  if (is_video_) {
    const std::vector<int64_t> frames(indices.begin(), indices.end());
    std::vector<Image> images = ReadFrames(files_[0], frames);
    for (size_t i = 0; i < images.size(); ++i) {
      const std::string number = std::to_string(indices[i]);
      photos.push_back({"frame_" + std::string(6 - std::min<size_t>(6, number.size()), '0') + number,
                        files_[0].string() + " frame " + number, std::move(images[i])});
    }
    return photos;
  }
  for (const size_t index : indices) {
    photos.push_back({names_.at(index), files_.at(index).string(), ReadImage(files_.at(index))});
  }
  return photos;
}

std::vector<size_t> SpreadIndices(size_t size, size_t count) {
  count = std::min(count, size);
  std::vector<size_t> indices;
  for (size_t i = 0; i < count; ++i) {
    indices.push_back(count == 1 ? 0 : (i * (size - 1) + (count - 1) / 2) / (count - 1));
  }
  return indices;
}

ViewSplit SplitViews(size_t size, size_t num_inputs, size_t num_targets) {
  num_inputs = std::min(num_inputs, size);
  num_targets = std::min(num_targets, size - num_inputs);
  const std::vector<size_t> views = SpreadIndices(size, num_inputs + num_targets);
  const std::vector<size_t> input_places = SpreadIndices(views.size(), num_inputs);
  ViewSplit split;
  for (size_t i = 0; i < views.size(); ++i) {
    const bool input = std::find(input_places.begin(), input_places.end(), i) != input_places.end();
    (input ? split.inputs : split.targets).push_back(views[i]);
  }
  return split;
}

}  // namespace wildrayzer
