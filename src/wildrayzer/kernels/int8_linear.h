// Matrix products in 8-bit integers: weights with one scale an output, activations with one a token.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// weight[n, k] = scales[n] values[n, k].
struct Int8Matrix {
  torch::Tensor values;  // [out, in] int8 of the processor's memory, row-major
  torch::Tensor scales;  // [out] float32
};

// Rounds a matrix [out, in] of floating-point numbers (io/dtype_conversion.h says how).
Int8Matrix QuantizeMatrix(const torch::Tensor& weight);
// [out, in] float32.
torch::Tensor DequantizeMatrix(const Int8Matrix& matrix);

// y = act(x weight^T + bias) with act the identity or GELU: x [..., in] float32, every token rounded to 8
// bits by its largest magnitude, bias [out] float32 or undefined; y [..., out] float32. Every processor gives
// the same bits (int8_kernels.h). Not differentiable.
torch::Tensor Int8LinearProduct(const torch::Tensor& x, const Int8Matrix& weight, const torch::Tensor& bias,
                                bool gelu);

}  // namespace wildrayzer
