// Normalisation with the instructions that every machine has.
#include "wildrayzer/kernels/norm_simd.h"

namespace wildrayzer {
namespace {
constexpr NormKernels kNorm = MakeNormKernels<4>("portable");
}  // namespace
const NormKernels* const kPortableNorm = &kNorm;
}  // namespace wildrayzer
