#include "wildrayzer/pipeline/photo_source.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <set>

#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/progress.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// By decoding: headers are often wrong by a frame or more.
size_t CountFrames(const fs::path& path) {
  VideoReader video(path);
  Progress progress(IsVerbose(), /*quiet_seconds=*/0.5);
  progress.Stage("counting frames", static_cast<int>(video.expected_frames()));
  while (video.Skip()) {
    ThrowIfInterrupted();
    progress.Step();
  }
  progress.Finish();
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

std::vector<fs::path> InNaturalOrder(std::vector<fs::path> paths) {
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
    return NaturalLess(a.filename().string(), b.filename().string());
  });
  return paths;
}

// The files of a folder but hidden ones, in natural order.
std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored) && entry.path().filename().string().front() != '.')
      files.push_back(entry.path());
  }
  if (error) throw FileError(folder.string(), "cannot list the folder: " + error.message());
  return InNaturalOrder(std::move(files));
}

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool IsHeicName(const fs::path& path) {
  const std::string extension = LowerExtension(path);
  return extension == ".heic" || extension == ".heif" || extension == ".avif";
}

// The pictures among the files. Phones and their programs keep a photo as IMG_1.heic and IMG_1.jpg: it counts
// once.
std::vector<fs::path> PicturesAmong(const std::vector<fs::path>& files) {
  std::vector<fs::path> pictures;
  for (const fs::path& file : files) {
    const std::optional<NoPicture> none = WhyNoPicture(file);
    if (!none) {
      pictures.push_back(file);
    } else if (none->is_picture) {
      LogWarning("{}: left out: {}", file.string(), none->problem);
    }
  }
  std::set<std::string> others;
  for (const fs::path& picture : pictures) {
    if (!IsHeicName(picture)) others.insert(picture.stem().string());
  }
  std::erase_if(pictures, [&](const fs::path& picture) {
    const bool twin = IsHeicName(picture) && others.contains(picture.stem().string());
    if (twin) LogInfo("{}: left out: the photo is there in another format, too", picture.string());
    return twin;
  });
  return pictures;
}

// The pictures of a folder, or else of its subfolder `images`, or else its only video.
std::vector<fs::path> PhotosOfFolder(const fs::path& folder, bool* is_video) {
  const std::vector<fs::path> files = FilesIn(folder);
  std::vector<fs::path> found = PicturesAmong(files);
  if (found.empty() && fs::is_directory(folder / "images")) found = PicturesAmong(FilesIn(folder / "images"));
  if (!found.empty()) return found;
  std::copy_if(files.begin(), files.end(), std::back_inserter(found), IsVideoFile);
  if (found.size() > 1) {
    throw UsageError(folder.string() + ": no images in this folder, but " + std::to_string(found.size()) +
                     " videos: give one of them, for instance " + found[0].string());
  }
  if (found.empty()) {
    throw UsageError(
        folder.string() +
        ": no images in this folder (JPEG, PNG, WebP, HEIC, AVIF, BMP or TIFF), and no video" +
        (PlacesIn(folder).empty() ? "" : "; if its folders are one place each, give --each to render"));
  }
  *is_video = true;
  return found;
}

// "a", "a_2", "a_3" for files of the same stem in different folders.
std::string UniqueName(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (int i = 2; !taken.insert(name).second; ++i) name = stem + "_" + std::to_string(i);
  return name;
}

[[noreturn]] void ThrowNoPhoto(const std::string& path, const NoPicture& none) {
  if (LowerExtension(path) == ".json") {
    throw UsageError(path +
                     ": is no photo; give image files, one folder or one video (cameras to follow go to "
                     "--trajectory)");
  }
  throw FileError(path, none.is_picture ? none.problem : none.problem + ", and no video that can be read");
}

}  // namespace

PhotoSource::PhotoSource(const std::vector<std::string>& paths) {
  std::error_code error;
  for (const std::string& path : paths) {
    if (!fs::exists(path, error)) throw UsageError(path + ": no such file or folder");
  }
  if (paths.size() == 1 && fs::is_directory(paths[0], error)) {
    files_ = PhotosOfFolder(paths[0], &is_video_);
  } else {
    for (const std::string& path : paths) {
      if (paths.size() > 1 && fs::is_directory(path, error))
        throw UsageError(path + ": give either image files, or one folder, or one video");
      if (const std::optional<NoPicture> none = WhyNoPicture(path)) {
        const bool video = IsVideoFile(path);
        if (video && paths.size() > 1)
          throw UsageError(path + ": give either image files, or one folder, or one video");
        if (!video) ThrowNoPhoto(path, *none);
        is_video_ = true;
      }
      files_.emplace_back(path);
    }
  }
  if (is_video_) frame_count_ = CountFrames(files_[0]);
  std::set<std::string> taken;
  for (const fs::path& file : files_) names_.push_back(UniqueName(file.stem().string(), taken));
  is_folder_ = !is_video_ && paths.size() == 1 && fs::is_directory(paths[0], error);
}

std::string PhotoSource::LeftOut(const std::string& result) const {
  if (unreadable_.empty()) return "";
  return result + ": is written without " + std::to_string(unreadable_.size()) + " of " +
         std::to_string(files_.size()) + " photos, which could not be read; the warnings name the files";
}

std::vector<size_t> PhotoSource::Readable() const {
  std::vector<size_t> indices;
  for (size_t i = 0; i < size(); ++i) {
    if (!unreadable_.contains(i)) indices.push_back(i);
  }
  return indices;
}

std::vector<Photo> PhotoSource::ReadVideo(const std::vector<size_t>& indices) const {
  const std::set<int64_t> frames(indices.begin(), indices.end());
  std::vector<Image> images = ReadFrames(files_[0], std::vector<int64_t>(frames.begin(), frames.end()));
  std::vector<Photo> photos;
  for (const size_t index : indices) {
    const std::string number = std::to_string(index);
    const auto place = std::distance(frames.begin(), frames.find(static_cast<int64_t>(index)));
    photos.push_back({"frame_" + std::string(6 - std::min<size_t>(6, number.size()), '0') + number,
                      files_[0].string() + " frame " + number,
                      std::move(images[static_cast<size_t>(place)])});
  }
  return photos;
}

std::vector<Photo> PhotoSource::Read(const std::vector<size_t>& indices, std::vector<Photo> known) {
  if (indices.empty()) return {};
  if (is_video_) return ReadVideo(indices);
  std::vector<Photo> photos;
  for (const size_t index : indices) {
    ThrowIfInterrupted();
    const std::string source = files_.at(index).string();
    const auto same =
        std::find_if(known.begin(), known.end(), [&](const Photo& photo) { return photo.source == source; });
    if (same != known.end()) {
      photos.push_back(std::move(*same));
      continue;
    }
    try {
      photos.push_back({names_.at(index), source, ReadImage(files_.at(index))});
    } catch (const FileError& error) {
      if (!is_folder_ || files_.size() - unreadable_.size() <= 2) throw;
      LogWarning("left out: {}", error.what());
      unreadable_.insert(index);
    }
  }
  return photos;
}

std::vector<fs::path> PlacesIn(const fs::path& folder) {
  std::vector<fs::path> places;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (entry.path().filename().string().front() == '.') continue;
    if (entry.is_directory(ignored) || IsVideoFile(entry.path())) places.push_back(entry.path());
  }
  if (error) throw FileError(folder.string(), "cannot list the folder: " + error.message());
  return InNaturalOrder(std::move(places));
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
