// WildRayZer: RayZer that knows what moves. The motion estimator finds dynamic patches of the input views,
// their tokens are masked before the scene encoder, and so the scene holds only what stands still (method.md
// section 4). models/pass.h puts the parts together.
//
// Shapes and frames as in rayzer.h. Semantic features are arguments: the model does not own DINOv3.
#pragma once

#include <cstdint>

#include "wildrayzer/models/motion_estimator.h"
#include "wildrayzer/models/rayzer.h"

namespace wildrayzer {

// A latent scene and what was masked in its making.
struct EncodedScene {
  torch::Tensor tokens;  // codes [B, S, d], or the inputs' encoded tokens; float32
  SceneMemory memory;    // of them, for Render
  // [B, K, rows, columns]: mean motion probability; undefined when nothing is masked.
  torch::Tensor patch_probability;
  torch::Tensor patch_is_dynamic;  // bool, same shape: patch_probability > motion.threshold
};

class WildRayZerImpl : public RayZerImpl {
 public:
  // With config.use_motion the motion estimator exists; with TokenMasking::kNoise the noise token. Without
  // both this is RayZer. Parameters are created uninitialised: fill them with LoadWeights or RandomInit
  // (weights.h).
  explicit WildRayZerImpl(const ModelConfig& config);

  bool has_motion_estimator() const { return !motion_estimator_.is_empty(); }

  // Motion logits [B, V, 1, H, W] of views, whose tokens, ray tokens [B, V, n, d] (conditioning ones for
  // inputs, rendering ones for targets) and features [B, V, C, h, w] are given, and, with motion.compare,
  // what the other views show in their place. UsageError without a motion estimator. One trace step a block.
  torch::Tensor PredictMotion(const ViewTokens& views, const torch::Tensor& ray_tokens,
                              const torch::Tensor& features, const Trace& trace = {},
                              const WarpedInputs& others = {});

  // Area average over patches: [B, V, 1, H, W] -> [B, V, H / p, W / p] float32.
  torch::Tensor PoolToPatches(const torch::Tensor& maps) const;

  // Tokens of all inputs without dynamic ones, [B, N, d]: in their place zeros or the noise token (N = K n),
  // or, with TokenMasking::kDrop, nothing (N: the most that a scene keeps, 1 at least, on a GPU K n; those
  // kept come first). fused [B, K, n, d], is_dynamic bool [B, K, rows, columns].
  TokenSet MaskTokens(const torch::Tensor& fused, const torch::Tensor& is_dynamic);

  // Input views and their conditioning ray tokens -> the scene. masks: how likely each pixel moves, [B, K, 1,
  // H, W] of any type, values in [0, 1]; undefined: nothing is masked. One trace step a block.
  EncodedScene EncodeScene(const ViewTokens& inputs, const torch::Tensor& ray_tokens,
                           const torch::Tensor& masks = {}, const Trace& trace = {});

 private:
  MotionEstimator motion_estimator_{nullptr};  // motion_mask_predictor
  torch::Tensor noise_token_;                  // noise_token [1, 1, d]; undefined with TokenMasking::kZero
};
TORCH_MODULE(WildRayZer);

}  // namespace wildrayzer
