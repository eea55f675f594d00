// The renderer of SceneLayout::kTokens: the ray tokens of a view attend to each other and to the scene's
// tokens, which stay as they are. (With kCodes, as published, a BlockStack carries the scene's tokens along
// and computes them anew in every block of every view.) The scene's keys and values are computed once.
//
// B scenes, T views of each, n tokens a view, S scene tokens, h heads of size D, d = h D.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wildrayzer/models/token_set.h"
#include "wildrayzer/models/trace.h"
#include "wildrayzer/nn/layers.h"

namespace wildrayzer {

// A scene as one block sees it: keys (normalised) and values, each [B, S, h, D].
struct KeysAndValues {
  torch::Tensor keys, values;
};

// Attention of tokens to a scene, with RMS-normalised queries and keys. Children: to_q (d -> d), to_kv
// (d -> 2d), fc (d -> d), q_norm, k_norm (head size); no biases.
class CrossAttentionImpl : public torch::nn::Module {
 public:
  CrossAttentionImpl(int64_t width, int64_t head_size);
  // scene [B, S, d].
  KeysAndValues Remember(const torch::Tensor& scene);
  // x [B, N, d] -> [B, N, d]; counts: as in TokenSet, of the scene's tokens.
  torch::Tensor forward(const torch::Tensor& x, const KeysAndValues& scene, const torch::Tensor& counts);
  // Normalised queries [B, N, h, D].
  torch::Tensor Queries(const torch::Tensor& x);
  // The type in which x is read.
  torch::ScalarType input_type() const { return to_q_->compute_type(); }

 private:
  torch::Tensor Heads(const torch::Tensor& flat) const;

  int64_t head_size_;
  Linear to_q_{nullptr};
  Linear to_kv_{nullptr};
  Linear fc_{nullptr};
  RmsNorm q_norm_{nullptr};
  RmsNorm k_norm_{nullptr};
};
TORCH_MODULE(CrossAttention);

// x += attn(norm1(x)) within each view; x += cross_attn(norm_cross(x), scene); x += mlp(norm2(x)). Children:
// norm1, attn, norm_cross, cross_attn, norm2, mlp.
class CrossBlockImpl : public torch::nn::Module {
 public:
  CrossBlockImpl(int64_t width, int64_t head_size);
  KeysAndValues Remember(const torch::Tensor& scene) { return cross_attn_->Remember(scene); }
  // x [B, T, n, d] -> same shape.
  torch::Tensor forward(const torch::Tensor& x, const KeysAndValues& scene, const torch::Tensor& counts);
  // What x asks the scene with: [B, T n, h, D].
  torch::Tensor Queries(const torch::Tensor& x);

 private:
  // After attention within each view: [B, T n, d], since to the scene a token is a token, whatever its view.
  torch::Tensor WithinViews(const torch::Tensor& x);

  LayerNorm norm1_{nullptr};
  SelfAttention attn_{nullptr};
  LayerNorm norm_cross_{nullptr};
  CrossAttention cross_attn_{nullptr};
  LayerNorm norm2_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(CrossBlock);

// A stack of them. Children: "0", "1", ...
class CrossStackImpl : public torch::nn::Module {
 public:
  CrossStackImpl(int64_t layers, int64_t width, int64_t head_size);

  // The scene [B, S, d] for all blocks.
  std::vector<KeysAndValues> Remember(const torch::Tensor& scene);
  // x [B, T, n, d] -> same shape. scene: one for each block, from Remember. With trace.record every block's
  // output is recorded as "`name`.i".
  torch::Tensor forward(const torch::Tensor& x, const std::vector<KeysAndValues>& scene,
                        const torch::Tensor& counts, const std::string& name, const Trace& trace = {},
                        torch::Tensor* looks = nullptr);
  // The block whose queries are given in `looks` [B, T n, h, D]: the middle one, which has been told by those
  // before it how far away things are.
  size_t LookingBlock() const { return blocks_.size() / 2; }

  // Gradient checkpointing, as in BlockStack.
  void RecomputeBlocks(int64_t every) { recompute_every_ = every; }

 private:
  // Blocks [first, end).
  torch::Tensor Run(size_t first, size_t end, const torch::Tensor& x, const std::vector<KeysAndValues>& scene,
                    const torch::Tensor& counts);
  // The same, computed again in the backward pass.
  torch::Tensor RunRecomputed(size_t first, size_t end, const torch::Tensor& x,
                              const std::vector<KeysAndValues>& scene, const torch::Tensor& counts);

  std::vector<CrossBlock> blocks_;
  int64_t recompute_every_ = 0;
};
TORCH_MODULE(CrossStack);

}  // namespace wildrayzer
