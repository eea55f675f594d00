#include "wildrayzer/training/train_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/data/data_config.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/training/config_values.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Keys of the release's files that change nothing here: other services, other hardware, other habits of
// loading, or settings that the release itself does not read. KeysWithoutEffect names those that a file has.
constexpr const char* kWithoutEffect[] = {"model.input_with_pe",
                                          "model.pose_latent.length",
                                          "model.camera_estimator.n_layers",
                                          "model.camera_estimator.use_qk_norm",
                                          "model.camera_estimator.canonical_view",
                                          "model.transformer.fix_decoder",
                                          "model.use_find_unused_parameters",
                                          "model.motion_mask_only_training",
                                          "model.use_dinov3_pseudolabel",
                                          "model.dinov3_pseudolabel.use_ssim",
                                          "model.dinov3_pseudolabel.target_size",
                                          "model.dinov3_pseudolabel.use_coseg_binary",
                                          "model.dinov3_pseudolabel.enable_mask_cache",
                                          "model.dinov3_pseudolabel.motion_mask_threshold",
                                          "model.dinov3_pseudolabel.w_dino",
                                          "model.dre10k_random_dropout",
                                          "model.dre10k_dropout_ratio",
                                          "training.save_evaluations",
                                          "training.log_render_to_wandb",
                                          "training.log_render_every",
                                          "training.max_wandb_images",
                                          "training.api_key_path",
                                          "training.center_crop",
                                          "training.scene_scale_factor",
                                          "training.dynamic_scene_scale_factor",
                                          "training.static_scene_scale_factor",
                                          "training.dataset_name",
                                          "training.num_threads",
                                          "training.num_views",
                                          "training.prefetch_factor",
                                          "training.render_interpolate",
                                          "training.random_split",
                                          "training.target_has_input",
                                          "training.use_rel_pose",
                                          "training.use_tf32",
                                          "training.wandb_exp_name",
                                          "training.wandb_log_every",
                                          "training.wandb_project",
                                          "training.lpips_loss_weight",
                                          "training.checkpoint_dir",
                                          "training.view_selector.type",
                                          "training.view_selector_dynamic.type",
                                          "training.view_selector_static.type",
                                          "training.copy_paste.generate_overlay_masks"};

// A key of the release that decides only where ours is absent.
struct Superseded {
  const char* key;
  const char* by;
};
constexpr Superseded kSuperseded[] = {
    {"model.class_name", "model.motion.cross_view"},
    {"training.copy_paste.per_view_objects", "training.copy_paste.per_view_objects_prob"}};

Precision ReadPrecision(const Config& config, torch::Device device) {
  const auto type = config.Get<std::string>("training.amp_dtype", "bf16");
  if (type != "bf16" && type != "fp32") {
    throw UsageError(
        fmt::format("{}: key 'training.amp_dtype' is '{}', it must be bf16 or fp32", config.name(), type));
  }
  if (!config.Get<bool>("training.use_amp", true) || type == "fp32") return Precision::kFp32;
  if (!HasFastBf16(device)) {
    LogWarning("{} does not multiply bfloat16; training in fp32", DeviceName(device));
    return Precision::kFp32;
  }
  return Precision::kBf16;
}

void ReadOptimization(const Config& config, TrainConfig& train) {
  OptimizerOptions& optimizer = train.optimizer;
  const auto kind = config.Get<std::string>("training.optimizer", "adamw");
  if (kind != "adamw" && kind != "muon") {
    throw UsageError(
        fmt::format("{}: key 'training.optimizer' is '{}', it must be adamw or muon", config.name(), kind));
  }
  optimizer.kind = kind == "muon" ? OptimizerKind::kMuon : OptimizerKind::kAdamW;
  optimizer.beta1 = Bounded(config, "training.beta1", optimizer.beta1, 0.0, 0.9999);
  optimizer.beta2 = Bounded(config, "training.beta2", optimizer.beta2, 0.0, 0.99999);
  optimizer.weight_decay = Bounded(config, "training.weight_decay", optimizer.weight_decay, 0.0, 10.0);
  optimizer.muon_rate_ratio = Bounded(config, "training.muon_lr_ratio", optimizer.muon_rate_ratio, 1e-6, 1e6);
  optimizer.muon_bf16 = train.precision == Precision::kBf16;
  optimizer.clip_norm = Bounded(config, "training.grad_clip_norm", optimizer.clip_norm, 1e-6, 1e12);
  optimizer.skip_factor =
      Bounded(config, "training.allowed_gradnorm_factor", optimizer.skip_factor, 1.0, 1e12);
  train.lr = Bounded(config, "training.lr", train.lr, 0.0, 10.0);
  train.time_budget = ReadDuration(config, "training.time_budget");
  constexpr int64_t kMostSteps = 1'000'000'000;
  train.schedule.total_steps = Bounded<int64_t>(config, "training.train_steps",
                                                train.time_budget > 0 ? kMostSteps : 1000, 1, kMostSteps);
  train.schedule.warmup_steps = Bounded<int64_t>(config, "training.warmup", 0, 0, train.schedule.total_steps);
  train.schedule.final_factor = Bounded(config, "training.final_lr_factor", 0.0, 0.0, 1.0);
  train.accumulation = Bounded(config, "training.grad_accum_steps", 1, 1, 4096);
  train.recompute_every = Bounded<int64_t>(config, "training.grad_checkpoint_every", 0, 0, 1000);
  train.ema_decay = Bounded(config, "training.ema_decay", 0.0, 0.0, 0.999999);
}

void ReadLosses(const Config& config, TrainConfig& train) {
  LossOptions& loss = train.loss;
  const bool masks_only = train.stage == Stage::kMotionMasks;
  const bool joint = train.stage == Stage::kJoint;
  loss.mse = Bounded(config, "training.l2_loss_weight", masks_only ? 0.0 : 1.0, 0.0, 1e6);
  loss.perceptual = Bounded(config, "training.perceptual_loss_weight", masks_only ? 0.0 : 0.2, 0.0, 1e6);
  loss.motion = Bounded(config, "training.mask_distill_loss_weight", 1.0, 0.0, 1e6);
  loss.dynamic_scenes = Bounded(config, "training.dynamic_loss_weight", 1.0, 0.0, 1e6);
  loss.other_scenes = Bounded(config, "training.static_loss_weight", 1.0, 0.0, 1e6);
  loss.static_pixels_only = config.Get<bool>("training.use_masked_reconstruction_loss", joint);
  if (!joint) loss.static_pixels_only = false;
  loss.motion_threshold =
      Bounded(config, "training.motion_mask_threshold", train.model.motion.threshold, 0.0, 1.0);
  const double gate = Bounded(config, "training.psnr_filter_threshold", 17.0, -1000.0, 1000.0);
  if (StageNeedsMotion(train.stage)) loss.psnr_gate = gate;
  loss.mask_positive_weight = Bounded(config, "training.mask_positive_weight", 1.0, 1e-3, 1e3);
  loss.mask_dice = Bounded(config, "training.mask_dice_weight", 0.0, 0.0, 1e3);
  loss.masks_as_inputs = Bounded(config, "training.mask_loss_as_inputs", 0.0, 0.0, 1.0);
  const auto vgg = config.Get<std::string>("training.vgg_path", "");
  if (!vgg.empty()) train.vgg = vgg;
}

void ReadLabels(const Config& config, TrainConfig& train) {
  const std::string key = "model.dinov3_pseudolabel.";
  LabelOptions& labels = train.labels;
  const auto weights =
      config.Get<std::string>(key + "weights", config.Has(key + "w_ssim") ? "fixed" : "adaptive");
  if (weights != "fixed" && weights != "adaptive") {
    throw UsageError(fmt::format("{}: key '{}weights' is '{}', it must be adaptive or fixed", config.name(),
                                 key, weights));
  }
  labels.weights = weights == "fixed" ? SaliencyWeights::kFixed : SaliencyWeights::kAdaptive;
  labels.fixed_ssim_weight = Bounded(config, key + "w_ssim", labels.fixed_ssim_weight, 0.0, 1.0);
  labels.clusters = Bounded(config, key + "coseg_k", labels.clusters, 1, 65536);
  labels.selection.frames_needed =
      Bounded(config, key + "coseg_consistency_min_frames", labels.selection.frames_needed, 1, 65536);
  labels.selection.frame_quantile =
      Bounded(config, key + "coseg_frame_saliency_quantile", labels.selection.frame_quantile, 0.0, 1.0);
  labels.selection.top_share =
      Bounded(config, key + "coseg_cluster_top_percent", labels.selection.top_share, 0.0, 1.0);
  Bounded(config, key + "coseg_morph_kernel", 3, 3, 3);
  Bounded(config, key + "coseg_morph_iters", 1, 1, 1);
  Bounded(config, key + "coseg_grabcut_kernel", 7, 7, 7);
  labels.grabcut = config.Get<bool>(key + "coseg_grabcut", true);
  labels.min_area = Bounded(config, key + "coseg_min_component_area_ratio", labels.min_area, 0.0, 1.0);
  labels.seed = train.seed;
  labels.Validate();
  train.label_cache = config.Get<std::string>(key + "mask_cache_dir", "");
  if (train.stage == Stage::kMotionMasks && !train.label_cache.empty() && train.loader.augment.Any()) {
    throw UsageError(fmt::format(
        "{}: key '{}mask_cache_dir': labels of augmented pictures fit no other ones; leave it out, or "
        "training.augment",
        config.name(), key));
  }
  train.dino = config.Get<std::string>("training.dinov3_path", "");
}

void ReadReporting(const Config& config, TrainConfig& train) {
  train.checkpoint_every = Bounded<int64_t>(config, "training.checkpoint_every", 1000, 1, 1'000'000'000);
  train.export_every = ReadDuration(config, "training.export_every");
  train.keep_checkpoints = Bounded(config, "training.keep_checkpoints", 2, 1, 1000);
  train.print_every = Bounded<int64_t>(config, "training.print_every", 20, 1, 1'000'000'000);
  train.picture_every = Bounded<int64_t>(config, "training.vis_every", 500, 1, 1'000'000'000);
  ValidationOptions& validation = train.validation;
  validation.scenes = config.Get<std::string>("training.validation.path", "");
  validation.view_index = config.Get<std::string>("training.validation.view_index", "");
  validation.masks = config.Get<std::string>("training.validation.masks", "");
  validation.every = Bounded<int64_t>(config, "training.validation.every", 0, 0, 1'000'000'000);
  validation.max_scenes = Bounded(config, "training.validation.scenes", validation.max_scenes, 1, 100000);
  validation.inputs =
      Bounded(config, "training.validation.num_input_views", train.loader.input_counts[0], 2, 64);
  validation.targets = Bounded(config, "training.validation.num_target_views", validation.targets, 1, 64);
  WorldScoreOptions& worlds = validation.worlds;
  worlds.worlds = Bounded(config, "training.validation.worlds", 0, 0, 100000);
  worlds.seed = config.Get<uint64_t>("training.validation.worlds_seed", worlds.seed);
  // As many views as training has at most: a model that has seen pairs alone knows nothing else.
  worlds.inputs = std::min(validation.inputs, std::max(1, train.worlds.views - 1));
  worlds.targets = std::max(1, train.worlds.views - worlds.inputs);
  worlds.drawn = train.worlds.drawn;
  worlds.drawn.min_overlap = train.worlds.min_overlap.end;
  worlds.textures = train.worlds.textures;
}

void RefuseUnknownKeys(const Config& config) {
  for (const char* key : kWithoutEffect) config.Get<YAML::Node>(key, {});
  for (const Superseded& pair : kSuperseded) config.Get<YAML::Node>(pair.key, {});
  for (const std::string& key : config.UnusedKeys()) {
    if (key.starts_with("model.") || key.starts_with("training.")) {
      throw UsageError(
          fmt::format("{}: key '{}' is unknown; configs/README.md lists the keys", config.name(), key));
    }
  }
}

}  // namespace

std::vector<std::string> KeysWithoutEffect(const Config& config) {
  std::vector<std::string> keys;
  for (const char* key : kWithoutEffect) {
    if (config.Has(key)) keys.emplace_back(key);
  }
  for (const Superseded& pair : kSuperseded) {
    if (config.Has(pair.key) && config.Has(pair.by)) keys.emplace_back(pair.key);
  }
  return keys;
}

Stage StageOf(const Config& config) {
  if (config.Has("training.stage")) return static_cast<Stage>(Bounded(config, "training.stage", 1, 0, 4));
  if (!config.Get<bool>("model.use_motion_mask", false)) return Stage::kPretraining;
  if (config.Get<bool>("training.motion_mask_only_training", false)) return Stage::kMotionMasks;
  const bool pastes = config.Get<bool>("training.copy_paste.enabled", false);
  return pastes ? Stage::kJoint : Stage::kMaskedReconstruction;
}

TrainConfig TrainConfig::Read(const Config& config, torch::Device device) {
  TrainConfig train;
  train.device = device;
  train.stage = StageOf(config);
  config.Get<bool>("training.motion_mask_only_training", false);
  train.model = ModelConfig::FromConfig(config);
  if (StageNeedsMotion(train.stage) && !train.model.use_motion) {
    throw UsageError(fmt::format("{}: stage {} trains the motion estimator; set model.use_motion_mask: true",
                                 config.name(), static_cast<int>(train.stage)));
  }
  // A motion estimator that nothing has taught yet would hide random patches from the renderer.
  if (train.stage == Stage::kCameraWarmup || train.stage == Stage::kPretraining)
    train.model.use_motion = false;
  train.loader = ReadLoaderOptions(config);
  train.seed = train.loader.seed;
  if (train.stage == Stage::kPretraining || train.stage == Stage::kCameraWarmup)
    train.loader.dynamic_ratio = 0;
  train.loader.view.width = static_cast<int>(train.model.width);
  train.loader.view.height = static_cast<int>(train.model.height);
  const auto patch = static_cast<int>(train.model.patch);
  for (const FrameShape& shape : train.model.TrainingShapes())
    train.loader.sizes.push_back({shape.columns * patch, shape.rows * patch});
  train.precision = ReadPrecision(config, device);
  ReadOptimization(config, train);
  ReadLosses(config, train);
  ReadLabels(config, train);
  const bool boxes =
      config.Get<bool>("model.re10k_random_dropout", train.stage == Stage::kMaskedReconstruction);
  const double share = Bounded(config, "model.re10k_dropout_ratio", 0.1, 0.0, 0.9);
  train.token_dropout = boxes && train.stage == Stage::kMaskedReconstruction ? share : 0.0;
  train.worlds = ReadWorldTraining(config, train.stage == Stage::kCameraWarmup ? train.loader.batch_size : 0);
  if (train.worlds.look_attention.IsEverPositive() && train.model.scene != SceneLayout::kTokens) {
    throw UsageError(
        config.name() +
        ": training.worlds.look_attention needs model.scene: tokens, whose renderer looks at the inputs");
  }
  if (!train.HasScenes() && train.worlds.scenes == 0) {
    throw UsageError(config.name() +
                     ": no data: set training.dataset_path, or static_re10k_path and dynamic_re10k_path, or "
                     "training.worlds.scenes");
  }
  train.masks_teach_tokens = config.Get<bool>("training.masks_teach_tokens", train.masks_teach_tokens);
  train.known_cameras = ReadRamp(config, "training.known_camera_weight", 0.0, 0.0, 1e6);
  ReadReporting(config, train);
  train.init_checkpoint = config.Get<std::string>("training.init_checkpoint", "");
  RefuseUnknownKeys(config);
  train.yaml = config.Dump();
  return train;
}

}  // namespace wildrayzer
