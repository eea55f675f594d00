// Where every patch of a view appears in another view, to a fraction of a patch.
#pragma once

#include <cstdint>

#include "wildrayzer/geometry/bundle_adjustment.h"
#include "wildrayzer/nn/layers.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Matches of V views of n patches: of each view in the first one, and of the first in the second, so that
// what moves shows there too (of a single view, in itself). m cells a view.
struct ViewMatches {
  torch::Tensor place;  // [B, V, n, 2] float32: (u, v) of each patch's centre in the other view, in [0, 1]
  torch::Tensor confidence;  // [B, V, n] float32 in [0, 1]: how much of the probability is near that place
  // [B, V - 1, n, m]: how alike the centre of a patch of the views after the first and each cell of the first
  // are, cells row by row; undefined for one view and when no gradient is recorded.
  torch::Tensor logits;
  // Of points every 8 pixels of each view (of the first 8) in all others, without gradient; undefined unless
  // asked for, and for one view.
  PointMatches of_points;
};

// A convolution of 3 x 3 pixels, LayerNorm over channels, ReLU. Children: "0", "1".
class ConvolutionStepImpl : public torch::nn::Module {
 public:
  ConvolutionStepImpl(int64_t in, int64_t out, int64_t stride);
  // [N, in, h, w] -> [N, out, h / stride, w / stride] in the type of the kernel, channels last in memory.
  torch::Tensor forward(const torch::Tensor& map);

 private:
  Conv2d convolution_{nullptr};
  LayerNorm norm_{nullptr};
};
TORCH_MODULE(ConvolutionStep);

// Descriptors of cells of 4 x 4 pixels, which see 39 pixels around them, compared between views all with all
// (as in RAFT, Teed and Deng 2020). Attention between patches finds matches too, but to about half a patch,
// and has to learn anew for every place within a patch what convolutions know for all of them; cameras are
// read off exact matches many times sooner.
// Children: halve0, halve1, refine1, halve2, refine2 (ConvolutionStep), fine, coarse (Linear), q_norm, k_norm
// (RmsNorm), embedding (Linear).
class ViewMatcherImpl : public torch::nn::Module {
 public:
  static constexpr int64_t kCell = 4;  // pixels of a cell's side

  // patch: a multiple of 8, so that a patch's centre is where four cells meet.
  ViewMatcherImpl(int64_t patch, int64_t d);
  // images [B, V, 3, H, W] in [-1, 1]. of_points: whether to find these, too.
  ViewMatches forward(const torch::Tensor& images, bool of_points = false);
  // What tokens are told of the matches of views of rows x columns patches: [B, V, n, d] float32.
  torch::Tensor Tell(const ViewMatches& matches, int64_t rows, int64_t columns);

 private:
  // [N, 3, H, W] -> [N, H / 4, W / 4, C] float32.
  torch::Tensor Describe(const torch::Tensor& images);

  int64_t patch_;
  ConvolutionStep halve0_{nullptr}, halve1_{nullptr}, refine1_{nullptr}, halve2_{nullptr}, refine2_{nullptr};
  Linear fine_{nullptr}, coarse_{nullptr};
  RmsNorm q_norm_{nullptr}, k_norm_{nullptr};
  Linear embedding_{nullptr};
};
TORCH_MODULE(ViewMatcher);

}  // namespace wildrayzer
