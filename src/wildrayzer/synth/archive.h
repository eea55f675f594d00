// Members of zip archives, with bounds on what is read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct zip;

namespace wildrayzer::synth {

class ZipArchive {
 public:
  // Raises FileError when the file is missing or no zip archive.
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  // The whole member, or nothing when there is none of that name (letter case is ignored if need be). Raises
  // FileError when it is damaged, encrypted, or unpacks to more than `limit` bytes.
  std::optional<std::string> Read(const std::string& name, size_t limit) const;

 private:
  std::filesystem::path path_;
  zip* archive_;
};

}  // namespace wildrayzer::synth
