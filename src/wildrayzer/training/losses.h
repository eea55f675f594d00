// What the four training stages minimise (method.md section 6): photometric and perceptual losses of the
// target views, restricted to what stands still where that is known, and the motion masks' losses.
//
// B scenes, T target and K input views, H x W pixels. One formula serves all stages; a stage is a choice of
// weights and of which inputs are given:
//   stage 1, 3  rendering, target
//   stage 2     logits, labels and the renderings' PSNR, mse = perceptual = 0, motion = 1, psnr_gate = 17
//   stage 4     also input logits and labels, static_pixels_only
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "wildrayzer/training/number.h"
#include "wildrayzer/training/perceptual_loss.h"
#include "wildrayzer/training/piece_sums.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct LossOptions {
  double mse = 1.0;
  double perceptual = 0.2;
  double motion = 1.0;  // of the mask losses: target views + input views
  // lambda_s and lambda_p of stage 4: what a dynamic scene's and any other scene's errors are multiplied by.
  double dynamic_scenes = 1.0;
  double other_scenes = 1.0;

  // Dynamic scenes count only where their target logits say static: sigmoid <= motion_threshold.
  bool static_pixels_only = false;
  double motion_threshold = 0.1;
  // With less than this share of static pixels in the whole batch all pixels count.
  double minimum_static = 0.1;
  // Target views rendered worse than this (dB, over the pixels that count) do not teach the target masks.
  std::optional<double> psnr_gate;
  // Share of the target masks' loss that is taken on the logits of the same views in the role of inputs,
  // whose rays pass another tokenizer: without it nothing in stage 2 teaches the estimator to read that one.
  // 0: as released.
  double masks_as_inputs = 0.0;
  // What moves covers a tenth of the pixels. Its part of the cross entropy is multiplied by the first, and
  // the second times Dice's distance, which weighs the mask and the rest of the view alike, is added. 1 and
  // 0: as released.
  double mask_positive_weight = 1.0;
  double mask_dice = 0.0;
};

// Tensors may be undefined where said. Nothing but rendering and logits receives gradients.
struct LossInputs {
  torch::Tensor rendering;      // [B, T, 3, H, W] in [0, 1]; undefined: masks alone are judged
  torch::Tensor target;         // [B, T, 3, H, W]: the clean pictures
  torch::Tensor target_psnr;    // [B, T] dB, for the gate; undefined: measured on the rendering
  torch::Tensor target_logits;  // [B, T, 1, h, w] of motion; undefined: no masks
  torch::Tensor
      logits_as_inputs;         // [B, T, 1, h, w]: the same views in the role of inputs; needed if asked for
  torch::Tensor target_labels;  // [B, T, 1, H', W'], any type, 1 = moves; undefined: no target mask loss
  torch::Tensor input_logits;   // [B, K, 1, h, w]
  torch::Tensor input_labels;   // [B, K, 1, H', W']; undefined: no input mask loss
  // Which scenes have input labels (those with pasted objects); empty: all. The others' are ignored: all-zero
  // masks must not teach that nothing moves.
  std::vector<bool> scene_has_input_labels;
  // Which scenes have things that move (besides pasted ones); empty: all.
  std::vector<bool> scene_is_dynamic;
};

// Of a batch worked on in pieces, everything but `total` and `view_psnr` is of the whole batch. Nothing has
// been read: see number.h.
struct LossTerms {
  // Scalar float32: mse MSE + perceptual Percep + motion (target + input mask losses). A piece's part of it;
  // the parts add up to the loss of the batch.
  torch::Tensor total;
  Number loss;         // value of the whole
  Number mse;          // over the pixels that count
  Number psnr;         // of mse, dB
  Number perceptual;   // 0 with weight 0: not computed
  Number target_mask;  // of the target views that pass the gate; 0 when none does
  Number input_mask;
  torch::Tensor view_psnr;  // [B T] float64, over the pixels that count; undefined without renderings
  Number gated_views;       // target views kept out of the mask loss
  Number taught_views;      // target views in it
  Number static_share = 1;  // of the target pixels, by the logits
  Number all_pixels = 1;    // 1: no static mask was applied, as none was asked for or too little was static
};

class Losses {
 public:
  // perceptual may be null when its weight is 0 (Error otherwise).
  Losses(const LossOptions& options, std::shared_ptr<const PerceptualLoss> perceptual);

  // Error when shapes do not fit together. sum: over the pieces of the batch of which `inputs` are one; means
  // over views, pixels and scenes are those of the whole batch.
  LossTerms operator()(const LossInputs& inputs, const SumOverPieces& sum = {}) const;

  const LossOptions& options() const { return options_; }

 private:
  // [B T, H, W] uint8, 1 = counts; undefined when all pixels count.
  torch::Tensor StaticMask(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const;
  // Weighted sums of terms; they fill in what they are named after.
  torch::Tensor Reconstruction(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const;
  torch::Tensor Masks(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const;
  // Loss [B T] and weight (1: counts) of every target view.
  torch::Tensor TargetMaskLosses(const LossInputs& inputs) const;
  // 1 for every target view that may teach masks: [B T] float32.
  torch::Tensor PassesGate(const LossInputs& inputs, const LossTerms& terms) const;

  LossOptions options_;
  std::shared_ptr<const PerceptualLoss> perceptual_;
};

// The masks' loss of a view: logits [N, 1, h, w], labels [N, 1, H, W] in [0, 1], any type -> [N]. Logits of
// another size are resized bilinearly (align_corners = false) to the labels'. With p = sigmoid(logit), y the
// label, w = positive_weight and means over pixels:
//   mean(-w y log p - (1 - y) log(1 - p)) + dice (1 - (2 mean(p y) + e) / (mean(p) + mean(y) + e)), e = 0.01,
// the second term (Milletari et al. 2016) with e so large that a view without motion has a say in it.
torch::Tensor MaskLosses(const torch::Tensor& logits, const torch::Tensor& labels,
                         double positive_weight = 1.0, double dice = 0.0);

}  // namespace wildrayzer
