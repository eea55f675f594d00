// Photos and videos that come in, looked at before anything is made of them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "wildrayzer/server/http.h"
#include "wildrayzer/server/scene_store.h"

namespace wildrayzer {

// What somebody called something, as people may see it: at most 100 bytes of UTF-8 without control
// characters; `otherwise` when nothing of it is left.
std::string DisplayText(const std::string& text, const std::string& otherwise);

// The same for the name of a file: without the folders before it, whichever way slashes lean.
std::string DisplayName(const std::string& path, const std::string& otherwise);

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

// A painted mask: a PNG picture of any size, in which white moves. HttpError 413, 415.
GrayImage DecodeMask(std::string_view bytes, int64_t most_pixels);

class Uploads {
 public:
  explicit Uploads(const ServeLimits& limits) : limits_(limits) {}

  struct Received {
    size_t index = 0;  // among the files of the scene
    GivenFile file;
  };
  // Reads the body into a file of the scene. HttpError: 409 (the scene has begun, or
  // one kind of file follows another), 411, 413, 415, 503; the scene is then as it was before.
  Received Receive(HttpRequest& request, const std::shared_ptr<ServedScene>& scene);
  // Takes a file that was received away again. HttpError 404 when there is none of this number, 409 when the
  // scene has begun.
  static void Remove(const std::shared_ptr<ServedScene>& scene, uint64_t number);
  // Reads the body as a painted mask. HttpError 413, 415, 503.
  GrayImage ReceiveMask(HttpRequest& request);

 private:
  const ServeLimits limits_;
  std::atomic<int> under_way_ = 0;
  std::mutex decoding_;  // one at a time: a decoded picture is large
};

}  // namespace wildrayzer
