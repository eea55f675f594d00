#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/norm_kernels.h"

namespace wildrayzer {

const NormKernels& SelectNorm() {
  const SimdLevel level = AvailableSimd();
  if (level >= SimdLevel::kAvx512 && kAvx512Norm != nullptr) return *kAvx512Norm;
  if (level >= SimdLevel::kAvx2 && kAvx2Norm != nullptr) return *kAvx2Norm;
  return *kPortableNorm;
}

}  // namespace wildrayzer
