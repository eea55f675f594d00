// Finding and opening the files of a checkpoint, whatever its container.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "wildrayzer/io/tensor_file.h"
#include "wildrayzer/io/torch_archive.h"

namespace wildrayzer {

struct OpenedFiles {
  std::vector<TensorFile> files;  // one, or the shards in alphabetical order
  std::optional<TorchArchive>
      archive;  // for PyTorch files: the whole object, for what is not in the state dict
};

// Opens
//   a file: .safetensors, or a PyTorch checkpoint (zip or legacy), told apart by content;
//   an index of shards: NAME.index.json;
//   a folder as published on Hugging Face: model.safetensors, else the shards of
//   model.safetensors.index.json, else the same of pytorch_model.bin, else the only .safetensors file in it.
// Rules for an index: plain shard names with an ending of safetensors or PyTorch; every listed tensor in the
// shard that the index names; no tensor in two shards. Unlisted tensors, and a metadata.total_size that is
// not the sum of all tensor bytes, are warned of. In a single file the names that safetensors' save_model
// leaves out, because another name has the same tensor, are told by its metadata and given back. FileError
// for everything that is missing, damaged or ambiguous.
OpenedFiles OpenTensorFiles(const std::filesystem::path& path);

}  // namespace wildrayzer
