#include "wildrayzer/util/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Fail(const fs::path& path, const std::string& what) {
  throw FileError(path.string(), what + ": " + std::strerror(errno));
}

void SyncFolder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // some file systems forbid it; the rename itself has happened
  ::fsync(descriptor);
  ::close(descriptor);
}

// A sibling name that no other process uses.
fs::path TemporarySibling(const fs::path& path) {
  static std::atomic<int> counter = 0;
  return path.parent_path() / ("." + path.filename().string() + ".tmp-" + std::to_string(::getpid()) + "-" +
                               std::to_string(counter++));
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  // Libraries that open the file themselves pick the container from the extension, so it must survive.
  temporary_ = TemporarySibling(path_);
  temporary_ += path_.extension();
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) Fail(path_, "cannot create the file");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::Write(const void* data, size_t size) {
  const char* cursor = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, cursor, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      Fail(path_, "cannot write (is the disk full?)");
    }
    cursor += written;
    size -= static_cast<size_t>(written);
    size_ += static_cast<uint64_t>(written);
  }
}

void AtomicFile::Write(std::span<const std::byte> bytes) { Write(bytes.data(), bytes.size()); }

void AtomicFile::Write(std::string_view text) { Write(text.data(), text.size()); }

void AtomicFile::Commit() {
  if (::fsync(descriptor_) != 0) Fail(path_, "cannot flush to disk");
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    Fail(path_, "cannot complete the file");
  }
  SyncFolder(path_.parent_path());
}

void WriteFileAtomically(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.Write(content);
  file.Commit();
}

StagedFolder::StagedFolder(fs::path path, bool overwrite) : path_(std::move(path)) {
  if (path_.filename().empty()) path_ = path_.parent_path();  // "out/" means "out"
  std::error_code error;
  if (fs::exists(path_, error)) {
    if (!fs::is_directory(path_, error))
      throw UsageError(path_.string() + ": is a file; choose another output folder");
    if (!overwrite && !fs::is_empty(path_, error)) {
      throw UsageError(path_.string() +
                       ": exists and is not empty; add --overwrite to replace it or choose another folder");
    }
  }
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
  staging_ = TemporarySibling(path_);
  if (!fs::create_directory(staging_, error) || error) {
    throw FileError(path_.string(), "cannot create the output folder: " + error.message());
  }
}

StagedFolder::~StagedFolder() {
  if (committed_) return;
  std::error_code error;
  fs::remove_all(staging_, error);
}

void StagedFolder::Commit() {
  std::error_code error;
  const bool replace = fs::exists(path_, error);
  const fs::path old = TemporarySibling(path_);
  if (replace) {
    fs::rename(path_, old, error);
    if (error) throw FileError(path_.string(), "cannot replace the folder: " + error.message());
  }
  fs::rename(staging_, path_, error);
  if (error) {
    std::error_code ignored;
    if (replace) fs::rename(old, path_, ignored);
    throw FileError(path_.string(), "cannot complete the folder: " + error.message());
  }
  committed_ = true;
  SyncFolder(path_.parent_path());
  if (replace) fs::remove_all(old, error);
}

}  // namespace wildrayzer
