#include "wildrayzer/server/uploads.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/pipeline/exports.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// A file that is removed unless it is kept.
class NewFile {
 public:
  explicit NewFile(fs::path path)
      : path_(std::move(path)),
        descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) throw FileError(path_.string(), "cannot be written");
  }
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!kept_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void Write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0)
        throw HttpError(503, "the server's disk is full; delete scenes there are no more use for");
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
  void Keep() { kept_ = true; }
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
  const int descriptor_;
  bool kept_ = false;
};

std::string Megapixels(int64_t pixels) {
  return fmt::format("{:.0f} megapixels", static_cast<double>(pixels) / 1e6);
}

void CheckPixels(int64_t width, int64_t height, int64_t most, const std::string& name) {
  if (width <= 0 || height <= 0) throw HttpError(415, name + ": has no pixels");
  if (height > most / width) {
    throw HttpError(413, fmt::format("{}: has {} x {} pixels; at most {} are taken, make it smaller", name,
                                     width, height, Megapixels(most)));
  }
}

ProbedFile ProbePhoto(const fs::path& path, const std::string& name, int64_t most_pixels) {
  const auto bytes = MappedFile::Open(path);
  const ImageHeader header = ParseImageHeader(bytes->bytes(), name);
  if (header.format == ImageFormat::kHeif) {
    const Image image = ReadImage(path);
    CheckPixels(image.width, image.height, most_pixels, name);
    return {false, image.width, image.height};
  }
  CheckPixels(header.width, header.height, most_pixels, name);
  const bool turned = header.orientation >= 5;
  return {false, static_cast<int>(turned ? header.height : header.width),
          static_cast<int>(turned ? header.width : header.height)};
}

ProbedFile ProbeVideo(const fs::path& path, const std::string& name, int64_t most_pixels) {
  const VideoReader video(path);
  CheckPixels(video.width(), video.height(), most_pixels, name);
  return {true, video.width(), video.height()};
}

void CheckRoom(const ServedScene& scene, uint64_t bytes, const ServeLimits& limits) {
  if (scene.state != WorkState::kCollecting)
    throw HttpError(409, "the scene has begun already; make a new one for other photos");
  if (scene.files.size() + static_cast<size_t>(scene.uploads) >= static_cast<size_t>(limits.files))
    throw HttpError(413, fmt::format("a scene takes {} files, no more", limits.files));
  uint64_t used = scene.reserved_bytes;
  for (const GivenFile& file : scene.files) used += file.bytes;
  if (bytes > limits.scene_bytes - std::min(used, limits.scene_bytes))
    throw HttpError(
        413, fmt::format("the files of a scene may have {} MB together, no more; give fewer or smaller ones",
                         limits.scene_bytes >> 20));
  std::error_code error;
  const fs::space_info disk = fs::space(scene.folder.path(), error);
  if (!error && disk.available < bytes + limits.free_bytes)
    throw HttpError(503, "the server's disk is nearly full; delete scenes there are no more use for");
}

// Counts what comes in at a time.
class Turn {
 public:
  Turn(std::atomic<int>& under_way, int most) : under_way_(under_way) {
    if (++under_way_ <= most) return;
    --under_way_;
    throw HttpError(503, "too many uploads at a time; try again in a moment");
  }
  ~Turn() { --under_way_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic<int>& under_way_;
};

// Counts an upload to its scene as long as it lasts.
class Place {
 public:
  Place(ServedScene& scene, uint64_t bytes, const ServeLimits& limits) : scene_(scene), bytes_(bytes) {
    const std::lock_guard<std::mutex> lock(scene_.mutex);
    CheckRoom(scene_, bytes, limits);
    ++scene_.uploads;
    scene_.reserved_bytes += bytes_;
    number_ = scene_.next_number++;
  }
  ~Place() {
    const std::lock_guard<std::mutex> lock(scene_.mutex);
    --scene_.uploads;
    scene_.reserved_bytes -= bytes_;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  uint64_t number() const { return number_; }

 private:
  ServedScene& scene_;
  const uint64_t bytes_;
  uint64_t number_ = 0;
};

size_t Put(ServedScene& scene, const GivenFile& file) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  if (scene.state != WorkState::kCollecting)
    throw HttpError(409, "the scene has begun without " + file.name + ", which came too late");
  const bool mixed = !scene.files.empty() && (file.is_video || scene.files[0].is_video);
  if (mixed)
    throw HttpError(409, "give either photos or one video, not both; make a new scene for " + file.name);
  const auto place = std::find_if(scene.files.begin(), scene.files.end(),
                                  [&](const GivenFile& other) { return other.number > file.number; });
  const size_t index = static_cast<size_t>(place - scene.files.begin());
  scene.files.insert(place, file);
  scene.touched = SteadySeconds();
  ++scene.revision;
  return index;
}

}  // namespace

std::string DisplayText(const std::string& text, const std::string& otherwise) {
  constexpr size_t kMost = 100;
  if (!IsUtf8(text)) return otherwise;
  size_t end = std::min(text.size(), kMost);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  const std::string shown = Printable(text.substr(0, end));
  return shown.find_first_not_of(" .?") == std::string::npos ? otherwise : shown;
}

std::string DisplayName(const std::string& path, const std::string& otherwise) {
  return DisplayText(path.substr(path.find_last_of("/\\") + 1), otherwise);
}

std::vector<std::string> SafeFileNames(std::span<const std::string> display_names) {
  std::vector<std::string> stems;
  for (const std::string& name : display_names) {
    const size_t dot = name.rfind('.');
    std::string stem = name.substr(0, dot == 0 ? std::string::npos : dot);
    std::replace(stem.begin(), stem.end(), '.', '_');
    stems.push_back(stem.empty() ? "photo" : stem);
  }
  return PlainFileNames(stems);
}

ProbedFile ProbeFile(const fs::path& path, const std::string& name, int64_t most_pixels) {
  try {
    const std::optional<NoPicture> problem = WhyNoPicture(path);
    if (!problem) return ProbePhoto(path, name, most_pixels);
    if (IsVideoFile(path)) return ProbeVideo(path, name, most_pixels);
    throw HttpError(
        415, name + ": " + problem->problem + (problem->is_picture ? "" : ", and no video that can be read"));
  } catch (const FileError& error) {
    throw HttpError(415, name + ": " + error.problem());
  }
}

GrayImage DecodeMask(std::string_view text, int64_t most_pixels) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  try {
    const ImageHeader header = ParseImageHeader(bytes, "mask");
    if (header.format != ImageFormat::kPng) throw HttpError(415, "the mask must be a PNG picture");
    CheckPixels(header.width, header.height, most_pixels, "mask");
    const Image image = DecodeImage(bytes, "mask");
    GrayImage mask(image.width, image.height);
    for (size_t i = 0; i < mask.values.size(); ++i) mask.values[i] = image.rgb[3 * i];
    return mask;
  } catch (const FileError& error) {
    throw HttpError(415, "mask: " + error.problem());
  }
}

Uploads::Received Uploads::Receive(HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  GivenFile file;
  file.name = DisplayName(request.Query("name"), "photo");
  file.bytes = request.body_bytes;
  if (file.bytes == 0) throw HttpError(400, file.name + ": is empty, or was sent without its Content-Length");
  if (file.bytes > limits_.file_bytes) {
    throw HttpError(413, fmt::format("{}: has {} MB; at most {} MB are taken", file.name, file.bytes >> 20,
                                     limits_.file_bytes >> 20));
  }
  const Turn turn(under_way_, limits_.uploads);
  const Place place(*scene, file.bytes, limits_);
  file.number = place.number();
  NewFile on_disk(scene->NewFile("given", ""));
  request.read_body([&](std::span<const std::byte> bytes) {
    if (scene->deleted) throw HttpError(404, "the scene was deleted");
    on_disk.Write(bytes);
  });
  const ProbedFile probed = [&] {
    const std::lock_guard<std::mutex> lock(decoding_);
    return ProbeFile(on_disk.path(), file.name, limits_.pixels);
  }();
  file.path = on_disk.path();
  file.is_video = probed.is_video;
  file.width = probed.width;
  file.height = probed.height;
  const size_t index = Put(*scene, file);
  on_disk.Keep();
  return {index, file};
}

void Uploads::Remove(const std::shared_ptr<ServedScene>& scene, uint64_t number) {
  const std::lock_guard<std::mutex> lock(scene->mutex);
  if (scene->state != WorkState::kCollecting)
    throw HttpError(409, "the scene has begun already; make a new one without the file");
  const auto file = std::find_if(scene->files.begin(), scene->files.end(),
                                 [number](const GivenFile& other) { return other.number == number; });
  if (file == scene->files.end()) throw HttpError(404, "the scene has no such file (any more)");
  std::error_code ignored;  // it goes with the scene's folder at the latest
  fs::remove(file->path, ignored);
  scene->files.erase(file);
  scene->touched = SteadySeconds();
  ++scene->revision;
}

GrayImage Uploads::ReceiveMask(HttpRequest& request) {
  const Turn turn(under_way_, limits_.uploads);
  const std::string body = ReadBody(request, limits_.mask_bytes);
  const std::lock_guard<std::mutex> lock(decoding_);
  return DecodeMask(body, limits_.pixels);
}

}  // namespace wildrayzer
