// Zip archives of stored entries, streamed (internal to io/).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/tensor_file.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {

// Entries are written one after the other, payloads aligned to 64 bytes with an extra field "FB" as PyTorch
// does. Sizes are known beforehand, checksums follow the data (data descriptors); Zip64 fields appear where a
// number needs them.
class ZipWriter {
 public:
  explicit ZipWriter(const std::filesystem::path& path) : file_(path) {}

  void Add(const std::string& name, std::string_view content);
  // `stream` must deliver exactly `size` bytes; Error otherwise.
  void Add(const std::string& name, uint64_t size, const std::function<void(const ByteSink&)>& stream);
  // Writes the directory and puts the file under its final name.
  void Commit();

 private:
  struct Entry {
    std::string name;
    uint64_t offset = 0;
    uint64_t size = 0;
    uint32_t crc = 0;
  };

  std::string LocalHeader(const Entry& entry) const;
  static std::string CentralHeader(const Entry& entry);
  static std::string EndRecords(uint64_t count, uint64_t offset, uint64_t size);

  AtomicFile file_;
  std::vector<Entry> entries_;
};

}  // namespace wildrayzer
