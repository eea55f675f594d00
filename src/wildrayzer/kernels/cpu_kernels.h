// Which tensors take our kernels; all others are for ATen.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

inline bool HasCpuKernels(const torch::Tensor& x) {
  return x.device().is_cpu() && (x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kBFloat16);
}

}  // namespace wildrayzer
