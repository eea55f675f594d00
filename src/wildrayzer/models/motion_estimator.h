// Motion estimator: which pixels of a view belong to things that move (method.md section 4).
#pragma once

#include <vector>

#include "wildrayzer/models/block_stack.h"
#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/mask_decoder.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/models/view_comparison.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Registered in the model as motion_mask_predictor.
class MotionEstimatorImpl : public torch::nn::Module {
 public:
  explicit MotionEstimatorImpl(const ModelConfig& config);

  // All views' tokens lie on a grid of rows x columns patches, n = rows * columns.
  //   dino_features  [B, V, dino_width, h, w]: patch features of the frozen DINOv3 (after its last norm);
  //   resized
  //                  bilinearly when h x w differs from the grid.
  //   image_tokens   [B, V, n, d]: with position code, before the camera estimator.
  //   ray_tokens     [B, V, n, d]: of the conditioning tokenizer for input views, of the render tokenizer for
  //   targets.
  // -> logits [B, V, 1, height, width]; sigmoid gives the probability of motion.
  //   images         [B, V, 3, H, W] in [-1, 1], and others, what the other views show there: read with
  //                  motion.compare only.
  // With motion.cross_view the views of one call attend to each other, otherwise each view is on its own;
  // samples of the batch are always independent.
  torch::Tensor forward(const torch::Tensor& dino_features, const torch::Tensor& image_tokens,
                        const torch::Tensor& ray_tokens, int64_t rows, int64_t columns, int64_t height,
                        int64_t width, const Trace& trace = {}, const torch::Tensor& images = {},
                        const WarpedInputs& others = {});

 private:
  // [V', dino_width, h, w] -> [V', n, dino_width].
  torch::Tensor DinoTokens(const torch::Tensor& features, int64_t rows, int64_t columns) const;
  // [N, d, rows, columns] -> [N, 1, 16 rows, 16 columns].
  torch::Tensor Decode(const torch::Tensor& map, const Trace& trace);

  bool cross_view_;
  int64_t dino_width_;
  NormLinear dino_projection_{nullptr};
  NormLinear image_projection_{nullptr};
  NormLinear ray_projection_{nullptr};
  FusionMlp fusion_{nullptr};
  BlockStack transformer_{nullptr};
  NormLinear readout_{nullptr};
  MapEntry entry_{nullptr};
  std::vector<MapUpsampler> upsamplers_;
  std::vector<MapRefiner> refiners_;
  MaskHead head_{nullptr};
  ViewComparison comparison_{nullptr};  // with motion.compare
};
TORCH_MODULE(MotionEstimator);

}  // namespace wildrayzer
