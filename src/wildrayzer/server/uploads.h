// Photos and videos that come in, looked at before anything is made of them.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "wildrayzer/server/http.h"
#include "wildrayzer/server/scene_store.h"

namespace wildrayzer {

// A name as people may see it: the part behind the last slash, at most 100 bytes of UTF-8 without control
// characters; `otherwise` when nothing of it is left.
std::string DisplayName(const std::string& name, const std::string& otherwise);

// Names of files for photos of these display names: without extension, of letters, digits, '_' and '-', no
// two alike.
std::vector<std::string> SafeFileNames(std::span<const std::string> display_names);

// What a file is, by its content; `name` is used in messages. HttpError 415 for what is neither photo nor
// video or damaged, 413 for one with too many pixels. A photo is not decoded (but for HEIC, whose header does
// not say its size).
struct ProbedFile {
  bool is_video = false;
  int width = 0, height = 0;  // upright
};
ProbedFile ProbeFile(const std::filesystem::path& path, const std::string& name, int64_t most_pixels);

// A painted mask: a picture of any size, in which white moves. HttpError 413, 415.
GrayImage DecodeMask(std::string_view bytes, int64_t most_pixels);

class Uploads {
 public:
  explicit Uploads(const ServeLimits& limits) : limits_(limits) {}

  // Reads the body into a file of the scene. The index of the file. HttpError: 409 (the scene has begun, or
  // one kind of file follows another), 411, 413, 415, 503; the scene is then as it was before.
  size_t Receive(HttpRequest& request, const std::shared_ptr<ServedScene>& scene, GivenFile& file);

 private:
  const ServeLimits limits_;
  std::atomic<int> under_way_ = 0;
};

}  // namespace wildrayzer
