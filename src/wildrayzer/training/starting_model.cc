#include "wildrayzer/training/starting_model.h"

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/models/patch_resize.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

WildRayZer OnCpu(const TrainConfig& config) {
  WildRayZer model(config.model);
  RandomInit(model, config.seed);
  model->train();
  model->RecomputeBlocks(config.recompute_every);
  if (config.init_checkpoint.empty()) return model;
  LoadOptions options;
  options.writable = true;
  options.require_all = false;
  const Checkpoint checkpoint = Checkpoint::Open(config.init_checkpoint);
  ModelConfig stored = config.model;
  stored.patch = ConfigOfCheckpoint(checkpoint).patch;
  if (stored.patch == config.model.patch) {
    LoadWeights(*model, checkpoint, options);
    return model;
  }
  stored.height = config.model.height / config.model.patch * stored.patch;
  stored.width = config.model.width / config.model.patch * stored.patch;
  LogInfo("{}: from patches of {} to patches of {} pixels", config.init_checkpoint, stored.patch,
          config.model.patch);
  WildRayZer before(stored);
  RandomInit(before, config.seed);
  LoadWeights(*before, checkpoint, options);
  CopyResizingPatches(before, model);
  return model;
}

}  // namespace

WildRayZer StartingModel(const TrainConfig& config) {
  WildRayZer model = OnCpu(config);
  model->to(config.device);
  return model;
}

FeatureSource StartingFeatures(const TrainConfig& config) {
  const bool needed = config.model.use_motion && config.model.motion.features == MotionFeatures::kDinov3;
  if (!needed) return FeatureSource();
  if (config.dino.empty()) {
    throw UsageError("the motion estimator sees DINOv3 features: set training.dinov3_path to the folder of " +
                     config.model.dino_model + ", or model.motion.features=own to do without");
  }
  Dinov3LoadOptions options;
  options.device = config.device;
  return FeatureSource(LoadDinov3(config.dino, options));
}

}  // namespace wildrayzer
