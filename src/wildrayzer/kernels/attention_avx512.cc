// Attention for AVX-512; compiled for those instructions, called only where they exist.
#include "wildrayzer/kernels/attention_backward.h"
#include "wildrayzer/kernels/attention_forward.h"

namespace wildrayzer {
#if defined(__AVX512F__)
namespace {
constexpr AttentionForwardKernels kForward = ForwardKernels<Fp32Operands<16, 4>>("avx512");
constexpr AttentionBackwardKernels kBackward = BackwardKernels<Fp32Products<16, 4>>("avx512");
}  // namespace
const AttentionForwardKernels* const kAvx512Forward = &kForward;
const AttentionBackwardKernels* const kAvx512Backward = &kBackward;
#else
const AttentionForwardKernels* const kAvx512Forward = nullptr;
const AttentionBackwardKernels* const kAvx512Backward = nullptr;
#endif
}  // namespace wildrayzer
