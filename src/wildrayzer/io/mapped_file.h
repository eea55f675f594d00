// A whole file as read-only memory. Pages are read from disk only when they are touched.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace wildrayzer {

class MappedFile {
 public:
  // Maps a regular file. FileError when it is missing, empty, not a regular file or not readable.
  // Another process that shortens the file while it is mapped makes later reads fail (SIGBUS): replace
  // checkpoints by renaming a new file over the old one, as AtomicFile does, never by rewriting them in
  // place.
  static std::shared_ptr<const MappedFile> Open(const std::filesystem::path& path);

  // Wraps memory that the caller keeps alive; `name` stands for the path in error messages.
  static std::shared_ptr<const MappedFile> FromMemory(std::string name, std::span<const std::byte> bytes);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes, bool mapped);

  std::string path_;
  std::span<const std::byte> bytes_;
  bool mapped_;
};

}  // namespace wildrayzer
