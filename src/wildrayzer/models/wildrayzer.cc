#include "wildrayzer/models/wildrayzer.h"

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

torch::Tensor WildRayZerImpl::PredictMotion(const ViewTokens& views, const torch::Tensor& ray_tokens,
                                            const torch::Tensor& features, const Trace& trace) {
  if (!has_motion_estimator()) {
    throw UsageError("these weights have no motion estimator, so they cannot predict motion masks");
  }
  return motion_estimator_->forward(features, views.tokens, ray_tokens, views.rows, views.columns,
                                    views.height, views.width, trace);
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

EncodedScene WildRayZerImpl::EncodeScene(const ViewTokens& inputs, const torch::Tensor& ray_tokens,
                                         const torch::Tensor& masks, const Trace& trace) {
  torch::Tensor fused = FuseTokens(inputs.tokens, ray_tokens);
  trace.Record("fused_tokens", fused);
  EncodedScene scene;
  if (masks.defined()) {
    scene.patch_probability = PoolToPatches(masks);
    scene.patch_is_dynamic = scene.patch_probability > config().motion.threshold;
    fused = MaskTokens(fused, scene.patch_is_dynamic);
    trace.Record("masked_tokens", fused);
  }
  scene.tokens = EncodeTokens(fused, trace);
  return scene;
}

}  // namespace wildrayzer
