// Attention for AVX2 + FMA; compiled for those instructions, called only where they exist.
#include "wildrayzer/kernels/attention_backward.h"
#include "wildrayzer/kernels/attention_forward.h"

namespace wildrayzer {
#if defined(__AVX2__)
namespace {
constexpr AttentionForwardKernels kForward = ForwardKernels<Fp32Operands<8, 2>>("avx2");
constexpr AttentionBackwardKernels kBackward = BackwardKernels<Fp32Products<8, 2>>("avx2");
}  // namespace
const AttentionForwardKernels* const kAvx2Forward = &kForward;
const AttentionBackwardKernels* const kAvx2Backward = &kBackward;
#else
const AttentionForwardKernels* const kAvx2Forward = nullptr;
const AttentionBackwardKernels* const kAvx2Backward = nullptr;
#endif
}  // namespace wildrayzer
