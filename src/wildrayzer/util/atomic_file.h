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

// An output folder that appears under its final name only when Commit() succeeds; until then everything is
// written to a sibling folder, which the destructor removes. An existing `path` raises UsageError unless
// `overwrite`, and then it is replaced only at Commit(). An existing *empty* folder may always be used.
class StagedFolder {
 public:
  StagedFolder(std::filesystem::path path, bool overwrite);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  // Where to write now.
  const std::filesystem::path& staging() const { return staging_; }
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path staging_;
  bool committed_ = false;
};

}  // namespace wildrayzer
