// The directory of a zip archive of stored (uncompressed) entries, as PyTorch writes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wildrayzer/io/mapped_file.h"

namespace wildrayzer {

struct ZipEntry {
  std::string name;
  uint64_t size = 0;          // payload bytes
  uint64_t local_offset = 0;  // of the local header
  uint64_t limit = 0;         // payload ends at or before this offset: the next header, or the directory
  uint32_t crc = 0;           // zero when the writer left it out
};

// Reads the end record (Zip64 too) and the central directory; payloads and local headers stay untouched until
// Payload(). FileError for: encryption, compression, several disks, duplicate or unsafe names (absolute,
// "..", backslash), entries that overlap or leave the file, and more than kMaxEntries entries.
class ZipArchive {
 public:
  static constexpr uint64_t kMaxEntries = 2'000'000;

  explicit ZipArchive(std::shared_ptr<const MappedFile> file);
  ZipArchive(const ZipArchive&) = delete;  // the index looks into the entries
  ZipArchive& operator=(const ZipArchive&) = delete;

  const std::vector<ZipEntry>& entries() const { return entries_; }  // directory order, at least one
  const ZipEntry* Find(std::string_view name) const;                 // null when absent

  // The bytes of an entry, after checking its local header.
  std::span<const std::byte> Payload(const ZipEntry& entry) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, size_t> index_;
};

}  // namespace wildrayzer
