// wildrayzer worlds --score: a model on worlds that it has not seen.
#pragma once

#include <filesystem>

#include "wildrayzer/training/world_scores.h"

namespace wildrayzer {

// Scores the weights in `model` (training/world_scores.h), prints a table, and writes scores.json into `out`.
void ScoreModelOnWorlds(const std::filesystem::path& model, const WorldScoreOptions& options,
                        torch::Device device, const std::filesystem::path& out);

}  // namespace wildrayzer
