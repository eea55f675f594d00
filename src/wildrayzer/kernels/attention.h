// Scaled dot-product attention that never holds the whole score matrix.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// softmax(scale q k^T) v, softmax over the keys of each head: all of them, or of sample b only the first
// key_counts[b] (0 .. Nk; 0: the result is zero; int64 [B], where q is).
//
//   q [B, H, Nq, D], k [B, H, Nk, D], v [B, H, Nk, D], all of one dtype (float32 or bfloat16) and on one
//   device. Returns [B, H, Nq, D] of the same dtype; in memory it is [B, Nq, H, D], so that
//   `.transpose(1, 2).reshape({B, Nq, H * D})` of the result is free.
//
// The inputs may be strided views, such as [B, N, H, D] transposed or slices of a fused qkv; nothing is
// copied as long as the last dimension is contiguous. Sums run in float32 for both dtypes. Differentiable
// (once); memory for either direction is linear in Nq + Nk: blocks of scores are recomputed in the backward
// pass from the logarithm of the softmax denominators (Dao et al. 2022, "FlashAttention"). The bits of the
// result do not depend on the number of threads. On a GPU it is LibTorch's own fused attention, and nothing
// is read there; other dtypes on the CPU go through the same arithmetic in ATen, a few query rows at a time.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, double scale,
                        const torch::Tensor& key_counts = {});

}  // namespace wildrayzer
