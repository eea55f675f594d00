#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/safetensors_appender.h"
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

SafetensorsAppender::SafetensorsAppender(const std::filesystem::path& path)
    : path_(path.string()), file_(path), begin_(kHeaderBytes) {
  file_.Write(std::string(kHeaderBytes, ' '));
}

void SafetensorsAppender::Write(std::span<const std::byte> bytes) { file_.Write(bytes); }

void SafetensorsAppender::Truncate(int64_t size) { file_.Truncate(static_cast<uint64_t>(begin_ + size)); }

void SafetensorsAppender::EndTensor(const std::string& name, DType dtype, std::vector<int64_t> shape) {
  const TensorSource tensor{name, dtype, std::move(shape), {}};
  if (tensor.byte_size() != size()) {
    throw Error("tensor '" + name + "' has " + std::to_string(size()) + " bytes instead of " +
                std::to_string(tensor.byte_size()));
  }
  tensors_.push_back(tensor);
  begin_ = static_cast<int64_t>(file_.size());
}

void SafetensorsAppender::Commit(const std::map<std::string, std::string>& metadata) {
  const uint64_t length = kHeaderBytes - sizeof(length);
  std::string header = HeaderText(path_, tensors_, metadata);
  if (header.size() > length) throw FileError(path_, "the header has no room for so many tensors");
  header.resize(length, ' ');
  std::string prefix(sizeof(length), '\0');
  std::memcpy(prefix.data(), &length, sizeof(length));
  file_.Overwrite(0, prefix + header);
  file_.Commit();
}

}  // namespace wildrayzer
