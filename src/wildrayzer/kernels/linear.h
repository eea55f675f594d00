// Matrix products of the network, in the precision of the weights.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// y = x weight^T + bias, computed in the weight's dtype: x [..., in] is cast to it, and y [..., out] has it.
// weight [out, in], bias [out] or undefined. float32 runs in the BLAS, bfloat16 in oneDNN. Differentiable.
torch::Tensor LinearProduct(const torch::Tensor& x, const torch::Tensor& weight,
                            const torch::Tensor& bias = {});

}  // namespace wildrayzer
