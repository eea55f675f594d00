// Models, batches and worlds of the self-check.
#pragma once

#include <string>
#include <vector>

#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/training/stage.h"
#include "wildrayzer/training/train_config.h"
#include "wildrayzer/training/training_batch.h"
#include "wildrayzer/worlds/texture_bank.h"
#include "wildrayzer/worlds/world.h"

namespace wildrayzer {

// A layout of the model, small; with a motion estimator that reads its own features.
struct NamedModel {
  std::string name;
  ModelConfig config;
};
// The paper's (codes, noise token) and ours (tokens, dropped ones leave, alternating attention).
std::vector<NamedModel> SmallLayouts();

// Random weights in which every part matters, on the processor.
WildRayZer LivelyModel(const ModelConfig& config);

// Numbers in [0, 1) that depend on seed and shape alone.
torch::Tensor RandomValues(std::vector<int64_t> shape, uint64_t seed);

// `scenes` scenes of `inputs` and `targets` views with cameras, in which what moves is known (pasted).
TrainingBatch RandomBatch(const ModelConfig& config, int64_t scenes, int64_t inputs, int64_t targets,
                          torch::Device device);

// A few textures, and worlds in all of which something moves.
TextureBank SmallBank();
std::vector<World> SmallWorlds(const TextureBank& bank, int count, int views, int side);

// A training stage of such a model; stage 4's gate is open.
TrainConfig SmallStage(Stage stage, const ModelConfig& config, torch::Device device);

}  // namespace wildrayzer
