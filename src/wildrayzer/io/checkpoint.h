// Weights from any of the containers that the world uses, as LibTorch tensors.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "wildrayzer/io/tensor_file.h"
#include "wildrayzer/io/tensor_files.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// LibTorch's type for a file's type; FileError (naming `path` and `tensor`) for the types LibTorch cannot
// hold.
torch::ScalarType TorchType(const std::string& path, const std::string& tensor, DType dtype);

// The tensor that an entry of the mapped file describes, in its own type and shape, row-major. Aligned,
// contiguous data is not copied: the result looks into the read-only mapping (kept alive by the tensor), so
// writing to it crashes - clone() it or copy it into a parameter first.
torch::Tensor LoadTensor(const std::shared_ptr<const MappedFile>& mapping, const TensorEntry& entry);

// A read-only set of named tensors. Cheap to copy. Opening reads names, types and shapes only.
class Checkpoint {
 public:
  // A .safetensors file, a PyTorch checkpoint (.pt, .pth; zip or legacy) or a folder as published on Hugging
  // Face (single file or sharded), or the index of its shards; see OpenTensorFiles. FileError says what is
  // missing, damaged or unsupported.
  static Checkpoint Open(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  // "safetensors", "torch-zip" or "torch-legacy".
  const std::string& format() const { return files_.front().format(); }
  // In file order; for sharded checkpoints shard after shard.
  const std::vector<std::string>& names() const { return names_; }
  bool Has(const std::string& name) const { return index_.contains(name); }
  // Name, type, shape, strides and position without touching the data. FileError when there is no such
  // tensor.
  const TensorEntry& Entry(const std::string& name) const;
  // Free-form strings of the file (of the first shard).
  const std::map<std::string, std::string>& metadata() const { return files_.front().metadata(); }
  const std::vector<TensorFile>& files() const { return files_; }
  // For PyTorch checkpoints the whole saved object (optimizer, counters, ...), else nothing.
  const std::optional<TorchArchive>& archive() const { return archive_; }

  // See LoadTensor. FileError when there is no such tensor.
  torch::Tensor Get(const std::string& name) const;

  // FileError naming the first of these tensors that has a NaN or an infinity; other types than floats always
  // pass.
  void CheckFinite(const std::vector<std::string>& names) const;

  // SHA-256 (hex) over name, type, shape and row-major data of these tensors sorted by name: the same for the
  // same weights in every container.
  std::string WeightsHash(std::vector<std::string> names) const;
  std::string WeightsHash() const { return WeightsHash(names_); }

 private:
  struct Position {
    size_t file;
    size_t tensor;
  };

  Checkpoint(std::string path, OpenedFiles opened);

  std::string path_;
  std::vector<TensorFile> files_;
  std::optional<TorchArchive> archive_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Position> index_;
};

// A tensor of any device as the writers take it; its values may be changed only after the file is written.
// Error for other types than float32, bfloat16, int8 and int64.
TensorSource TensorSourceOf(const std::string& name, const torch::Tensor& tensor);

}  // namespace wildrayzer
