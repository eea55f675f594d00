// Normalisation for AVX2; compiled for those instructions, called only where they exist.
#include "wildrayzer/kernels/norm_simd.h"

namespace wildrayzer {
#if defined(__AVX2__)
namespace {
constexpr NormKernels kNorm = MakeNormKernels<8>("avx2");
}  // namespace
const NormKernels* const kAvx2Norm = &kNorm;
#else
const NormKernels* const kAvx2Norm = nullptr;
#endif
}  // namespace wildrayzer
