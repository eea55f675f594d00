// Weights for others to take along while a run goes on: bfloat16, in files small enough for any channel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "wildrayzer/training/optimizer.h"

namespace wildrayzer {

// Where a run writes them, in its folder.
inline constexpr char kShardFolder[] = "shards";

// Largest file, unless a single tensor needs more.
inline constexpr int64_t kShardBytes = 16 << 20;

// Writes `folder`/model-0000i-of-0000n.safetensors and model.safetensors.index.json, the form of sharded
// checkpoints on Hugging Face, which Checkpoint::Open reads; every file carries the model's configuration.
// Matrices are bfloat16, vectors float32, as in ExportModel.
//
// A reader finds the complete old set or the complete new one at any moment: the new one is written to a
// hidden folder beside the old one, and they change places at once (where the file system cannot do that,
// there is no folder for a moment). FileError when the disk is full: the old set is untouched.
void WriteShards(const std::filesystem::path& folder, const NamedParameters& weights,
                 const std::string& model_yaml, int64_t most_bytes = kShardBytes);

// UsageError when `folder` holds what WriteShards has not written, and would remove.
void CheckShardFolder(const std::filesystem::path& folder);

}  // namespace wildrayzer
