#include "wildrayzer/server/served_scene.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

ScopedFolder::ScopedFolder(std::filesystem::path path) : path_(std::move(path)) {
  if (::mkdir(path_.c_str(), 0700) != 0)
    throw FileError(path_.string(), std::string("cannot make the folder: ") + std::strerror(errno));
}

ScopedFolder::~ScopedFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

const char* WorkStateName(WorkState state) {
  switch (state) {
    case WorkState::kCollecting:
      return "collecting";
    case WorkState::kQueued:
      return "queued";
    case WorkState::kWorking:
      return "working";
    case WorkState::kReady:
      return "ready";
    case WorkState::kFailed:
      return "failed";
  }
  return "failed";
}

std::filesystem::path ServedScene::NewFile(const std::string& kind, const std::string& extension) {
  return folder.path() / (kind + std::to_string(next_file_++) + extension);
}

}  // namespace wildrayzer
