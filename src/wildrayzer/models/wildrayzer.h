// WildRayZer: RayZer that knows what moves. The motion estimator finds dynamic patches of the input views,
// their tokens are masked before the scene encoder, and so the scene holds only what stands still (method.md
// section 4).
//
// Shapes and frames as in rayzer.h. The DINOv3 features are arguments: the model does not own DINOv3.
#pragma once

#include <cstdint>

#include "wildrayzer/models/motion_estimator.h"
#include "wildrayzer/models/rayzer.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Whether a view conditions the scene or is to be rendered: it decides the ray tokenizer.
enum class ViewRole { kInput, kTarget };

// Where the dynamic patches of the input views come from. With neither tensor nothing is masked (plain
// RayZer).
struct MotionSource {
  // DINOv3 patch features of the input views [B, K, dino_width, h, w]: the motion estimator predicts.
  torch::Tensor dino_features;
  // Masks of the input views [B, K, 1, H, W], any dtype, values in [0, 1] (1 = moves). They override the
  // prediction.
  torch::Tensor masks;
};

// A latent scene and what was masked in its making.
struct EncodedScene {
  torch::Tensor tokens;         // [B, S, d] float32
  torch::Tensor motion_logits;  // [B, K, 1, H, W]; undefined without DINOv3 features
  torch::Tensor
      patch_probability;  // [B, K, rows, columns], mean motion probability; undefined when nothing is masked
  torch::Tensor patch_is_dynamic;  // bool, same shape: patch_probability > motion.threshold
};

// Everything of one forward pass over known views.
struct Prediction {
  Cameras cameras;       // all V views
  EncodedScene scene;    // from the K inputs
  torch::Tensor images;  // [B, T, 3, H, W]: renderings at the target views' cameras, in [0, 1]
  torch::Tensor
      input_images;  // [B, K, 3, H, W]: renderings at the input views' cameras; undefined unless asked for
  torch::Tensor
      target_logits;  // [B, T, 1, H, W]: motion in the target views; undefined without their features
};

struct ForwardOptions {
  // DINOv3 patch features of all V views [B, V, dino_width, h, w]; undefined: no motion is estimated, unless
  // the motion estimator works on the model's own features (which are detached: they are an input, not a
  // thing to be trained through the masks).
  torch::Tensor dino_features;
  // Masks of the input views [B, K, 1, H, W] that override the prediction for token masking.
  torch::Tensor input_masks;
  // Also render at the input views' cameras.
  bool render_inputs = false;
};

class WildRayZerImpl : public RayZerImpl {
 public:
  // With config.use_motion the motion estimator exists; with TokenMasking::kNoise the noise token. Without
  // both this is RayZer. Parameters are created uninitialised: fill them with LoadWeights or RandomInit
  // (weights.h).
  explicit WildRayZerImpl(const ModelConfig& config);

  bool has_motion_estimator() const { return !motion_estimator_.is_empty(); }

  // Motion logits [B, V, 1, H, W] of the views, whose tokens, cameras and DINOv3 features [B, V, dino_width,
  // h, w] are given. UsageError without a motion estimator. One trace step a block.
  torch::Tensor PredictMotion(const ViewTokens& views, const Cameras& cameras,
                              const torch::Tensor& dino_features, ViewRole role, const Trace& trace = {});

  // Area average over patches: [B, V, 1, H, W] -> [B, V, H / p, W / p] float32.
  torch::Tensor PoolToPatches(const torch::Tensor& maps) const;

  // Zeros, or the noise token, in the place of dynamic tokens. fused [B, K, n, d], is_dynamic bool [B, K,
  // rows, columns].
  torch::Tensor MaskTokens(const torch::Tensor& fused, const torch::Tensor& is_dynamic);

  // Input views and their cameras -> the scene. Trace steps: motion blocks (with features), scene encoder
  // blocks.
  EncodedScene EncodeScene(const ViewTokens& inputs, const Cameras& cameras, const MotionSource& motion = {},
                           const Trace& trace = {});

  // images [B, V, 3, H, W] in [0, 1]: the first num_inputs views condition the scene, the others are
  // rendered. The trace follows the cameras, the motion of the inputs, the scene and the target renderings;
  // the motion of the targets and the renderings of the inputs pass unseen.
  Prediction forward(const torch::Tensor& images, int64_t num_inputs, const ForwardOptions& options = {},
                     const Trace& trace = {});

 private:
  torch::Tensor MotionLogits(const ViewTokens& views, const torch::Tensor& ray_tokens,
                             const torch::Tensor& dino_features, const Trace& trace);

  MotionEstimator motion_estimator_{nullptr};  // motion_mask_predictor
  torch::Tensor noise_token_;                  // noise_token [1, 1, d]; undefined with TokenMasking::kZero
};
TORCH_MODULE(WildRayZer);

}  // namespace wildrayzer
