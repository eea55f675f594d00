#include "wildrayzer/check/small_models.h"

#include <cmath>
#include <utility>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/worlds/draw_world.h"

namespace wildrayzer {

std::vector<NamedModel> SmallLayouts() {
  ModelConfig codes;
  codes.height = codes.width = 64;
  codes.patch = 8;
  codes.d = 64;
  codes.d_head = 32;
  codes.scene_tokens = 24;
  codes.camera_estimator_layers = 3;
  codes.scene_encoder_layers = codes.renderer_layers = 2;
  codes.use_motion = true;
  codes.token_masking = TokenMasking::kNoise;
  codes.motion.features = MotionFeatures::kOwn;
  codes.motion.dino_width = codes.d;
  codes.motion.feature_layer = 1;
  codes.motion.layers = 1;
  codes.motion.threshold = 0.5;
  ModelConfig tokens = codes;
  tokens.scene = SceneLayout::kTokens;
  tokens.token_masking = TokenMasking::kDrop;
  tokens.view_code = ViewCode::kCanonical;
  tokens.camera_attention = CameraAttention::kAlternating;
  tokens.focal = FocalLength::kCentred;
  tokens.match_views = tokens.adjust_poses = tokens.copy_inputs = tokens.motion.compare = true;
  return {{"codes", codes}, {"tokens", tokens}};
}

WildRayZer LivelyModel(const ModelConfig& config) {
  WildRayZer model(config);
  RandomInit(model, 1);
  const torch::NoGradGuard no_grad;
  for (const auto& item : model->named_parameters()) {
    // The usual start leaves residual branches near zero, where an error would not show.
    torch::Tensor weight = item.value();
    if (weight.dim() == 2)
      FillNormal(weight, 1.0 / std::sqrt(static_cast<double>(weight.size(1))), 2, item.key());
  }
  return model;
}

torch::Tensor RandomValues(std::vector<int64_t> shape, uint64_t seed) {
  torch::Tensor values = torch::empty(shape);
  Random random(seed, "self-check");
  float* out = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<float>(random.Uniform());
  return values;
}

TrainingBatch RandomBatch(const ModelConfig& config, int64_t scenes, int64_t inputs, int64_t targets,
                          torch::Device device) {
  TrainingBatch batch;
  batch.inputs = inputs;
  const int64_t views = inputs + targets;
  batch.clean = RandomValues({scenes, views, 3, config.height, config.width}, 3).to(device);
  batch.pasted_masks = torch::zeros({scenes, views, 1, config.height, config.width});
  batch.pasted_masks.slice(3, config.height / 4, config.height / 2).slice(4, 0, config.width / 2).fill_(1.0);
  batch.pasted_masks = batch.pasted_masks.to(device);
  batch.images = torch::where(batch.pasted_masks.gt(0), 1.0 - batch.clean, batch.clean);
  batch.pasted.assign(static_cast<size_t>(scenes), true);
  batch.dynamic.assign(static_cast<size_t>(scenes), false);
  const torch::Tensor moved = 0.2 * RandomValues({scenes, views, 3, 1}, 4);
  const torch::Tensor rotation = torch::eye(3).expand({scenes, views, 3, 3});
  const torch::Tensor bottom = torch::eye(4).narrow(0, 3, 1).expand({scenes, views, 1, 4});
  batch.c2w = torch::cat({torch::cat({rotation, moved}, 3), bottom}, 2).to(device);
  batch.fxfycxcy = torch::tensor({0.9F, 0.9F, 0.5F, 0.5F}).expand({scenes, views, 4}).to(device);
  return batch;
}

TextureBank SmallBank() {
  TextureSources sources;
  sources.procedural = 24;
  sources.procedural_cutouts = 12;
  return TextureBank::Make(sources, 1, NumThreads());
}

std::vector<World> SmallWorlds(const TextureBank& bank, int count, int views, int side) {
  WorldOptions options;
  options.width = options.height = side;
  options.views = views;
  options.movers = 1;
  std::vector<World> worlds(static_cast<size_t>(count));
  RunParallel(count, NumThreads(), [&](int i) {
    Random random(static_cast<uint64_t>(i), "self-check");
    worlds[static_cast<size_t>(i)] = DrawWorld(bank, options, random);
  });
  return worlds;
}

TrainConfig SmallStage(Stage stage, const ModelConfig& config, torch::Device device) {
  TrainConfig train;
  train.stage = stage;
  train.model = config;
  train.device = device;
  train.seed = 5;
  train.token_dropout = stage == Stage::kMaskedReconstruction ? 0.25 : 0.0;
  train.known_cameras = Ramp::Constant(stage == Stage::kMotionMasks ? 0.0 : 1.0);
  train.loss.motion = StageNeedsMotion(stage) ? 1.0 : 0.0;
  train.loss.static_pixels_only = stage == Stage::kJoint;
  train.loss.psnr_gate = -1000.0;
  train.optimizer.kind = OptimizerKind::kMuon;
  train.optimizer.skip_factor = 1e6;
  return train;
}

}  // namespace wildrayzer
