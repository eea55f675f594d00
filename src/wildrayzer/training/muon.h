// Muon's orthogonalisation (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks").
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// The quintic Newton-Schulz iteration X <- a X + (b A + c A A) X, A = X X^T, with the published coefficients
// (3.4445, -4.7750, 2.0315), started at matrix / |matrix|_F: an approximation of U V^T of the singular value
// decomposition, whose singular values lie in about [0.68, 1.13] (they do not converge to 1, by design) as
// far as they start above 0.01 or so.
// matrices [rows, columns], or [n, rows, columns] each on its own, float32 -> the same shape, float32.
// `dtype` is that of the products: float32 or bfloat16. Zero for a zero matrix. Records no gradient. Uses the
// calling thread's share of the machine.
torch::Tensor Orthogonalize(const torch::Tensor& matrices, int steps = 5,
                            torch::ScalarType dtype = torch::kFloat32);

}  // namespace wildrayzer
