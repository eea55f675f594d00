// Small pieces between the transformers: patches, tokenizers and two-layer perceptrons. Whatever the
// precision of the weights, their outputs are float32, because they join the residual stream or the geometry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wildrayzer/models/trace.h"
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

// A stack of transformer blocks. Children: "0", "1", ...
class BlockStackImpl : public torch::nn::Module {
 public:
  BlockStackImpl(int64_t layers, int64_t d, int64_t d_head);
  // x [B, N, d] -> [B, `wanted`, d]: the outputs of the first `wanted` tokens (1 <= wanted <= N). The last
  // block asks for those only, which changes nothing in their values. With trace.record the whole [B, N, d]
  // is computed and recorded as "`name`.i", and the first `wanted` tokens are returned. `tap` receives all
  // tokens as they enter block `tap->layer`.
  struct Tap {
    int64_t layer = 0;
    torch::Tensor tokens;  // [B, N, d]
  };
  torch::Tensor forward(const torch::Tensor& x, int64_t wanted, const std::string& name,
                        const Trace& trace = {}, Tap* tap = nullptr);

  const std::vector<Block>& blocks() const { return blocks_; }

  // Gradient checkpointing: of every `every` blocks in a row only the input is kept for the backward pass,
  // and they are computed again in it. 0: everything is kept.
  void RecomputeBlocks(int64_t every) { recompute_every_ = static_cast<size_t>(every); }

 private:
  // Blocks [first, end); the last of the stack answers for `wanted` tokens.
  torch::Tensor Run(size_t first, size_t end, const torch::Tensor& x, int64_t wanted);
  std::vector<torch::Tensor> ParametersOf(size_t first, size_t end) const;

  std::vector<Block> blocks_;
  size_t recompute_every_ = 0;
};
TORCH_MODULE(BlockStack);

}  // namespace wildrayzer
