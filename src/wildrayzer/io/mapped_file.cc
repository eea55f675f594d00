#include "wildrayzer/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Closes the descriptor on every way out; the mapping does not need it any more.
class Descriptor {
 public:
  // Non-blocking, so that a named pipe in place of a file is refused instead of waited for.
  explicit Descriptor(const char* path) : value_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

}  // namespace

MappedFile::MappedFile(std::string path, std::span<const std::byte> bytes, bool mapped)
    : path_(std::move(path)), bytes_(bytes), mapped_(mapped) {}

MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::shared_ptr<const MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Descriptor file(path.c_str());
  if (file.value() < 0) throw FileError(name, std::string("cannot open the file: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) {
    throw FileError(name, std::string("cannot read the file: ") + std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) throw FileError(name, "is a folder, a file is needed here");
  if (!S_ISREG(status.st_mode)) throw FileError(name, "is not a regular file");
  if (status.st_size == 0) throw FileError(name, "the file is empty; write or download it again");
  const auto size = static_cast<size_t>(status.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value(), 0);
  if (memory == MAP_FAILED)
    throw FileError(name, std::string("cannot map the file: ") + std::strerror(errno));
  return std::shared_ptr<const MappedFile>(
      new MappedFile(name, {static_cast<const std::byte*>(memory), size}, true));
}

std::shared_ptr<const MappedFile> MappedFile::FromMemory(std::string name, std::span<const std::byte> bytes) {
  return std::shared_ptr<const MappedFile>(new MappedFile(std::move(name), bytes, false));
}

}  // namespace wildrayzer
