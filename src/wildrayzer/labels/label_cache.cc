#include "wildrayzer/labels/label_cache.h"

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

constexpr char kMasks[] = "masks", kPsnr[] = "psnr";
constexpr char kKey[] = "wildrayzer.labels", kChecksum[] = "sha256";

std::string Checksum(const TargetLabels& labels) {
  Sha256 hash;
  hash.Update(labels.masks.data_ptr(), labels.masks.nbytes());
  hash.Update(labels.psnr.data_ptr(), labels.psnr.nbytes());
  return hash.Hex();
}

TensorSource Source(const char* name, DType dtype, const torch::Tensor& tensor) {
  return {name, dtype, tensor.sizes().vec(), [tensor](const ByteSink& sink) {
            sink({static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()});
          }};
}

// The stored string, empty when absent.
std::string Stored(const Checkpoint& file, const char* name) {
  const auto found = file.metadata().find(name);
  return found == file.metadata().end() ? "" : found->second;
}

}  // namespace

std::filesystem::path LabelCachePath(const std::filesystem::path& folder, const std::string& key) {
  Sha256 hash;
  hash.Update(key.data(), key.size());
  const std::string name = hash.Hex();
  return folder / name.substr(0, 2) / (name + ".safetensors");
}

void WriteCachedLabels(const std::filesystem::path& path, const std::string& key,
                       const TargetLabels& labels) {
  std::error_code ignored;  // the writer says what is wrong
  std::filesystem::create_directories(path.parent_path(), ignored);
  WriteSafetensors(path, {Source(kMasks, DType::kU8, labels.masks), Source(kPsnr, DType::kF32, labels.psnr)},
                   {{kKey, key}, {kChecksum, Checksum(labels)}});
}

std::optional<TargetLabels> ReadCachedLabels(const std::filesystem::path& path, const std::string& key,
                                             at::IntArrayRef mask_shape) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Checkpoint file = Checkpoint::Open(path);
  if (Stored(file, kKey) != key) throw FileError(path.string(), "holds labels of other views or options");
  TargetLabels labels{file.Get(kMasks).clone(), file.Get(kPsnr).clone()};
  if (labels.masks.scalar_type() != torch::kUInt8 || labels.masks.sizes() != mask_shape ||
      labels.psnr.scalar_type() != torch::kFloat32 || labels.psnr.sizes() != mask_shape.slice(0, 1)) {
    throw FileError(path.string(), "holds labels of another type or size");
  }
  if (Stored(file, kChecksum) != Checksum(labels)) {
    throw FileError(path.string(), "the labels do not match their checksum");
  }
  return labels;
}

}  // namespace wildrayzer
