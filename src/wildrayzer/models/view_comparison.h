// Each view beside what the other views show in its place: the difference is what moves, what was hidden, or
// what was warped wrongly.
#pragma once

#include <cstdint>

#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/input_surface.h"
#include "wildrayzer/models/mask_decoder.h"

namespace wildrayzer {

// Looks at cells of 4 x 4 pixels, because patches are too coarse for outlines. With `tell` and `logits` at
// zero, as they begin, the motion estimator is as without.
// Children: tokenizer (PatchTokenizer), look0, look1, outline (MapRefiner), context (NormLinear), tell,
// logits (Linear).
class ViewComparisonImpl : public torch::nn::Module {
 public:
  static constexpr int64_t kCell = 4;  // pixels of a cell's side

  // patch: a multiple of kCell.
  ViewComparisonImpl(int64_t patch, int64_t d);
  // images [B, V, 3, H, W] in [-1, 1] and what the others show there (without `image`: nothing) -> features
  // of cells, [B V, C, H / 4, W / 4].
  torch::Tensor forward(const torch::Tensor& images, const WarpedInputs& others);
  // What the tokens of patches are told: [B V, n, d] float32.
  torch::Tensor Tell(const torch::Tensor& features);
  // What is added to motion logits, [B V, 1, H, W] float32; tokens [B V, d, rows, columns] float32 tell what
  // to look for.
  torch::Tensor Outline(const torch::Tensor& features, const torch::Tensor& tokens);

 private:
  int64_t patch_;
  PatchTokenizer tokenizer_{nullptr};
  MapRefiner look0_{nullptr}, look1_{nullptr}, outline_{nullptr};
  NormLinear context_{nullptr};
  Linear tell_{nullptr}, logits_{nullptr};
};
TORCH_MODULE(ViewComparison);

}  // namespace wildrayzer
