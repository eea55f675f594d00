// Loading DINOv3 from the published files.
#pragma once

#include <filesystem>
#include <string>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/dinov3_names.h"

namespace wildrayzer {

struct Dinov3LoadOptions {
  // Of the matrices: float32 or bfloat16, or int8 for those of the blocks and float32 for the patch
  // projection. Vectors (norms, biases, tokens) are always float32.
  torch::ScalarType dtype = torch::kFloat32;
  // Matrices that the file has in int8 stay so, whatever `dtype`.
  bool keep_int8 = false;
  torch::Device device = torch::kCPU;
  // RoPE periods rounded to bfloat16, as torch.hub computes; see Dinov3Config.
  bool bf16_periods = false;
};

// Sizes of the model in `checkpoint`, read off the shapes. The number of heads is not in the shapes: it comes
// from the length of the RoPE periods (original layout), else from the released size of this width, else
// heads of 64. FileError when the tensors are not DINOv3's.
Dinov3Config GuessDinov3Config(const Checkpoint& checkpoint, const Dinov3Names& names);

// Loads a Hugging Face folder (config.json with model.safetensors or shards), a .safetensors file, or a Meta
// .pth/.pt. A config.json in the folder, or beside a file named model.safetensors, decides the sizes; else
// they are guessed.
//
// Memory: float32 tensors are used where the file is mapped, without a copy: pages come from disk when a
// layer first needs them and may leave again under pressure, so the float32 ViT-7B (27 GB) runs on a machine
// that has less memory; so are matrices in int8, which make that model 6.8 GB. Tensors that need conversion
// are converted one by one; the largest copy at any time is one matrix. FileError names the first missing,
// unexpected, duplicate or misshaped tensor, or says what to download when `path` does not exist.
Dinov3 LoadDinov3(const std::filesystem::path& path, const Dinov3LoadOptions& options = {});
Dinov3 LoadDinov3(const Checkpoint& checkpoint, const Dinov3Config& config,
                  const Dinov3LoadOptions& options = {});

// A model of reproducible random parameters in the same types, for runs without weights.
Dinov3 RandomDinov3(const Dinov3Config& config, uint64_t seed, const Dinov3LoadOptions& options = {});

// True when the tensors have the names of a DINOv3 checkpoint, in either layout.
bool IsDinov3(const Checkpoint& checkpoint);

}  // namespace wildrayzer
