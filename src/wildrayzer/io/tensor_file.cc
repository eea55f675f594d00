#include "wildrayzer/io/tensor_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// All containers are little-endian and are mapped, not decoded.
static_assert(std::endian::native == std::endian::little);

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int64_t size;
};

constexpr std::array<DTypeInfo, 13> kDTypes = {{{DType::kBool, "BOOL", 1},
                                                {DType::kU8, "U8", 1},
                                                {DType::kI8, "I8", 1},
                                                {DType::kI16, "I16", 2},
                                                {DType::kU16, "U16", 2},
                                                {DType::kI32, "I32", 4},
                                                {DType::kU32, "U32", 4},
                                                {DType::kI64, "I64", 8},
                                                {DType::kU64, "U64", 8},
                                                {DType::kF16, "F16", 2},
                                                {DType::kBF16, "BF16", 2},
                                                {DType::kF32, "F32", 4},
                                                {DType::kF64, "F64", 8}}};

// Gathers strided elements into a bounded buffer.
class StridedReader {
 public:
  StridedReader(const TensorEntry& entry, const ByteSink& sink)
      : entry_(entry), sink_(sink), size_(static_cast<size_t>(DTypeSize(entry.dtype))) {
    buffer_.reserve(kBufferBytes);
  }

  void Run() {
    Visit(0, entry_.data);
    if (!buffer_.empty()) sink_(buffer_);
  }

 private:
  static constexpr size_t kBufferBytes = 1 << 20;

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the rank, which the readers bound.
  void Visit(size_t axis, const std::byte* at) {
    if (axis == entry_.shape.size()) {
      if (buffer_.size() + size_ > kBufferBytes) {
        sink_(buffer_);
        buffer_.clear();
      }
      buffer_.insert(buffer_.end(), at, at + size_);
      return;
    }
    for (int64_t i = 0; i < entry_.shape[axis]; ++i) {
      Visit(axis + 1, at + i * entry_.strides[axis] * static_cast<int64_t>(size_));
    }
  }

  const TensorEntry& entry_;
  const ByteSink& sink_;
  size_t size_;
  std::vector<std::byte> buffer_;
};

}  // namespace

int64_t DTypeSize(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].size; }

std::string_view DTypeName(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

std::optional<int64_t> CheckedNumel(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || !CheckedMultiply(count, size, &count)) return std::nullopt;
  }
  return count;
}

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::vector<int64_t> RowMajorStrides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    // Saturates for empty tensors with huge other sizes, whose strides are never used.
    if (!CheckedMultiply(stride, std::max<int64_t>(shape[i], 1), &stride)) stride = INT64_MAX;
  }
  return strides;
}

int64_t TensorEntry::numel() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

bool TensorEntry::contiguous() const {
  if (numel() == 0) return true;
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

void TensorEntry::Stream(const ByteSink& sink) const {
  if (numel() == 0) return;
  if (contiguous()) {
    sink({data, static_cast<size_t>(byte_size())});
  } else {
    StridedReader(*this, sink).Run();
  }
}

int64_t TensorSource::byte_size() const {
  const std::optional<int64_t> count = CheckedNumel(shape);
  int64_t bytes = 0;
  if (!count || !CheckedMultiply(*count, DTypeSize(dtype), &bytes)) {
    throw Error("tensor '" + name + "' with shape " + ShapeText(shape) + " is too large to be written");
  }
  return bytes;
}

TensorSource TensorSource::Of(const TensorEntry& entry) {
  return {entry.name, entry.dtype, entry.shape, [entry](const ByteSink& sink) { entry.Stream(sink); }};
}

TensorFile::TensorFile(std::shared_ptr<const MappedFile> mapping, std::string format,
                       std::vector<TensorEntry> tensors, std::map<std::string, std::string> metadata)
    : mapping_(std::move(mapping)),
      format_(std::move(format)),
      tensors_(std::move(tensors)),
      metadata_(std::move(metadata)) {
  index_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!index_.emplace(tensors_[i].name, i).second) {
      throw FileError(path(), "two tensors are named '" + tensors_[i].name + "'");
    }
  }
}

const TensorEntry* TensorFile::Find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void RefuseFailedDownload(const MappedFile& file) {
  constexpr size_t kEnough = 512;
  const std::span<const std::byte> bytes = file.bytes().first(std::min(file.bytes().size(), kEnough));
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, 8).find('\0') != std::string::npos)
    return;                                                 // the length that safetensors files begin with
  text.erase(0, text.starts_with("\xef\xbb\xbf") ? 3 : 0);  // byte order mark
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto begins = [&text](std::string_view with) { return text.starts_with(with); };
  if (begins("version https://git-lfs") || begins("version https://hawser")) {
    throw FileError(
        file.path(),
        "is a pointer of Git LFS, not the weights: run `git lfs pull` in the repository that it is "
        "from, or download the file itself");
  }
  if (begins("<")) {  // <!doctype html>, <html>, <head>, <?xml of a storage service
    throw FileError(
        file.path(),
        "is a web page (HTML), not the weights: open its address in a browser; it may ask you to log "
        "in, or to accept a licence");
  }
  if (begins("{\"")) {
    throw FileError(file.path(), "is JSON text, not the weights; it may be a server's message: look at it");
  }
}

}  // namespace wildrayzer
