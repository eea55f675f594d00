#include "wildrayzer/training/objective.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

std::shared_ptr<const PerceptualLoss> PerceptualOf(const TrainConfig& config) {
  const bool needed = config.loss.perceptual > 0 && config.stage != Stage::kMotionMasks;
  return needed ? std::shared_ptr<const PerceptualLoss>(MakePerceptualLoss(config.vgg19)) : nullptr;
}

LossOptions OptionsOf(const TrainConfig& config) {
  LossOptions options = config.loss;
  if (config.stage == Stage::kMotionMasks) options.mse = options.perceptual = 0;
  return options;
}

torch::Tensor Targets(const torch::Tensor& views, int64_t inputs) {
  return views.narrow(1, inputs, views.size(1) - inputs);
}

// The first scene for the log.
void Show(Outcome& outcome, const torch::Tensor& images, const torch::Tensor& renderings,
          const torch::Tensor& target_logits = {}, const torch::Tensor& labels = {}) {
  const torch::NoGradGuard no_grad;
  outcome.images = images[0].detach();
  if (renderings.defined()) outcome.renderings = renderings[0].detach();
  if (target_logits.defined()) outcome.masks = torch::sigmoid(target_logits[0].detach().to(torch::kFloat32));
  if (labels.defined()) outcome.labels = labels[0].detach().to(torch::kFloat32);
}

void Describe(Outcome& outcome, const LossTerms& terms) {
  outcome.loss = terms.total;
  outcome.numbers = {{"loss", terms.loss}, {"psnr", terms.psnr}, {"mse", terms.mse}};
  if (terms.perceptual > 0) outcome.numbers["perceptual"] = terms.perceptual;
}

}  // namespace

Objective::Objective(const TrainConfig& config, WildRayZer model, Dinov3 dino)
    : config_(config),
      model_(std::move(model)),
      dino_(std::move(dino)),
      losses_(OptionsOf(config), PerceptualOf(config)),
      match_head_(config.model.d) {
  InitializeParameters(*match_head_, 0.02, config.seed, "match_head.");
  if (!StageNeedsMotion(config.stage)) return;
  LabelMaker::Options options;
  options.labels = config.labels;
  // In the joint stage the labels keep being refined by the renderer that trains, so none can be kept.
  options.mask_tokens = config.stage == Stage::kJoint;
  if (config.stage == Stage::kMotionMasks) options.cache = config.label_cache;
  const bool own = config.model.motion.features == MotionFeatures::kOwn;
  labels_ = std::make_unique<LabelMaker>(
      model_, own ? OwnFeatures(model_) : DinoFeatures(dino_, config.dino.string()), options);
}

Outcome Objective::Rooms(const TrainingBatch& batch, int64_t step) {
  switch (config_.stage) {
    case Stage::kMotionMasks:
      return MotionMasks(batch);
    case Stage::kJoint:
      return Joint(batch);
    default:
      return Reconstruction(batch, step);
  }
}

torch::Tensor Objective::MotionFeaturesOf(const torch::Tensor& images, const Cameras& cameras) {
  if (config_.model.motion.features == MotionFeatures::kOwn) return cameras.features.detach();
  const torch::NoGradGuard no_grad;
  const torch::Tensor features = dino_->PatchFeatures(images.flatten(0, 1), kImageNetPixels);
  return features.view(
      {images.size(0), images.size(1), features.size(1), features.size(2), features.size(3)});
}

torch::Tensor Objective::BoxesOf(const TrainingBatch& batch, const ViewTokens& views, int64_t step) const {
  std::vector<torch::Tensor> boxes;
  for (int64_t b = 0; b < batch.images.size(0); ++b) {
    // By scene, so that it does not matter in which pieces a batch is worked on.
    Random random(config_.seed, fmt::format("token boxes {} {}", step, batch.first + b));
    boxes.push_back(RandomBoxes(batch.inputs, views.rows, views.columns, config_.model.patch,
                                config_.token_dropout, random));
  }
  return torch::stack(boxes);
}

Outcome Objective::Reconstruction(const TrainingBatch& batch, int64_t step) {
  const ViewTokens views = model_->Tokenize(batch.images);
  const Cameras cameras = model_->EstimateCameras(views);
  const ViewTokens inputs = views.Views(0, batch.inputs);
  const Cameras input_cameras = cameras.Views(0, batch.inputs);
  MotionSource motion;
  if (config_.token_dropout > 0) {
    motion.masks = BoxesOf(batch, views, step);
    if (model_->has_motion_estimator()) {
      // What moves stays masked besides the boxes; the motion estimator is frozen.
      const torch::NoGradGuard no_grad;
      const torch::Tensor logits = model_->PredictMotion(
          inputs, input_cameras, MotionFeaturesOf(batch.images, cameras).narrow(1, 0, batch.inputs),
          ViewRole::kInput);
      motion.masks = torch::maximum(motion.masks, torch::sigmoid(logits.to(torch::kFloat32)));
    }
  }
  const EncodedScene scene = model_->EncodeScene(inputs, input_cameras, motion);
  LossInputs loss;
  loss.rendering =
      model_->Render(scene.tokens, cameras.Views(batch.inputs, batch.targets()), views.height, views.width);
  loss.target = Targets(batch.clean, batch.inputs);
  Outcome outcome;
  Describe(outcome, losses_(loss));
  Show(outcome, batch.images, loss.rendering);
  return outcome;
}

void Objective::LabelTargets(const TrainingBatch& batch, int64_t b, TargetTruth& truth) {
  const torch::NoGradGuard no_grad;
  const auto index = static_cast<size_t>(b);
  if (batch.pasted[index]) {
    truth.masks[b].copy_(Targets(batch.pasted_masks, batch.inputs)[b]);
  } else if (batch.dynamic[index]) {
    const Sample& sample = *batch.samples[index];
    LabelScene scene{sample.scene, sample.list.inputs};
    scene.frames.insert(scene.frames.end(), sample.list.targets.begin(), sample.list.targets.end());
    const TargetLabels labels = labels_->Labels(batch.images[b], batch.inputs, scene);
    truth.masks[b].copy_(labels.masks);
    truth.psnr[b].copy_(labels.psnr);
  }
}

Objective::TargetTruth Objective::TargetLabelsOf(const TrainingBatch& batch) {
  const int64_t scenes = batch.images.size(0);
  TargetTruth truth;
  truth.masks = torch::zeros({scenes, batch.targets(), 1, batch.images.size(3), batch.images.size(4)});
  truth.psnr = torch::full({scenes, batch.targets()}, std::numeric_limits<float>::infinity());
  for (int64_t b = 0; b < scenes; ++b) LabelTargets(batch, b, truth);
  return truth;
}

Outcome Objective::MotionMasks(const TrainingBatch& batch) {
  ViewTokens views;
  Cameras cameras;
  torch::Tensor features;
  TargetTruth truth;
  {
    const torch::NoGradGuard no_grad;  // everything but the motion estimator is frozen
    views = model_->Tokenize(batch.images);
    cameras = model_->EstimateCameras(views);
    features = Targets(MotionFeaturesOf(batch.images, cameras), batch.inputs);
    truth = TargetLabelsOf(batch);
  }
  const ViewTokens targets = views.Views(batch.inputs, batch.targets());
  const Cameras target_cameras = cameras.Views(batch.inputs, batch.targets());
  const torch::Tensor logits = model_->PredictMotion(targets, target_cameras, features, ViewRole::kTarget);
  // The same pictures once more as if they were inputs: input views reach the estimator through the other ray
  // tokenizer, and no other loss of this stage would teach it to read that.
  const torch::Tensor as_inputs = model_->PredictMotion(targets, target_cameras, features, ViewRole::kInput);

  const torch::Tensor labels = truth.masks.flatten(0, 1);
  const torch::Tensor each =
      0.5 * (MaskLosses(logits.flatten(0, 1), labels) + MaskLosses(as_inputs.flatten(0, 1), labels));
  const torch::Tensor passes =
      (truth.psnr.flatten() >= config_.loss.psnr_gate.value_or(-1e9)).to(torch::kFloat32);
  const double passed = passes.sum().item<double>();
  Outcome outcome;
  const torch::Tensor bce = (each * passes).sum() / std::max(passed, 1.0);
  if (passed > 0) outcome.loss = config_.loss.motion * bce;
  outcome.numbers["mask_bce"] = bce.item<double>();
  outcome.numbers["loss"] = config_.loss.motion * outcome.numbers["mask_bce"];
  outcome.numbers["gated_share"] = 1 - passed / static_cast<double>(passes.numel());
  outcome.numbers["labelled_share"] = truth.masks.mean().item<double>();
  Show(outcome, batch.images, {}, logits, truth.masks);
  return outcome;
}

Outcome Objective::Joint(const TrainingBatch& batch) {
  const int64_t scenes = batch.images.size(0);
  const TargetTruth truth = TargetLabelsOf(batch);
  const ViewTokens views = model_->Tokenize(batch.images);
  const Cameras cameras = model_->EstimateCameras(views);
  const torch::Tensor features = MotionFeaturesOf(batch.images, cameras);
  const ViewTokens inputs = views.Views(0, batch.inputs);
  const Cameras input_cameras = cameras.Views(0, batch.inputs);
  const Cameras target_cameras = cameras.Views(batch.inputs, batch.targets());

  LossInputs loss;
  loss.input_logits =
      model_->PredictMotion(inputs, input_cameras, features.narrow(1, 0, batch.inputs), ViewRole::kInput);
  loss.target_logits = model_->PredictMotion(views.Views(batch.inputs, batch.targets()), target_cameras,
                                             Targets(features, batch.inputs), ViewRole::kTarget);
  MotionSource motion;
  motion.masks = torch::sigmoid(loss.input_logits.detach().to(torch::kFloat32)).clone();
  loss.input_labels = torch::zeros_like(motion.masks);
  for (int64_t b = 0; b < scenes; ++b) {
    if (!batch.pasted[static_cast<size_t>(b)]) continue;
    loss.input_labels[b].copy_(batch.pasted_masks[b].narrow(0, 0, batch.inputs));
    motion.masks[b].copy_(loss.input_labels[b]);  // known masks override predicted ones
  }
  const EncodedScene scene = model_->EncodeScene(inputs, input_cameras, motion);
  loss.rendering = model_->Render(scene.tokens, target_cameras, views.height, views.width);
  loss.target = Targets(batch.clean, batch.inputs);
  loss.target_labels = truth.masks;
  loss.scene_is_dynamic = batch.dynamic;
  // Static scenes are known to be still, pasted objects are known; what moves in dynamic inputs is not.
  for (const bool dynamic : batch.dynamic) loss.scene_has_input_labels.push_back(!dynamic);
  const LossTerms terms = losses_(loss);
  Outcome outcome;
  Describe(outcome, terms);
  outcome.numbers["mask_bce"] = terms.target_mask;
  outcome.numbers["input_mask_bce"] = terms.input_mask;
  outcome.numbers["gated_share"] =
      static_cast<double>(terms.gated_views) / static_cast<double>(scenes * batch.targets());
  outcome.numbers["static_share"] = terms.static_share;
  Show(outcome, batch.images, loss.rendering, loss.target_logits, truth.masks);
  return outcome;
}

Outcome Objective::Virtual(const WarmupBatch& batch) {
  const int64_t count = batch.images.size(1);
  const int64_t inputs = 2;
  const ViewTokens views = model_->Tokenize(batch.images);
  const Cameras cameras = model_->EstimateCameras(views);
  const WarmupTerms terms = WarmupLoss(cameras, match_head_->forward(cameras.features), batch);
  Outcome outcome;
  outcome.loss = config_.warmup.loss_weight * terms.loss;
  outcome.numbers = {{"camera_loss", terms.loss.item<double>()},
                     {"virtual_rotation_degrees", terms.rotation_degrees},
                     {"virtual_translation_r2", terms.translation_r2},
                     {"virtual_focal_error", terms.focal_error},
                     {"virtual_match_r2", terms.match_r2}};
  if (config_.warmup.render && count > inputs) {
    Cameras known;
    known.c2w = batch.c2w;
    known.fxfycxcy = batch.fxfycxcy;
    const EncodedScene scene = model_->EncodeScene(views.Views(0, inputs), known.Views(0, inputs));
    LossInputs loss;
    loss.rendering =
        model_->Render(scene.tokens, known.Views(inputs, count - inputs), views.height, views.width);
    loss.target = Targets(batch.images, inputs);
    const LossTerms rendered = losses_(loss);
    outcome.loss = outcome.loss + rendered.total;
    outcome.numbers["virtual_psnr"] = rendered.psnr;
    Show(outcome, batch.images, loss.rendering);
  }
  outcome.numbers["loss"] = outcome.loss.item<double>();
  return outcome;
}

}  // namespace wildrayzer
