// Pixels that need not be invented: the renderer may copy them from the inputs.
#pragma once

#include <cstdint>

#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/input_surface.h"

namespace wildrayzer {

// Tells the renderer's tokens what the warped inputs show, and lets it choose, pixel by pixel, between them
// and its own picture. Children: tokenizer (PatchTokenizer of image, sure, spread, support), gate
// (NormLinear). With both at zero tokens are as without, and pictures half and half where inputs are sure.
class CopyHeadImpl : public torch::nn::Module {
 public:
  CopyHeadImpl(int64_t patch, int64_t d);
  // What tokens of T views are told: [B, T, n, d].
  torch::Tensor Tell(const WarpedInputs& warped);
  // How much of every pixel may be copied, [B, T, 1, height, width], from the renderer's tokens [B, T, n, d].
  torch::Tensor Gate(const torch::Tensor& tokens, int64_t height, int64_t width);

 private:
  int64_t patch_;
  PatchTokenizer tokenizer_{nullptr};
  NormLinear gate_{nullptr};
};
TORCH_MODULE(CopyHead);

// The picture [B, T, 3, H, W] with copies, from the renderer's own.
torch::Tensor MixCopies(const torch::Tensor& rendered, const torch::Tensor& gate, const WarpedInputs& warped);
// That picture enlarged to s times as many pixels a side, with what the inputs, warped with so many, show
// beyond what they show at the picture's size.
torch::Tensor AddDetail(const torch::Tensor& mixed, const torch::Tensor& gate, const WarpedInputs& warped,
                        const WarpedInputs& detailed);

}  // namespace wildrayzer
