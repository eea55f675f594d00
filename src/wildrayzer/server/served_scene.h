// A scene that a client has made: its photos on disk, what they became, and how far the work on them is.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/server/worker.h"

namespace wildrayzer {

// A folder that goes with this object, with all that is in it.
class ScopedFolder {
 public:
  // Makes it, for its owner alone. FileError when that fails.
  explicit ScopedFolder(std::filesystem::path path);
  ~ScopedFolder();
  ScopedFolder(const ScopedFolder&) = delete;
  ScopedFolder& operator=(const ScopedFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A file that goes with this object.
class ScopedFile {
 public:
  explicit ScopedFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~ScopedFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ScopedFile(const ScopedFile&) = delete;
  ScopedFile& operator=(const ScopedFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A photo or video as it was given. The file's name is ours.
struct GivenFile {
  uint64_t number = 0;  // in the scene, in the order in which they were begun
  std::string name;     // for people
  std::filesystem::path path;
  bool is_video = false;
  int width = 0, height = 0;  // upright
  uint64_t bytes = 0;
};

// A photo, or frame of the video, that the scene is made of.
struct ScenePhoto {
  std::string name;        // for people
  std::string plain_name;  // for files: letters, digits, '_' and '-', unique in the scene
  std::filesystem::path path;
  int width = 0, height = 0;
};

// A clean photo as it lies on disk, in the photo's size, and the shares of CleanPhoto.
struct CleanFiles {
  std::filesystem::path image;   // JPEG
  std::filesystem::path source;  // PNG of PixelSource
  double own = 1, photos = 0, rendered = 0;
};

// What one encoding gave. Nothing ever changes but what is under the mutex, which is made when it is asked
// for.
struct Encoding {
  explicit Encoding(std::filesystem::path folder_path) : folder(std::move(folder_path)) {}

  Scene scene;
  std::vector<bool> painted;  // one a photo
  uint64_t revision = 0;
  std::vector<std::pair<std::string, double>> seconds;  // of the stages
  std::vector<std::string> warnings;
  ScopedFolder folder;

  std::mutex mutex;
  std::map<size_t, CleanFiles> clean;
  std::shared_ptr<Job> cleaning;  // that fills them
  std::shared_ptr<const ScopedFile> archive;
  size_t archived_recordings = 0;
};

enum class WorkState { kCollecting, kQueued, kWorking, kReady, kFailed };
const char* WorkStateName(WorkState state);

// A path that is rendered to a video.
struct Recording {
  WorkState state = WorkState::kQueued;
  int done = 0;
  int frames = 0;
  std::string error;
  std::filesystem::path file;  // server-made; there when it is ready
};

class ServedScene {
 public:
  ServedScene(std::string scene_id, std::string scene_name, const std::filesystem::path& parent)
      : id(std::move(scene_id)), name(std::move(scene_name)), folder(parent / id) {}

  const std::string id;
  std::string name;  // for people; final once the work has begun, until then guarded by `mutex`
  const ScopedFolder folder;
  std::atomic<bool> deleted = false;

  // Everything below.
  mutable std::mutex mutex;
  WorkState state = WorkState::kCollecting;
  uint64_t revision = 1;  // grows with every change that a client sees
  std::string error;
  int64_t touched = 0;  // seconds of the steady clock, of the last upload

  // Uploads. Those under way are counted before they are there.
  std::vector<GivenFile> files;
  int uploads = 0;
  uint64_t reserved_bytes = 0;
  uint64_t next_number = 0;

  // Work.
  std::shared_ptr<Job> job;  // that encodes
  std::string stage;
  int stage_done = 0, stage_parts = 0;
  int64_t stage_began = 0;  // milliseconds of the steady clock
  bool updating = false;    // a ready scene is encoded again
  int num_inputs = 0;
  std::vector<ScenePhoto> photos;
  std::map<size_t, GrayImage> painted;  // of the whole photo, 255 moves, 1024 pixels a side at most
  std::shared_ptr<Encoding> encoded;
  std::vector<Recording> recordings;

  // Where the bytes of a file go; another name at every call.
  std::filesystem::path NewFile(const std::string& kind, const std::string& extension);

 private:
  std::atomic<uint64_t> next_file_ = 0;
};

}  // namespace wildrayzer
