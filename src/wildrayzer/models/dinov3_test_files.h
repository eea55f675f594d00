// DINOv3 weight files that the tests write.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/testing/manifest.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// A folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wildrayzer-dinov3-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Two layers, gated, biased queries and values.
inline Dinov3Config TinyConfig() {
  Dinov3Config config;
  config.width = 64;
  config.layers = 2;
  config.heads = 1;
  config.hidden = 96;
  config.registers = 4;
  config.gated = config.silu = true;
  return config;
}

using NamedTensors = std::map<std::string, torch::Tensor>;

// Writes float32 and bfloat16 tensors.
inline void WriteTensors(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor values = tensor.contiguous();
    sources.push_back({name, values.scalar_type() == torch::kBFloat16 ? DType::kBF16 : DType::kF32,
                       values.sizes().vec(), [values](const ByteSink& sink) {
                         sink({static_cast<const std::byte*>(values.data_ptr()), values.nbytes()});
                       }});
  }
  WriteSafetensors(path, sources);
}

// The tensors of a list of generated weights in the original release's layout, with the buffers that it has
// besides (periods of RoPE, the mask of the qkv bias).
inline void WriteMetaSafetensors(const std::filesystem::path& path,
                                 const std::vector<testing::ManifestEntry>& manifest, int64_t periods) {
  NamedTensors tensors;
  for (const testing::ManifestEntry& entry : manifest) {
    tensors[entry.name] = testing::Generate(entry);
    if (entry.name.ends_with("attn.qkv.bias")) tensors[entry.name + "_mask"] = torch::zeros(entry.shape);
  }
  tensors["rope_embed.periods"] = torch::ones({periods});
  WriteTensors(path, tensors);
}

}  // namespace wildrayzer
