#include <algorithm>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Entries are serialised one by one, in the order in which the data will follow.
std::string HeaderText(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::string text = "{";
  int64_t begin = 0;
  try {
    if (!metadata.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
    for (const TensorSource& tensor : tensors) {
      int64_t end = 0;
      if (!CheckedAdd(begin, tensor.byte_size(), &end))
        throw FileError(path, "more than 2^63 bytes of tensors");
      nlohmann::ordered_json entry;
      entry["dtype"] = DTypeName(tensor.dtype);
      entry["shape"] = tensor.shape;
      entry["data_offsets"] = {begin, end};
      if (text.size() > 1) text += ',';
      text += nlohmann::json(tensor.name).dump() + ":" + entry.dump();
      begin = end;
    }
  } catch (const nlohmann::json::exception&) {
    throw FileError(path, "a tensor name or metadata value is not valid UTF-8");
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

void WriteTensor(AtomicFile* file, const TensorSource& tensor) {
  const uint64_t start = file->size();
  tensor.stream([&](std::span<const std::byte> bytes) { file->Write(bytes); });
  const auto expected = static_cast<uint64_t>(tensor.byte_size());
  if (file->size() - start != expected) {
    throw Error("tensor '" + tensor.name + "' delivered " + std::to_string(file->size() - start) +
                " bytes instead of " + std::to_string(expected));
  }
}

}  // namespace

void WriteSafetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorSource& a, const TensorSource& b) {
    const int64_t size_a = DTypeSize(a.dtype);
    const int64_t size_b = DTypeSize(b.dtype);
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  std::vector<std::string> names;
  for (const TensorSource& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw FileError(path.string(), "two tensors are named '" + *twice + "'");

  if (std::binary_search(names.begin(), names.end(), "__metadata__")) {
    throw FileError(path.string(), "a tensor cannot be named '__metadata__'");
  }
  const std::string header = HeaderText(path.string(), tensors, metadata);
  AtomicFile file(path);
  const uint64_t length = header.size();
  file.Write(&length, sizeof(length));
  file.Write(header);
  for (const TensorSource& tensor : tensors) WriteTensor(&file, tensor);
  file.Commit();
}

}  // namespace wildrayzer
