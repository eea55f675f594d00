#include "wildrayzer/kernels/attention_kernels.h"
#include "wildrayzer/kernels/cpu_features.h"

namespace wildrayzer {

const AttentionForwardKernels& SelectAttentionForward(bool bf16) {
  const SimdLevel level = AvailableSimd();
  if (bf16 && level >= SimdLevel::kAvx512Bf16 && kAvx512Bf16Forward != nullptr) return *kAvx512Bf16Forward;
  if (level >= SimdLevel::kAvx512 && kAvx512Forward != nullptr) return *kAvx512Forward;
  if (level >= SimdLevel::kAvx2 && kAvx2Forward != nullptr) return *kAvx2Forward;
  return *kPortableForward;
}

const AttentionBackwardKernels& SelectAttentionBackward() {
  const SimdLevel level = AvailableSimd();
  if (level >= SimdLevel::kAvx512 && kAvx512Backward != nullptr) return *kAvx512Backward;
  if (level >= SimdLevel::kAvx2 && kAvx2Backward != nullptr) return *kAvx2Backward;
  return *kPortableBackward;
}

}  // namespace wildrayzer
