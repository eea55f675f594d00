#include "wildrayzer/io/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "wildrayzer/io/tensor_checks.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

torch::Tensor CopyTensor(const TensorEntry& entry, torch::ScalarType type) {
  torch::Tensor tensor = torch::empty(entry.shape, type);
  auto* out = static_cast<std::byte*>(tensor.data_ptr());
  entry.Stream([&](std::span<const std::byte> bytes) {
    std::memcpy(out, bytes.data(), bytes.size());
    out += bytes.size();
  });
  if (type == torch::kBool) {
    // Bytes other than 0 and 1 in a bool are undefined behaviour in C++; a file may hold any byte.
    auto* values = static_cast<unsigned char*>(tensor.data_ptr());
    std::transform(values, values + tensor.numel(), values, [](unsigned char v) { return v != 0 ? 1 : 0; });
  }
  return tensor;
}

}  // namespace

torch::ScalarType TorchType(const std::string& path, const std::string& tensor, DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return torch::kBool;
    case DType::kU8:
      return torch::kUInt8;
    case DType::kI8:
      return torch::kInt8;
    case DType::kI16:
      return torch::kInt16;
    case DType::kI32:
      return torch::kInt32;
    case DType::kI64:
      return torch::kInt64;
    case DType::kF16:
      return torch::kHalf;
    case DType::kBF16:
      return torch::kBFloat16;
    case DType::kF32:
      return torch::kFloat32;
    case DType::kF64:
      return torch::kFloat64;
    case DType::kU16:
    case DType::kU32:
    case DType::kU64:
      break;
  }
  throw FileError(path, "tensor '" + tensor + "' has element type " + std::string(DTypeName(dtype)) +
                            ", which LibTorch does not support");
}

torch::Tensor LoadTensor(const std::shared_ptr<const MappedFile>& mapping, const TensorEntry& entry) {
  const torch::ScalarType type = TorchType(mapping->path(), entry.name, entry.dtype);
  if (entry.numel() == 0) return torch::empty(entry.shape, type);
  const bool aligned =
      reinterpret_cast<uintptr_t>(entry.data) % static_cast<size_t>(DTypeSize(entry.dtype)) == 0;
  if (!entry.contiguous() || !aligned || type == torch::kBool) return CopyTensor(entry, type);
  auto keep = [mapping](void*) {};
  return torch::from_blob(const_cast<std::byte*>(entry.data), entry.shape, keep, type);
}

Checkpoint::Checkpoint(std::string path, OpenedFiles opened)
    : path_(std::move(path)), files_(std::move(opened.files)), archive_(std::move(opened.archive)) {
  for (size_t i = 0; i < files_.size(); ++i) {
    const std::vector<TensorEntry>& tensors = files_[i].tensors();
    for (size_t k = 0; k < tensors.size(); ++k) {
      if (!index_.emplace(tensors[k].name, Position{i, k}).second) {
        throw FileError(files_[i].path(), "tensor '" + tensors[k].name + "' is also in another shard");
      }
      names_.push_back(tensors[k].name);
    }
  }
}

Checkpoint Checkpoint::Open(const std::filesystem::path& path) {
  return Checkpoint(path.string(), OpenTensorFiles(path));
}

const TensorEntry& Checkpoint::Entry(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw FileError(path_, "tensor '" + name + "' is missing");
  return files_[found->second.file].tensors()[found->second.tensor];
}

torch::Tensor Checkpoint::Get(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  return LoadTensor(files_[index_.at(name).file].mapping(), entry);
}

void Checkpoint::CheckFinite(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    if (!AllFinite(Entry(name))) {
      throw FileError(path_,
                      "tensor '" + name + "' contains NaN or infinite values; the weights are damaged");
    }
  }
}

std::string Checkpoint::WeightsHash(std::vector<std::string> names) const {
  std::sort(names.begin(), names.end());
  Sha256 hash;
  for (const std::string& name : names) {
    const TensorEntry& entry = Entry(name);
    const std::string head =
        name + '\0' + std::string(DTypeName(entry.dtype)) + ShapeText(entry.shape) + '\0';
    hash.Update(head.data(), head.size());
    entry.Stream([&](std::span<const std::byte> bytes) { hash.Update(bytes.data(), bytes.size()); });
  }
  return hash.Hex();
}

TensorSource TensorSourceOf(const std::string& name, const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kCPU).contiguous();
  TensorSource source;
  source.name = name;
  switch (flat.scalar_type()) {
    case torch::kFloat32:
      source.dtype = DType::kF32;
      break;
    case torch::kBFloat16:
      source.dtype = DType::kBF16;
      break;
    case torch::kInt64:
      source.dtype = DType::kI64;
      break;
    case torch::kInt8:
      source.dtype = DType::kI8;
      break;
    default:
      throw Error("a checkpoint holds float32, bfloat16, int8 and int64 tensors only");
  }
  source.shape.assign(flat.sizes().begin(), flat.sizes().end());
  source.stream = [flat](const ByteSink& sink) {
    sink({static_cast<const std::byte*>(flat.data_ptr()), static_cast<size_t>(flat.nbytes())});
  };
  return source;
}

}  // namespace wildrayzer
