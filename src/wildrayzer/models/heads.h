// Small pieces between the transformers: patches, tokenizers and two-layer perceptrons. Whatever the
// precision of the weights, their outputs are float32, because they join the residual stream or the geometry.
#pragma once

#include <cstdint>

#include "wildrayzer/nn/layers.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// [N, C, H, W] -> [N, n, p * p * C], n = (H / p)(W / p) patches in row-major order; the values of a patch are
// ordered by (row, column, channel), channel fastest. H and W must be multiples of p.
torch::Tensor Patchify(const torch::Tensor& images, int64_t patch);

// The exact inverse: [N, n, p * p * C] -> [N, C, height, width].
torch::Tensor Unpatchify(const torch::Tensor& patches, int64_t patch, int64_t height, int64_t width);

// Patchify and a linear map without bias. Child: "1".
class PatchTokenizerImpl : public torch::nn::Module {
 public:
  PatchTokenizerImpl(int64_t channels, int64_t patch, int64_t d);
  // [N, channels, H, W] -> [N, n, d].
  torch::Tensor forward(const torch::Tensor& images);

 private:
  int64_t patch_;
  Linear projection_{nullptr};
};
TORCH_MODULE(PatchTokenizer);

// Linear, SiLU, Linear, both with bias. Children: "0", "2".
class SiluMlpImpl : public torch::nn::Module {
 public:
  SiluMlpImpl(int64_t in, int64_t hidden, int64_t out);
  // [..., in] -> [..., out].
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Linear first_{nullptr};
  Linear second_{nullptr};
};
TORCH_MODULE(SiluMlp);

enum class Activation { kSilu, kGelu };

// LayerNorm, Linear(in -> out), activation, Linear(out -> out), Linears with bias. Children: "0", "1", "3".
class FusionMlpImpl : public torch::nn::Module {
 public:
  FusionMlpImpl(int64_t in, int64_t out, Activation activation);
  // [..., in] -> [..., out].
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Activation activation_;
  LayerNorm norm_{nullptr};
  Linear first_{nullptr};
  Linear second_{nullptr};
};
TORCH_MODULE(FusionMlp);

// LayerNorm, Linear. Children: "0", "1".
class NormLinearImpl : public torch::nn::Module {
 public:
  NormLinearImpl(int64_t in, int64_t out, bool bias);
  // [..., in] -> [..., out].
  torch::Tensor forward(const torch::Tensor& x);

 private:
  LayerNorm norm_{nullptr};
  Linear projection_{nullptr};
};
TORCH_MODULE(NormLinear);

}  // namespace wildrayzer
