#include "wildrayzer/training/objective.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

std::shared_ptr<const PerceptualLoss> PerceptualOf(const TrainConfig& config) {
  const bool needed = config.loss.perceptual > 0 && config.stage != Stage::kMotionMasks;
  return needed ? std::shared_ptr<const PerceptualLoss>(MakePerceptualLoss(config.vgg, config.device))
                : nullptr;
}

LossOptions OptionsOf(const TrainConfig& config) {
  LossOptions options = config.loss;
  if (config.stage == Stage::kMotionMasks) options.mse = options.perceptual = 0;
  return options;
}

Objective::LabelFunction LabelsOf(const TrainConfig& config, const WildRayZer& model,
                                  const FeatureSource& features) {
  if (!StageNeedsMotion(config.stage)) return {};
  LabelMaker::Options options;
  options.labels = config.labels;
  // In the joint stage the labels keep being refined by the renderer that trains, so none can be kept.
  options.mask_tokens = config.stage == Stage::kJoint;
  if (config.stage == Stage::kMotionMasks) options.cache = config.label_cache;
  const auto maker = std::make_shared<LabelMaker>(model, features, options);
  return [maker](const Pass& pass, const LabelScene& scene) { return maker->Labels(pass, scene); };
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

void Describe(Outcome& outcome, const LossTerms& terms, const LossOptions& options) {
  outcome.loss = terms.total;
  outcome.numbers = {{"loss", terms.loss}, {"psnr", terms.psnr}, {"mse", terms.mse}};
  if (options.perceptual != 0) outcome.numbers["perceptual"] = terms.perceptual;
}

// Of what true matches teach the view matcher, beside the cameras.
constexpr double kMatchWeight = 0.5;

// Of the views from `first` on to the first view, of which the logits have places of so many pixels' side.
MatchAttentionTerms AttentionOf(const torch::Tensor& logits, const WorldBatch& batch, int64_t first,
                                const torch::Tensor& is_hidden, const SumOverPieces& sum,
                                int64_t pixels_of_a_place) {
  const int64_t count = batch.matches.size(1) - first;
  const int64_t rows = batch.images.size(3) / pixels_of_a_place;
  const int64_t columns = batch.images.size(4) / pixels_of_a_place;
  return MatchAttentionLoss(logits.narrow(1, logits.size(1) - count, count),
                            batch.matches.narrow(1, first, count), batch.visible.narrow(1, first, count),
                            rows, columns, is_hidden, sum);
}

}  // namespace

Objective::Objective(const TrainConfig& config, WildRayZer model, FeatureSource features,
                     LabelFunction labels)
    : config_(config),
      model_(std::move(model)),
      features_(std::move(features)),
      losses_(OptionsOf(config), PerceptualOf(config)),
      match_head_(config.model.d),
      labels_(labels ? std::move(labels) : LabelsOf(config, model_, features_)) {
  InitializeParameters(*match_head_, 0.02, config.seed, "match_head.");
  match_head_->to(config.device);
}

Outcome Objective::Rooms(const TrainingBatch& batch, int64_t step, const SumOverPieces& sum) {
  Pass pass(model_, features_, batch.images, batch.inputs);
  if (config_.stage == Stage::kMotionMasks) return MotionMasks(pass, batch, sum);
  Outcome outcome;  // of the camera warm-up nothing but the cameras
  if (config_.stage == Stage::kJoint) {
    outcome = Joint(pass, batch, sum);
  } else if (config_.stage != Stage::kCameraWarmup) {
    outcome = Reconstruction(pass, batch, step, sum);
  }
  if (config_.known_cameras.IsEverPositive()) LearnCameras(pass, batch, sum, outcome);
  return outcome;
}

void Objective::LearnCameras(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum,
                             Outcome& outcome) {
  if (!batch.c2w.defined()) {
    throw UsageError(
        "training.known_camera_weight: there are scenes without cameras (w2c and fxfycxcy), such as " +
        (batch.samples.empty() ? "one" : batch.samples[0]->scene) + "; set it to 0");
  }
  const auto scenes = static_cast<double>(batch.c2w.size(0));
  const bool reads = config_.worlds.scenes > 0;  // then the head trains
  const torch::Tensor readings = reads ? match_head_->forward(pass.cameras().features) : torch::Tensor();
  const torch::Tensor loss =
      scenes / Total(sum, {scenes})[0].Float() *
      KnownCameraLoss(pass.cameras(), readings, batch.c2w, batch.fxfycxcy, config_.worlds.huber);
  const Number value = Total(sum, {Number(loss)})[0];
  const double weight = config_.known_cameras.At(progress_);
  const torch::Tensor weighted = weight * loss;
  outcome.loss = outcome.loss.defined() ? outcome.loss + weighted : weighted;
  outcome.numbers["known_camera_loss"] = value;
  outcome.numbers["loss"] = outcome.numbers["loss"] + weight * value;
}

torch::Tensor Objective::BoxesOf(const TrainingBatch& batch, int64_t step) const {
  const int64_t patch = config_.model.patch;
  std::vector<torch::Tensor> boxes;
  for (int64_t b = 0; b < batch.images.size(0); ++b) {
    // By scene, so that it does not matter in which pieces a batch is worked on.
    Random random(config_.seed, fmt::format("token boxes {} {}", step, batch.first + b));
    boxes.push_back(RandomBoxes(batch.inputs, batch.images.size(3) / patch, batch.images.size(4) / patch,
                                patch, config_.token_dropout, random));
  }
  return Upload(torch::stack(boxes), batch.images.device());
}

Outcome Objective::Reconstruction(Pass& pass, const TrainingBatch& batch, int64_t step,
                                  const SumOverPieces& sum) {
  torch::Tensor masks;
  if (config_.token_dropout > 0) {
    masks = BoxesOf(batch, step);
    // What moves stays masked besides the boxes.
    if (pass.HasMotion()) masks = torch::maximum(masks, pass.InputMotionProbability());
  }
  pass.Encode(masks);
  LossInputs loss;
  loss.rendering = pass.RenderTargets();
  loss.target = Targets(batch.clean, batch.inputs);
  Outcome outcome;
  Describe(outcome, losses_(loss, sum), losses_.options());
  Show(outcome, batch.images, loss.rendering);
  return outcome;
}

Objective::TargetTruth Objective::TargetLabelsOf(const Pass& pass, const TrainingBatch& batch) {
  const torch::NoGradGuard no_grad;
  const int64_t scenes = batch.images.size(0);
  TargetTruth truth;
  const torch::TensorOptions options = batch.images.options();
  truth.masks =
      torch::zeros({scenes, batch.targets(), 1, batch.images.size(3), batch.images.size(4)}, options);
  truth.psnr = torch::full({scenes, batch.targets()}, std::numeric_limits<float>::infinity(), options);
  for (int64_t b = 0; b < scenes; ++b) {
    const auto index = static_cast<size_t>(b);
    if (batch.pasted[index]) {
      truth.masks[b].copy_(Targets(batch.pasted_masks, batch.inputs)[b]);
    } else if (batch.dynamic[index]) {
      const Sample& sample = *batch.samples[index];
      LabelScene scene{sample.scene, sample.list.inputs};
      scene.frames.insert(scene.frames.end(), sample.list.targets.begin(), sample.list.targets.end());
      const TargetLabels labels = labels_(pass.Scene(b), scene);
      truth.masks[b].copy_(labels.masks);
      truth.psnr[b].copy_(labels.psnr);
    }
  }
  return truth;
}

Outcome Objective::MotionMasks(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum) {
  LossInputs loss;
  loss.target_logits = pass.TargetMotion();
  if (config_.loss.masks_as_inputs > 0) loss.logits_as_inputs = pass.TargetMotionAsInputs();
  const TargetTruth truth = TargetLabelsOf(pass, batch);
  loss.target_labels = truth.masks;
  loss.target_psnr = truth.psnr;
  const LossTerms terms = losses_(loss, sum);
  const Number targets = terms.taught_views + terms.gated_views;
  Outcome outcome;
  outcome.loss = terms.total;
  outcome.numbers["loss"] = terms.loss;
  outcome.numbers["mask_bce"] = terms.target_mask;
  outcome.numbers["gated_share"] = terms.gated_views / targets;
  const Number labelled = Number(truth.masks.mean({1, 2, 3, 4})) * static_cast<double>(batch.targets());
  outcome.numbers["labelled_share"] = Total(sum, {labelled})[0] / targets;
  Show(outcome, batch.images, {}, loss.target_logits, truth.masks);
  return outcome;
}

Outcome Objective::Joint(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum) {
  LossInputs loss;
  loss.input_logits = pass.InputMotion();
  loss.target_logits = pass.TargetMotion();
  const TargetTruth truth = TargetLabelsOf(pass, batch);
  const torch::Tensor masks = pass.InputMotionProbability().clone();
  loss.input_labels = torch::zeros_like(masks);
  for (int64_t b = 0; b < batch.images.size(0); ++b) {
    if (!batch.pasted[static_cast<size_t>(b)]) continue;
    loss.input_labels[b].copy_(batch.pasted_masks[b].narrow(0, 0, batch.inputs));
    masks[b].copy_(loss.input_labels[b]);  // known masks override predicted ones
  }
  pass.Encode(masks);
  loss.rendering = pass.RenderTargets();
  loss.target = Targets(batch.clean, batch.inputs);
  loss.target_labels = truth.masks;
  loss.scene_is_dynamic = batch.dynamic;
  // Static scenes are known to be still, pasted objects are known; what moves in dynamic inputs is not.
  for (const bool dynamic : batch.dynamic) loss.scene_has_input_labels.push_back(!dynamic);
  const LossTerms terms = losses_(loss, sum);
  Outcome outcome;
  Describe(outcome, terms, losses_.options());
  outcome.numbers["mask_bce"] = terms.target_mask;
  outcome.numbers["input_mask_bce"] = terms.input_mask;
  outcome.numbers["gated_share"] = terms.gated_views / (terms.taught_views + terms.gated_views);
  outcome.numbers["static_share"] = terms.static_share;
  Show(outcome, batch.images, loss.rendering, loss.target_logits, truth.masks);
  return outcome;
}

Cameras Objective::WorldCameras(const WorldBatch& batch, const Cameras& estimated) const {
  const torch::Tensor at_truth = batch.draws.select(1, 0) < config_.worlds.true_cameras.At(progress_);
  Cameras cameras;
  cameras.c2w = torch::where(at_truth.view({-1, 1, 1, 1}), batch.c2w, estimated.c2w);
  cameras.fxfycxcy = torch::where(at_truth.view({-1, 1, 1}), batch.fxfycxcy, estimated.fxfycxcy);
  return cameras;
}

void Objective::RenderWorlds(Pass& pass, const WorldBatch& batch, LossInputs& loss) const {
  pass.UseCameras(WorldCameras(batch, pass.cameras()));
  const torch::Tensor moves = batch.cover.gt(0.5).to(torch::kFloat32);
  torch::Tensor masks = moves.narrow(1, 0, batch.inputs);
  if (pass.HasMotion()) {
    loss.input_logits = pass.InputMotion();
    loss.target_logits = pass.TargetMotion();
    loss.input_labels = masks;
    loss.target_labels = Targets(moves, batch.inputs);
    // True masks teach whatever the rendering is like.
    loss.target_psnr =
        torch::full({moves.size(0), pass.targets()}, std::numeric_limits<float>::infinity(), moves.options());
    loss.scene_is_dynamic.assign(static_cast<size_t>(moves.size(0)), false);
    const torch::Tensor known = batch.draws.select(1, 1) < config_.worlds.true_masks.At(progress_);
    masks = torch::where(known.view({-1, 1, 1, 1, 1}), masks, pass.InputMotionProbability());
  }
  if (config_.stage == Stage::kMotionMasks) return;
  pass.Encode(masks);
  loss.rendering = pass.RenderTargets();
  loss.target = Targets(batch.clean, batch.inputs);
}

void Objective::LearnWorldCameras(Pass& pass, const WorldBatch& batch, const SumOverPieces& sum,
                                  Outcome& outcome) {
  const CameraTerms terms = WorldCameraLoss(pass.cameras(), match_head_->forward(pass.cameras().features),
                                            batch, config_.worlds.huber, sum);
  const double weight = config_.worlds.loss_weight.At(progress_);
  outcome.loss = weight * terms.loss;
  outcome.numbers = {{"camera_loss", terms.value},
                     {"world_rotation_degrees", terms.rotation_degrees},
                     {"world_still_degrees", terms.still_degrees},
                     {"world_translation_r2", terms.translation_r2},
                     {"world_focal_error", terms.focal_error},
                     {"world_match_r2", terms.match_r2},
                     {"loss", weight * terms.value}};
  if (pass.cameras().match_logits.defined()) {
    const MatchAttentionTerms matched =
        AttentionOf(pass.cameras().match_logits.unsqueeze(2), batch, 1, {}, sum, ViewMatcherImpl::kCell);
    outcome.loss = outcome.loss + weight * kMatchWeight * matched.loss;
    outcome.numbers["world_matched"] = matched.attended;
  }
  if (!config_.worlds.match_attention.IsEverPositive()) return;
  const MatchAttentionTerms attention =
      AttentionOf(model_->MatchLogits(pass.cameras()), batch, 1, {}, sum, batch.patch);
  outcome.loss = outcome.loss + weight * config_.worlds.match_attention.At(progress_) * attention.loss;
  outcome.numbers["world_attended"] = attention.attended;
}

void Objective::LearnWhereToLook(Pass& pass, const WorldBatch& batch, const SumOverPieces& sum,
                                 Outcome& outcome) {
  const MatchAttentionTerms looks =
      AttentionOf(pass.TargetLooks(), batch, batch.inputs, pass.HiddenInFirst(), sum, batch.patch);
  outcome.loss = outcome.loss + config_.worlds.look_attention.At(progress_) * looks.loss;
  outcome.numbers["world_looked"] = looks.attended;
}

Outcome Objective::Worlds(const WorldBatch& batch, const SumOverPieces& sum) {
  Pass pass(model_, features_, batch.images, batch.inputs);
  if (config_.masks_teach_tokens) pass.LetMotionTeachFeatures();
  if (config_.worlds.look_attention.IsEverPositive()) pass.KeepLooks();
  Outcome outcome;
  if (config_.stage != Stage::kMotionMasks) LearnWorldCameras(pass, batch, sum, outcome);
  if (!config_.worlds.render || pass.targets() < 1) return outcome;
  LossInputs loss;
  RenderWorlds(pass, batch, loss);
  const LossTerms terms = losses_(loss, sum);
  outcome.loss = outcome.loss.defined() ? outcome.loss + terms.total : terms.total;
  outcome.numbers["loss"] = outcome.numbers["loss"] + terms.loss;
  if (loss.rendering.defined()) {
    outcome.numbers["world_psnr"] = terms.psnr;
    if (config_.worlds.look_attention.IsEverPositive()) LearnWhereToLook(pass, batch, sum, outcome);
  }
  if (loss.target_logits.defined()) {
    outcome.numbers["world_mask_loss"] = terms.target_mask;
    outcome.numbers["world_input_mask_loss"] = terms.input_mask;
  }
  Show(outcome, batch.images, loss.rendering, loss.target_logits, loss.target_labels);
  return outcome;
}

}  // namespace wildrayzer
