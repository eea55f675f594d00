// A stack of transformer blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/models/trace.h"
#include "wildrayzer/nn/layers.h"

namespace wildrayzer {

// Children: "0", "1", ...
class BlockStackImpl : public torch::nn::Module {
 public:
  // alternating: every second block attends within views (forward says which tokens are whose).
  BlockStackImpl(int64_t layers, int64_t d, int64_t d_head, bool alternating = false);

  // All tokens as they enter block `layer`.
  struct Tap {
    int64_t layer = 0;
    torch::Tensor tokens;  // [B, N, d]
  };
  // x [B, N, d] -> [B, `wanted`, d]: the outputs of the first `wanted` tokens (1 <= wanted <= N). The last
  // block asks for those only, which changes nothing in their values. One trace step a block; with
  // trace.record the whole [B, N, d] is computed and recorded as "`name`.i". key_counts [B]: only so many of
  // a sample's first tokens answer (SelfAttention); empty: all. In an alternating stack the first `wanted`
  // tokens are one of each view, and equally many of each follow, view after view; key_counts must be
  // undefined.
  torch::Tensor forward(const torch::Tensor& x, int64_t wanted, const std::string& name,
                        const Trace& trace = {}, std::span<Tap> taps = {},
                        const torch::Tensor& key_counts = {});

  // What the attention of a block compares of the tokens [B, N, d] that enter it.
  AttentionOperands Operands(int64_t block, const torch::Tensor& tokens);

  // Gradient checkpointing: of every `every` blocks in a row only the input is kept for the backward pass,
  // and they are computed again in it. 0: everything is kept.
  void RecomputeBlocks(int64_t every) { recompute_every_ = every; }

 private:
  struct Asked {
    int64_t wanted;
    int64_t views;  // of an alternating stack
    torch::Tensor key_counts;
  };
  // Blocks [first, end); the last of the stack answers for `wanted` tokens.
  torch::Tensor Run(int64_t first, int64_t end, const torch::Tensor& x, const Asked& asked);
  // Block i, each view on its own; first_only: it answers for the first token of each view alone.
  torch::Tensor RunWithinViews(int64_t i, const torch::Tensor& x, int64_t views, bool first_only);
  // What Run gives, computed again in the backward pass.
  torch::Tensor RunRecomputed(int64_t first, int64_t end, const torch::Tensor& x, const Asked& asked);
  // Where runs end: at every block that must be seen from outside or recomputed from.
  std::vector<int64_t> RunEnds(bool each, std::span<const Tap> taps) const;

  int64_t layers() const { return static_cast<int64_t>(blocks_.size()); }

  std::vector<Block> blocks_;
  bool alternating_;
  int64_t recompute_every_ = 0;
};
TORCH_MODULE(BlockStack);

}  // namespace wildrayzer
