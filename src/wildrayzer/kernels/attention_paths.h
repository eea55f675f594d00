// The ways to compute attention behind Attention(): kernels on the CPU, ATen for its other dtypes, and
// LibTorch's fused operation on GPUs.
#pragma once

#include <tuple>

#include "wildrayzer/kernels/attention_kernels.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct AttentionResult {
  torch::Tensor out;  // [B, H, Nq, D], memory [B, Nq, H, D], dtype of q
  torch::Tensor lse;  // [B, H, Nq] float32 (float64 for float64 inputs): log of the softmax sums; undefined
                      // if not asked for
};
using AttentionGradients =
    std::tuple<torch::Tensor, torch::Tensor, torch::Tensor>;  // of q, k, v, in their dtype

// CPU, float32 or bfloat16, last dimension contiguous.
AttentionResult AttentionForwardCpu(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                    double scale, bool want_lse, const AttentionForwardKernels& kernels);
AttentionGradients AttentionBackwardCpu(const torch::Tensor& q, const torch::Tensor& k,
                                        const torch::Tensor& v, const AttentionResult& result,
                                        const torch::Tensor& grad_out, double scale,
                                        const AttentionBackwardKernels& kernels);

// LibTorch 2's own, any device and floating-point dtype; differentiable. key_counts as in Attention(). Error
// with LibTorch 1.
torch::Tensor AttentionFused(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             double scale, const torch::Tensor& key_counts = {});

// Any floating-point dtype, a bounded number of scores at a time.
AttentionResult AttentionForwardAten(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                     double scale);
AttentionGradients AttentionBackwardAten(const torch::Tensor& q, const torch::Tensor& k,
                                         const torch::Tensor& v, const AttentionResult& result,
                                         const torch::Tensor& grad_out, double scale);

}  // namespace wildrayzer
