// The folder of a training run: its checkpoints, and whether a run may write there at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wildrayzer {

// The checkpoints that runs have saved in this folder, step_0000001234.safetensors, in the order of steps.
// Files of other names, a checkpoint that somebody put aside as step_best.safetensors for instance, are none.
std::vector<std::filesystem::path> CheckpointsIn(const std::filesystem::path& folder);

// Raises UsageError, naming the file, when a stage trained in `folder` would write over something that it
// does not go on from: checkpoints without `resume`; a model, a report or somebody else's log without
// checkpoints.
void CheckRunFolder(const std::filesystem::path& folder, bool resume);

// The same of the folder around a recipe's parts, which gets the last one's model and a report.
void CheckRecipeFolder(const std::filesystem::path& folder, const std::vector<std::string>& parts);

}  // namespace wildrayzer
