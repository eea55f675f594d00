#include "wildrayzer/models/wildrayzer.h"

#include <algorithm>

#include "wildrayzer/kernels/cpu_kernels.h"
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
                                            const torch::Tensor& features, const Trace& trace,
                                            const WarpedInputs& others) {
  if (!has_motion_estimator()) {
    throw UsageError("these weights have no motion estimator, so they cannot predict motion masks");
  }
  return motion_estimator_->forward(features, views.tokens, ray_tokens, views.rows, views.columns,
                                    views.height, views.width, trace, views.images, others);
}

torch::Tensor WildRayZerImpl::PoolToPatches(const torch::Tensor& maps) const {
  const torch::Tensor flat = maps.to(torch::kFloat32).flatten(0, 1);
  const torch::Tensor pooled = torch::avg_pool2d(flat, {config().patch, config().patch});
  return pooled.view({maps.size(0), maps.size(1), pooled.size(2), pooled.size(3)});
}

TokenSet WildRayZerImpl::MaskTokens(const torch::Tensor& fused, const torch::Tensor& is_dynamic) {
  const torch::Tensor tokens = fused.flatten(1, 2);    // [B, K n, d]
  const torch::Tensor hidden = is_dynamic.flatten(1);  // [B, K n]
  const torch::Tensor mask = hidden.unsqueeze(-1);
  switch (config().token_masking) {
    case TokenMasking::kZero:
      return {tokens.masked_fill(mask, 0.0), {}};
    case TokenMasking::kNoise:
      return {torch::where(mask, noise_token_.to(tokens.scalar_type()), tokens), {}};
    case TokenMasking::kDrop:
      break;
  }
  const torch::Tensor counts = hidden.logical_not().sum(1);
  // The processor goes on with as many as the fullest scene has. To know that number, it would have to wait
  // for a GPU, where all places are kept instead.
  const bool known = OnCpu(counts);
  const int64_t most = known ? std::max<int64_t>(1, counts.max().item<int64_t>()) : tokens.size(1);
  const torch::Tensor order = torch::argsort(hidden.to(torch::kUInt8), /*stable=*/true, /*dim=*/1);
  const torch::Tensor first = order.narrow(1, 0, most).unsqueeze(-1).expand({-1, -1, tokens.size(2)});
  return {tokens.gather(1, first), counts};
}

EncodedScene WildRayZerImpl::EncodeScene(const ViewTokens& inputs, const torch::Tensor& ray_tokens,
                                         const torch::Tensor& masks, const Trace& trace) {
  const torch::Tensor fused = FuseTokens(inputs.tokens, ray_tokens);
  trace.Record("fused_tokens", fused);
  EncodedScene scene;
  TokenSet kept{fused.flatten(1, 2), {}};
  if (masks.defined()) {
    scene.patch_probability = PoolToPatches(masks);
    scene.patch_is_dynamic = scene.patch_probability > config().motion.threshold;
    kept = MaskTokens(fused, scene.patch_is_dynamic);
    trace.Record("masked_tokens", kept.tokens);
  }
  const TokenSet encoded = EncodeTokens(kept, trace);
  scene.tokens = encoded.tokens;
  scene.memory = Remember(encoded);
  return scene;
}

}  // namespace wildrayzer
