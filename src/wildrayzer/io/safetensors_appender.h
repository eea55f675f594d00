// Writes a safetensors file whose tensors are not known beforehand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/tensor_file.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {

// The data comes first; the header is written last, into a place of kHeaderBytes that was kept for it. So the
// file holds a few tensors of any size, in the order in which they were written. It appears when Commit() is
// called, and leaves nothing behind otherwise. FileError when the disk is full.
class SafetensorsAppender {
 public:
  static constexpr uint64_t kHeaderBytes = 1024;  // with the eight of its length

  explicit SafetensorsAppender(const std::filesystem::path& path);

  // Appends to the tensor that is being written, row-major and little-endian.
  void Write(std::span<const std::byte> bytes);
  // Bytes of this tensor so far; and taking back what follows the first `size` of them.
  int64_t size() const { return static_cast<int64_t>(file_.size()) - begin_; }
  void Truncate(int64_t size);
  // Ends it; raises Error unless it has as many bytes as its shape needs. The next one begins.
  void EndTensor(const std::string& name, DType dtype, std::vector<int64_t> shape);
  // Writes the header. Raises FileError when it is too long for its place.
  void Commit(const std::map<std::string, std::string>& metadata);

 private:
  std::string path_;
  AtomicFile file_;
  int64_t begin_ = 0;                  // of the tensor that is being written
  std::vector<TensorSource> tensors_;  // what the header says of the others
};

}  // namespace wildrayzer
