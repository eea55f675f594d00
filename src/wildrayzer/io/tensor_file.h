// What all tensor containers (safetensors, PyTorch archives) have in common: named, typed, strided views of a
// mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wildrayzer/io/mapped_file.h"

namespace wildrayzer {

enum class DType { kBool, kU8, kI8, kI16, kU16, kI32, kU32, kI64, kU64, kF16, kBF16, kF32, kF64 };

// Bytes of one element.
int64_t DTypeSize(DType dtype);
// The safetensors spelling: "F32", "BF16", "BOOL", ...
std::string_view DTypeName(DType dtype);
// Inverse of DTypeName; nothing for a name that is not in the enumeration.
std::optional<DType> DTypeFromName(std::string_view name);

// Checked arithmetic for numbers that come out of files: false when the exact result does not fit.
[[nodiscard]] inline bool CheckedMultiply(int64_t a, int64_t b, int64_t* result) {
  return !__builtin_mul_overflow(a, b, result);
}
[[nodiscard]] inline bool CheckedAdd(int64_t a, int64_t b, int64_t* result) {
  return !__builtin_add_overflow(a, b, result);
}
// Product of the sizes (1 for rank 0); nothing when a size is negative or the product exceeds 63 bits.
std::optional<int64_t> CheckedNumel(std::span<const int64_t> shape);

// "[3, 4]"; "[]" for a scalar.
std::string ShapeText(std::span<const int64_t> shape);

// Strides (in elements) of a row-major tensor.
std::vector<int64_t> RowMajorStrides(std::span<const int64_t> shape);

// Receives the bytes of a tensor piece by piece, in row-major order, little-endian.
using ByteSink = std::function<void(std::span<const std::byte>)>;

// FileError when the file is what people find in the place of weights that were not downloaded: the pointer
// of Git LFS, a web page, or a message in JSON.
void RefuseFailedDownload(const MappedFile& file);

// One tensor of a file. Element (i0, ...) lies at data + DTypeSize * sum(i_k * strides_k). The reader has
// checked that every element is inside the file; the address may be unaligned.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements, >= 0
  const std::byte* data = nullptr;

  int64_t numel() const;
  int64_t byte_size() const { return numel() * DTypeSize(dtype); }
  // Row-major without gaps (dimensions of size 1 may have any stride; an empty tensor is contiguous).
  bool contiguous() const;
  // Feeds the elements in row-major order to `sink`, whatever the strides.
  void Stream(const ByteSink& sink) const;
};

// A tensor to be written: `stream` is called once, when its turn comes, and must deliver exactly
// numel(shape) * DTypeSize(dtype) bytes, so that converters never hold more than one tensor in memory.
struct TensorSource {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::function<void(const ByteSink&)> stream;

  // Bytes that `stream` has to deliver.
  int64_t byte_size() const;
  // The tensor as it stands in a file; the file must stay open until the writer is done.
  static TensorSource Of(const TensorEntry& entry);
};

// The tensors of one opened file. Cheap to copy; keeps the mapping alive. No tensor data has been read.
class TensorFile {
 public:
  // `format` is "safetensors", "torch-zip" or "torch-legacy".
  TensorFile(std::shared_ptr<const MappedFile> mapping, std::string format, std::vector<TensorEntry> tensors,
             std::map<std::string, std::string> metadata);

  const std::string& path() const { return mapping_->path(); }
  const std::string& format() const { return format_; }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // file order
  const TensorEntry* Find(std::string_view name) const;                 // null when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::shared_ptr<const MappedFile>& mapping() const { return mapping_; }

 private:
  std::shared_ptr<const MappedFile> mapping_;
  std::string format_;
  std::vector<TensorEntry> tensors_;
  std::map<std::string, std::string> metadata_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace wildrayzer
