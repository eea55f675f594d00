// Files that only grow: logs. What was appended survives the death of the process at any moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace wildrayzer {

class AppendFile {
 public:
  // Opens or creates the file. FileError when that is impossible.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Hands the bytes to the operating system. When that fails (disk full) the file is cut back to what it was
  // before and FileError is raised.
  void Append(std::string_view bytes);
  // Waits until the disk has everything.
  void Sync();

 private:
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace wildrayzer
