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
  // The picture [B, T, 3, H, W] with copies, from the renderer's own and its tokens [B, T, n, d].
  torch::Tensor Mix(const torch::Tensor& rendered, const torch::Tensor& tokens, const WarpedInputs& warped);

 private:
  int64_t patch_;
  PatchTokenizer tokenizer_{nullptr};
  NormLinear gate_{nullptr};
};
TORCH_MODULE(CopyHead);

}  // namespace wildrayzer
