// Outputs that are either complete or absent: written under a temporary name, fsync'ed, then renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace wildrayzer {

// A file that appears under its final name only when Commit() succeeds. Without Commit() the destructor
// removes it. Errors (no folder, no space, no permission) raise FileError naming the final path.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text);
  void Write(const void* data, size_t size);

  // Bytes written so far.
  uint64_t size() const { return size_; }
  // Writes over bytes that are there already, for headers that are known last.
  void Overwrite(uint64_t offset, std::string_view text);
  // Takes back what was written after the first `size` bytes.
  void Truncate(uint64_t size);
  // The temporary name, for libraries that insist on opening files themselves (OpenCV's video writer).
  const std::filesystem::path& temporary_path() const { return temporary_; }

  // fsync, rename, fsync of the folder.
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// Writes a whole small file atomically.
void WriteFileAtomically(const std::filesystem::path& path, std::string_view content);

// A hidden name beside `path` that no other running process of this machine uses; another one at every call.
std::filesystem::path TemporarySibling(const std::filesystem::path& path);

// fsync of a folder, which makes renames in it last.
void SyncFolder(const std::filesystem::path& folder);

}  // namespace wildrayzer
