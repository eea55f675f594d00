// What differs between the versions of LibTorch that this program is built with: 1.13 (Debian's, CPU) and 2.x
// (checked with 2.11, CPU and CUDA). Nothing else in the sources asks for a version.
#pragma once

#include <torch/version.h>

#include <vector>

#include "wildrayzer/util/tensor.h"

#if TORCH_VERSION_MAJOR >= 2
#define WILDRAYZER_TORCH_2 1
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#else
#define WILDRAYZER_TORCH_2 0
#endif

namespace wildrayzer {

// "2.11.0".
inline constexpr char kTorchVersion[] = TORCH_VERSION;
// Devices other than the CPU need the fused operations of 2.x.
inline constexpr bool kHasDeviceOperations = WILDRAYZER_TORCH_2 != 0;

// to[i] = from[i], whatever their types, in as few operations as the version knows. Records no gradient.
inline void CopyAll(const std::vector<torch::Tensor>& to, const std::vector<torch::Tensor>& from) {
  const torch::NoGradGuard no_grad;
  if (to.empty()) return;
#if WILDRAYZER_TORCH_2
  at::_foreach_copy_(to, from);
#else
  for (size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
#endif
}

}  // namespace wildrayzer
