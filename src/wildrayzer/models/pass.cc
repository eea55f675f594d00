#include "wildrayzer/models/pass.h"

#include <fmt/format.h>

#include <utility>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

Pass::Pass(WildRayZer model, FeatureSource features, const torch::Tensor& images, int64_t inputs,
           const Trace& trace)
    : model_(std::move(model)),
      features_(std::move(features)),
      images_(images),
      inputs_(inputs),
      trace_(trace),
      steps_{trace.step, {}} {
  if (images.dim() != 5) {
    throw UsageError(
        fmt::format("images must be [B, V, 3, H, W], not [{}]", fmt::join(images.sizes(), ", ")));
  }
  if (inputs < 1 || inputs > images.size(1)) {
    throw UsageError(fmt::format("{} of {} views cannot be inputs", inputs, images.size(1)));
  }
}

const ViewTokens& Pass::Views() {
  if (!views_) views_ = model_->Tokenize(images_, trace_);
  return *views_;
}

const Cameras& Pass::cameras() {
  if (!cameras_) {
    cameras_ = model_->EstimateCameras(Views(), trace_);
    of_points_ = cameras_->of_points;
    if (features_.own()) all_features_ = features_learn_ ? cameras_->features : cameras_->features.detach();
  }
  return *cameras_;
}

void Pass::UseCameras(const Cameras& known) {
  // Features and matches are by-products of estimating them.
  if (features_.own() || model_->config().WarpsInputs()) cameras();
  cameras_ = known;
  unmasked_ = {};
  input_rays_.reset();
}

torch::Tensor Pass::Features(int64_t first, int64_t count) {
  if (!all_features_.defined() && features_.own()) cameras();
  if (all_features_.defined()) return all_features_.narrow(1, first, count);
  return features_.Of(images_, first, count, trace_);
}

void Pass::ComputeFeatures() { all_features_ = Features(0, images_.size(1)); }

bool Pass::HasMotion() const {
  const bool reads_own = model_->config().motion.features == MotionFeatures::kOwn;
  return model_->has_motion_estimator() && (reads_own || !features_.own());
}

const torch::Tensor& Pass::InputRays() {
  if (!input_rays_.defined()) {
    input_rays_ =
        model_->ConditioningRayTokens(cameras().Views(0, inputs_), images_.size(3), images_.size(4));
  }
  return input_rays_;
}

torch::Tensor Pass::Motion(int64_t first, int64_t count, const torch::Tensor& ray_tokens,
                           const Trace& trace) {
  return model_->PredictMotion(Views().Views(first, count), ray_tokens, Features(first, count), trace,
                               Others(first, count));
}

WarpedInputs Pass::Others(int64_t first, int64_t count) {
  if (!model_->config().motion.compare || inputs_ < 2) return {};
  const Cameras of_views = cameras().Views(first, count), of_inputs = cameras().Views(0, inputs_);
  if (!of_points_.seen.defined()) return {};
  if (!unmasked_.defined()) {
    unmasked_ =
        SurfaceOf(images_.narrow(1, 0, inputs_), of_inputs.c2w, of_inputs.fxfycxcy, of_points_, /*masks=*/{});
  }
  if (first >= inputs_) return WarpInputs(unmasked_, of_views.c2w, of_views.fxfycxcy);
  std::vector<WarpedInputs> views;
  for (int64_t v = 0; v < count; ++v) {
    views.push_back(WarpInputs(unmasked_.Without(first + v), of_views.c2w.narrow(1, v, 1),
                               of_views.fxfycxcy.narrow(1, v, 1)));
  }
  return Concatenate(views);
}

torch::Tensor Pass::InputMotion() {
  if (!input_motion_.defined() && HasMotion()) input_motion_ = Motion(0, inputs_, InputRays(), trace_);
  return input_motion_;
}

torch::Tensor Pass::TargetMotion() {
  if (!target_motion_.defined() && HasMotion() && targets() > 0) {
    const torch::Tensor rays =
        model_->RenderRayTokens(cameras().Views(inputs_, targets()), images_.size(3), images_.size(4));
    target_motion_ = Motion(inputs_, targets(), rays, steps_);
  }
  return target_motion_;
}

torch::Tensor Pass::TargetMotionAsInputs() {
  const torch::Tensor rays =
      model_->ConditioningRayTokens(cameras().Views(inputs_, targets()), images_.size(3), images_.size(4));
  return Motion(inputs_, targets(), rays, steps_);
}

torch::Tensor Pass::InputMotionProbability() {
  torch::Tensor logits = input_motion_;
  if (!logits.defined()) {
    if (!HasMotion()) return logits;
    const torch::Tensor rays = InputRays();  // these may be asked for with gradient later on
    const torch::NoGradGuard no_grad;
    logits = Motion(0, inputs_, rays, trace_);
  }
  return torch::sigmoid(logits.detach().to(torch::kFloat32));
}

const EncodedScene& Pass::Encode(const torch::Tensor& masks) {
  scene_ = model_->EncodeScene(Views().Views(0, inputs_), InputRays(), masks, trace_);
  if (model_->config().copy_inputs && of_points_.seen.defined() && inputs_ > 1) {
    const Cameras of_inputs = cameras().Views(0, inputs_);
    scene_.memory.surface =
        SurfaceOf(images_.narrow(1, 0, inputs_), of_inputs.c2w, of_inputs.fxfycxcy, of_points_, masks);
  }
  return scene_;
}

torch::Tensor Pass::RenderTargets() {
  looks_.clear();
  return model_->Render(scene_.memory, cameras().Views(inputs_, targets()), images_.size(3), images_.size(4),
                        trace_, keeps_looks_ ? &looks_ : nullptr);
}

torch::Tensor Pass::HiddenInFirst() {
  if (scene_.patch_is_dynamic.defined()) return scene_.patch_is_dynamic.select(1, 0).flatten(1);
  return torch::zeros({images_.size(0), Views().rows * Views().columns},
                      images_.options().dtype(torch::kBool));
}

torch::Tensor Pass::TargetLooks() {
  return model_->LookLogits(scene_.memory, looks_, HiddenInFirst(), targets());
}

torch::Tensor Pass::RenderInputs() {
  return model_->Render(scene_.memory, cameras().Views(0, inputs_), images_.size(3), images_.size(4), steps_);
}

Pass Pass::Scene(int64_t b) const {
  const auto part = [b](const torch::Tensor& all) {
    return all.defined() ? all.detach().narrow(0, b, 1) : all;
  };
  Pass scene = *this;
  scene.images_ = part(images_);
  scene.features_ = features_.Scene(b);
  scene.trace_ = scene.steps_ = {};
  if (views_) {
    scene.views_->tokens = part(views_->tokens);
    scene.views_->images = part(views_->images);
  }
  if (cameras_) scene.cameras_ = cameras_->Scene(b);
  scene.of_points_ = of_points_.Scene(b);
  scene.unmasked_ = unmasked_.Scene(b);
  for (torch::Tensor* tensor :
       {&scene.all_features_, &scene.input_rays_, &scene.input_motion_, &scene.target_motion_,
        &scene.scene_.tokens, &scene.scene_.patch_probability, &scene.scene_.patch_is_dynamic}) {
    *tensor = part(*tensor);
  }
  if (scene_.tokens.defined()) scene.scene_.memory = scene_.memory.Scene(b);
  return scene;
}

Prediction Predict(WildRayZer model, const torch::Tensor& images, int64_t inputs,
                   const PredictOptions& options, const Trace& trace) {
  Pass pass(std::move(model), options.features, images, inputs, trace);
  Prediction result;
  result.cameras = pass.cameras();
  result.input_logits = pass.InputMotion();
  const bool given = options.input_masks.defined();
  result.scene = pass.Encode(given ? options.input_masks : pass.InputMotionProbability());
  result.target_logits = pass.TargetMotion();
  result.images = pass.RenderTargets();
  if (options.render_inputs) result.input_images = pass.RenderInputs();
  return result;
}

}  // namespace wildrayzer
