// Normalisation for AVX-512; compiled for those instructions, called only where they exist.
#include "wildrayzer/kernels/norm_simd.h"

namespace wildrayzer {
#if defined(__AVX512F__)
namespace {
constexpr NormKernels kNorm = MakeNormKernels<16>("avx512");
}  // namespace
const NormKernels* const kAvx512Norm = &kNorm;
#else
const NormKernels* const kAvx512Norm = nullptr;
#endif
}  // namespace wildrayzer
