#include "wildrayzer/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>

#include "wildrayzer/io/safetensors_header.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// Number of header bytes; the header starts right after the length itself.
uint64_t HeaderLength(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < kLengthBytes) {
    throw FileError(file.path(), "too short for a safetensors file; is the download incomplete?");
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    throw FileError(file.path(), "not a safetensors file, or damaged: it declares a header of " +
                                     std::to_string(length) + " bytes");
  }
  if (length > bytes.size() - kLengthBytes) {
    throw FileError(file.path(), "the safetensors header is cut off; is the download incomplete?");
  }
  return length;
}

// Format rules 3 and 5: sorted ranges must tile the data buffer exactly.
void CheckRanges(const std::string& path, const std::vector<HeaderTensor>& tensors, int64_t data_bytes) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) < std::pair(tensors[b].begin, tensors[b].end);
  });
  int64_t expected = 0;
  for (const size_t i : order) {
    const HeaderTensor& tensor = tensors[i];
    if (tensor.end < tensor.begin) {
      throw FileError(path, "tensor '" + tensor.name + "' ends before it begins");
    }
    if (tensor.begin != expected) {
      throw FileError(path,
                      "tensor '" + tensor.name + "' " +
                          (tensor.begin < expected ? "overlaps another tensor" : "leaves a hole before it"));
    }
    if (tensor.end > data_bytes) {
      throw FileError(path, "tensor '" + tensor.name + "' leaves the file; is the download incomplete?");
    }
    expected = tensor.end;
  }
  if (expected != data_bytes) {
    throw FileError(path, std::to_string(data_bytes - expected) + " bytes follow the last tensor");
  }
}

// Format rule 4: the range must hold exactly the elements of the shape.
void CheckSize(const std::string& path, const HeaderTensor& tensor) {
  const std::optional<int64_t> count = CheckedNumel(tensor.shape);
  int64_t bytes = 0;
  if (!count || !CheckedMultiply(*count, DTypeSize(tensor.dtype), &bytes)) {
    throw FileError(path, "tensor '" + tensor.name + "' has the impossible shape " + ShapeText(tensor.shape));
  }
  if (tensor.end - tensor.begin != bytes) {
    throw FileError(path, "tensor '" + tensor.name + "' with shape " + ShapeText(tensor.shape) + " needs " +
                              std::to_string(bytes) + " bytes but its range has " +
                              std::to_string(tensor.end - tensor.begin));
  }
}

}  // namespace

TensorFile ParseSafetensors(std::shared_ptr<const MappedFile> file) {
  RefuseFailedDownload(*file);
  const uint64_t length = HeaderLength(*file);
  const std::span<const std::byte> bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  SafetensorsHeader header = ParseSafetensorsHeader(file->path(), text);

  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  CheckRanges(file->path(), header.tensors, static_cast<int64_t>(data.size()));
  std::vector<TensorEntry> entries;
  entries.reserve(header.tensors.size());
  for (HeaderTensor& tensor : header.tensors) {
    CheckSize(file->path(), tensor);
    std::vector<int64_t> strides = RowMajorStrides(tensor.shape);
    entries.push_back({std::move(tensor.name), tensor.dtype, std::move(tensor.shape), std::move(strides),
                       data.data() + tensor.begin});
  }
  return TensorFile(std::move(file), "safetensors", std::move(entries), std::move(header.metadata));
}

TensorFile OpenSafetensors(const std::filesystem::path& path) {
  return ParseSafetensors(MappedFile::Open(path));
}

}  // namespace wildrayzer
