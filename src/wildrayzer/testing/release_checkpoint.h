// Full-size checkpoints in the published layout, with generated weights, so that no released file is needed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/io/torch_writer.h"

namespace wildrayzer::testing {

// The state dict that state_dict_manifest.json lists for `model` ("stage1_rayzer", "stage2_motion_mask",
// "stage3_joint", "inference_v3"), in its order: the loss network's tensors (zeros) and second names
// included. Weights are generated under "wr/NAME" by the rules of the golden README, so they equal
// wildrayzer_v3.weights.json wherever the shapes agree. Nothing is generated before a source is streamed.
std::vector<TensorSource> ReleaseStateDict(const std::filesystem::path& state_dict_manifest,
                                           const std::string& model,
                                           const std::filesystem::path& weights_manifest);

// Writes a training checkpoint: "model", "optimizer" (AdamW moments of every trainable parameter, zeros),
// "lr_scheduler" and the two counters. The stage 3 model takes 4 GB.
void WriteReleaseCheckpoint(const std::filesystem::path& path,
                            const std::filesystem::path& state_dict_manifest, const std::string& model,
                            const std::filesystem::path& weights_manifest);

}  // namespace wildrayzer::testing
