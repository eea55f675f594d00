#include "wildrayzer/models/wildrayzer.h"

#include <fmt/format.h>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

WildRayZerImpl::WildRayZerImpl(const ModelConfig& config) : RayZerImpl(config) {
  if (config.token_masking == TokenMasking::kNoise) {
    noise_token_ = register_parameter("noise_token", torch::empty({1, 1, config.d}));
  }
  if (config.use_motion) {
    motion_estimator_ = register_module("motion_mask_predictor", MotionEstimator(config));
  }
}

torch::Tensor WildRayZerImpl::MotionLogits(const ViewTokens& views, const torch::Tensor& ray_tokens,
                                           const torch::Tensor& dino_features, const Trace& trace) {
  if (!has_motion_estimator()) {
    throw UsageError("these weights have no motion estimator, so they cannot predict motion masks");
  }
  return motion_estimator_->forward(dino_features, views.tokens, ray_tokens, views.rows, views.columns,
                                    views.height, views.width, trace);
}

torch::Tensor WildRayZerImpl::PredictMotion(const ViewTokens& views, const Cameras& cameras,
                                            const torch::Tensor& dino_features, ViewRole role,
                                            const Trace& trace) {
  const torch::Tensor rays = role == ViewRole::kInput
                                 ? ConditioningRayTokens(cameras, views.height, views.width)
                                 : RenderRayTokens(cameras, views.height, views.width);
  return MotionLogits(views, rays, dino_features, trace);
}

torch::Tensor WildRayZerImpl::PoolToPatches(const torch::Tensor& maps) const {
  const torch::Tensor flat = maps.to(torch::kFloat32).flatten(0, 1);
  const torch::Tensor pooled = torch::avg_pool2d(flat, {config().patch, config().patch});
  return pooled.view({maps.size(0), maps.size(1), pooled.size(2), pooled.size(3)});
}

torch::Tensor WildRayZerImpl::MaskTokens(const torch::Tensor& fused, const torch::Tensor& is_dynamic) {
  const torch::Tensor mask = is_dynamic.flatten(2).unsqueeze(-1);  // [B, K, n, 1]
  if (!noise_token_.defined()) return fused.masked_fill(mask, 0.0);
  return torch::where(mask, noise_token_.to(fused.scalar_type()), fused);
}

EncodedScene WildRayZerImpl::EncodeScene(const ViewTokens& inputs, const Cameras& cameras,
                                         const MotionSource& motion, const Trace& trace) {
  const torch::Tensor rays = ConditioningRayTokens(cameras, inputs.height, inputs.width);
  torch::Tensor fused = FuseTokens(inputs.tokens, rays);
  trace.Record("fused_tokens", fused);

  EncodedScene scene;
  if (motion.dino_features.defined()) {
    scene.motion_logits = MotionLogits(inputs, rays, motion.dino_features, trace);
  }
  if (motion.masks.defined()) {
    scene.patch_probability = PoolToPatches(motion.masks);
  } else if (scene.motion_logits.defined()) {
    scene.patch_probability = PoolToPatches(torch::sigmoid(scene.motion_logits));
  }
  if (scene.patch_probability.defined()) {
    scene.patch_is_dynamic = scene.patch_probability > config().motion.threshold;
    fused = MaskTokens(fused, scene.patch_is_dynamic);
    trace.Record("masked_tokens", fused);
  }
  scene.tokens = EncodeTokens(fused, trace);
  return scene;
}

Prediction WildRayZerImpl::forward(const torch::Tensor& images, int64_t num_inputs,
                                   const ForwardOptions& options, const Trace& trace) {
  const ViewTokens views = Tokenize(images, trace);
  const int64_t targets = images.size(1) - num_inputs;
  if (num_inputs < 1 || targets < 0) {
    throw UsageError(fmt::format("{} of {} views cannot be inputs", num_inputs, images.size(1)));
  }
  Prediction result;
  result.cameras = EstimateCameras(views, trace);
  const Cameras input_cameras = result.cameras.Views(0, num_inputs);
  const Cameras target_cameras = result.cameras.Views(num_inputs, targets);

  const bool own = has_motion_estimator() && config().motion.features == MotionFeatures::kOwn;
  const torch::Tensor features = own ? result.cameras.features.detach() : options.dino_features;
  MotionSource motion;
  motion.masks = options.input_masks;
  if (features.defined()) motion.dino_features = features.narrow(1, 0, num_inputs);
  result.scene = EncodeScene(views.Views(0, num_inputs), input_cameras, motion, trace);
  if (features.defined() && targets > 0) {
    result.target_logits = PredictMotion(views.Views(num_inputs, targets), target_cameras,
                                         features.narrow(1, num_inputs, targets), ViewRole::kTarget);
  }
  result.images = Render(result.scene.tokens, target_cameras, views.height, views.width, trace);
  if (options.render_inputs) {
    result.input_images = Render(result.scene.tokens, input_cameras, views.height, views.width);
  }
  return result;
}

}  // namespace wildrayzer
