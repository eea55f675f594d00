// Layers of the transformers, with the parameter names of the published checkpoints.
//
// Mixed precision, one rule for all: parameters carry the precision. The residual stream is float32. Norms
// compute in float32 whatever the dtype of their weights and return the dtype of their input. A Linear has a
// compute type, to which it casts its input and which it returns; adding a branch to the residual stream
// promotes back to float32. So `to(kBFloat16)` on the Linear layers is all that bf16 inference needs, and
// `UseInt8` on those that shall multiply in 8 bits, which take float32 and return it. What a Linear keeps
// inside is its own business: nothing outside looks at it.
//
// Parameters are created uninitialised (no memory is touched, so that loading a checkpoint replaces them at
// no cost): fill them from a checkpoint or with nn/init.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wildrayzer/kernels/int8_linear.h"
#include "wildrayzer/kernels/norm.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// y = x weight^T + bias. Parameters: weight [out, in], bias [out] (optional); with a weight in int8 also
// weight_scale [out] (kernels/int8_linear.h).
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in_features, int64_t out_features, bool bias = false);
  // x [..., in] -> [..., out] in the compute type.
  torch::Tensor forward(const torch::Tensor& x);
  // gelu(forward(x)), in one pass in int8.
  torch::Tensor ForwardGelu(const torch::Tensor& x);
  // The outputs first .. first + count - 1 alone: [..., count].
  torch::Tensor ForwardOutputs(const torch::Tensor& x, int64_t first, int64_t count);
  // What it computes in and returns, whatever it is given.
  torch::ScalarType compute_type() const { return is_int8() ? torch::kFloat32 : weight_.scalar_type(); }

  // From now on the weight is this matrix in 8 bits, of the shape that it had; it can no longer be trained.
  void UseInt8(const Int8Matrix& matrix);
  // The same with its own weight, rounded.
  void RoundToInt8();
  // Back to floating-point numbers, float32, if the weight is in int8; rounding is not undone.
  void LeaveInt8();
  bool is_int8() const { return scale_.defined(); }

 private:
  torch::Tensor weight_;
  torch::Tensor scale_;  // [out], undefined unless the weight is in int8
  torch::Tensor bias_;   // undefined without bias
};
TORCH_MODULE(Linear);

// Convolution of maps with margins of zeros. Parameters: weight [out, in, kernel, kernel], bias [out]
// (optional). kernel is odd. Computes in the type of its weight, as a Linear does.
class Conv2dImpl : public torch::nn::Module {
 public:
  Conv2dImpl(int64_t in_channels, int64_t out_channels, int64_t kernel, bool bias = true, int64_t stride = 1);
  // [N, in, h, w] -> [N, out, h / stride, w / stride], rounded up, in the memory layout of the map.
  torch::Tensor forward(const torch::Tensor& map);

 private:
  int64_t stride_;
  torch::Tensor weight_;
  torch::Tensor bias_;  // undefined without bias
};
TORCH_MODULE(Conv2d);

// Group normalisation of maps, eps 1e-5. Parameters: weight [channels], bias [channels].
class GroupNormImpl : public torch::nn::Module {
 public:
  GroupNormImpl(int64_t groups, int64_t channels);
  // [N, channels, h, w] -> same shape.
  torch::Tensor forward(const torch::Tensor& map);

 private:
  int64_t groups_;
  torch::Tensor weight_;
  torch::Tensor bias_;
};
TORCH_MODULE(GroupNorm);

// Layer normalisation over the last dimension. Parameters: weight [size], bias [size] (optional).
class LayerNormImpl : public torch::nn::Module {
 public:
  explicit LayerNormImpl(int64_t size, bool bias = false, double eps = 1e-5);
  // x [..., size] -> same shape, computed in float32; in the dtype of x, or `type`: what reads the result.
  torch::Tensor forward(const torch::Tensor& x, std::optional<torch::ScalarType> type = std::nullopt);

 private:
  double eps_;
  torch::Tensor weight_;
  torch::Tensor bias_;  // undefined without bias
};
TORCH_MODULE(LayerNorm);

// y = weight x / sqrt(mean(x^2) + eps) over the last dimension. Parameter: weight [size].
class RmsNormImpl : public torch::nn::Module {
 public:
  explicit RmsNormImpl(int64_t size, double eps = 1e-5);
  // x [..., size] -> same shape and dtype, computed in float32.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  friend class SelfAttentionImpl;  // normalises queries and keys in one pass
  double eps_;
  torch::Tensor weight_;
};
TORCH_MODULE(RmsNorm);

// Multi-head self-attention with RMS-normalised queries and keys (method.md section 2). Children: to_qkv
// (width -> 3 width), fc (width -> width), q_norm, k_norm (head size); no biases.
class SelfAttentionImpl : public torch::nn::Module {
 public:
  // width must be a multiple of head_size.
  SelfAttentionImpl(int64_t width, int64_t head_size);
  // x [B, N, width] -> [B, n, width], n = queries if given (1 <= queries <= N), else N: only the first n
  // tokens ask, all N tokens answer; with key_counts [B] only the first key_counts[b] of sample b. Rows of
  // the result equal those of the full computation.
  torch::Tensor forward(const torch::Tensor& x, std::optional<int64_t> queries = std::nullopt,
                        const torch::Tensor& key_counts = {});
  // Queries, keys and values of all tokens.
  AttentionOperands Operands(const torch::Tensor& x);
  // The type in which x is read.
  torch::ScalarType input_type() const { return to_qkv_->compute_type(); }

 private:
  int64_t width_;
  int64_t head_size_;
  Linear to_qkv_{nullptr};
  Linear fc_{nullptr};
  RmsNorm q_norm_{nullptr};
  RmsNorm k_norm_{nullptr};
};
TORCH_MODULE(SelfAttention);

// Linear(width -> hidden), exact GELU, Linear(hidden -> width); no biases. Child: mlp, with children "0" and
// "2".
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(int64_t width, int64_t hidden);
  // x [..., width] -> same shape, in the compute type of its layers.
  torch::Tensor forward(const torch::Tensor& x);
  // The type in which x is read.
  torch::ScalarType input_type() const { return up_->compute_type(); }

 private:
  Linear up_{nullptr};
  Linear down_{nullptr};
};
TORCH_MODULE(Mlp);

// Pre-norm transformer block: x += attn(norm1(x)); x += mlp(norm2(x)). Children: norm1, attn, norm2, mlp.
class BlockImpl : public torch::nn::Module {
 public:
  // The MLP is mlp_ratio times as wide as the residual stream.
  BlockImpl(int64_t width, int64_t head_size, int64_t mlp_ratio = 4);
  // x [B, N, width] -> [B, n, width], n = queries if given, else N. With `queries` only the first n tokens
  // are computed and returned (their values are those of the full computation): what the last block of a
  // stack needs. key_counts: as in SelfAttention.
  torch::Tensor forward(const torch::Tensor& x, std::optional<int64_t> queries = std::nullopt,
                        const torch::Tensor& key_counts = {});
  // What its attention compares of x [B, N, width].
  AttentionOperands Operands(const torch::Tensor& x);

 private:
  LayerNorm norm1_{nullptr};
  SelfAttention attn_{nullptr};
  LayerNorm norm2_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(Block);

}  // namespace wildrayzer
