#include "wildrayzer/util/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

[[noreturn]] void Fail(const std::filesystem::path& path, const std::string& what, int error) {
  throw FileError(path.string(), what + ": " + std::strerror(error));
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) Fail(path_, "cannot open the file for appending", errno);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::Append(std::string_view bytes) {
  struct stat before = {};
  if (::fstat(descriptor_, &before) != 0) Fail(path_, "cannot tell the file's size", errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      // Devices such as /dev/full cannot be cut; nothing was kept there anyway.
      [[maybe_unused]] const int cut = ::ftruncate(descriptor_, before.st_size);
      Fail(path_, "cannot write (is the disk full?)", error);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AppendFile::Sync() {
  // Pipes and devices have nothing to wait for (EINVAL).
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL && errno != EROFS)
    Fail(path_, "cannot flush to disk", errno);
}

}  // namespace wildrayzer
