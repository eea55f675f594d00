// Normalisation of tokens and of attention heads in one pass over memory, with its derivatives. float32 and
// bfloat16 tensors on the CPU take our kernels, everything else is composed of ATen operations; inside it is
// always float32 (float64 for float64).
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// weight (x - mean) / sqrt(variance + eps) + bias over the last dimension. x [..., size], weight and bias
// [size] (bias may be undefined) -> the shape of x in `type`.
torch::Tensor LayerNormalize(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                             double eps, torch::ScalarType type);

// weight x / sqrt(mean(x^2) + eps) over the last dimension. x [..., size], weight [size] -> shape and dtype
// of x.
torch::Tensor RmsNormalize(const torch::Tensor& x, const torch::Tensor& weight, double eps);

// What attention takes, each [B, N, heads, size].
struct AttentionOperands {
  torch::Tensor q;
  torch::Tensor k;
  torch::Tensor v;  // shares memory with qkv, which must not be changed afterwards
};
// qkv [B, N, 3 heads size]: queries, keys and values of all heads side by side; queries and keys are
// RMS-normalised with q_weight and k_weight [size]. One backward pass writes the gradient of all of qkv.
AttentionOperands NormalizeQueriesAndKeys(const torch::Tensor& qkv, const torch::Tensor& q_weight,
                                          const torch::Tensor& k_weight, double eps);

}  // namespace wildrayzer
