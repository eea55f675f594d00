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

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  do {  // a killed run may have left a file of our name: process numbers come again, in containers above all
    temporary_ = TemporarySibling(path_);
    // Libraries that open the file themselves pick the container from the extension, so it must survive.
    temporary_ += path_.extension();
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } while (descriptor_ < 0 && errno == EEXIST);
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

void AtomicFile::Overwrite(uint64_t offset, std::string_view text) {
  if (offset > size_ || text.size() > size_ - offset) throw Error("nothing was written there yet");
  while (!text.empty()) {
    const ssize_t written = ::pwrite(descriptor_, text.data(), text.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      Fail(path_, "cannot write (is the disk full?)");
    }
    text.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void AtomicFile::Truncate(uint64_t size) {
  const auto end = static_cast<off_t>(size);
  if (size > size_ || ::ftruncate(descriptor_, end) != 0 || ::lseek(descriptor_, end, SEEK_SET) != end)
    Fail(path_, "cannot be shortened");
  size_ = size;
}

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

void SyncFolder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // some file systems forbid it; the rename itself has happened
  ::fsync(descriptor);
  ::close(descriptor);
}

fs::path TemporarySibling(const fs::path& path) {
  static std::atomic<int> counter = 0;
  return path.parent_path() / ("." + path.filename().string() + ".tmp-" + std::to_string(::getpid()) + "-" +
                               std::to_string(counter++));
}

}  // namespace wildrayzer
