// Attention for any processor: vectors of four, which the compiler maps to SSE2, NEON or plain code.
#include "wildrayzer/kernels/attention_backward.h"
#include "wildrayzer/kernels/attention_forward.h"

namespace wildrayzer {
namespace {
constexpr AttentionForwardKernels kForward = ForwardKernels<Fp32Operands<4, 2>>("portable");
constexpr AttentionBackwardKernels kBackward = BackwardKernels<Fp32Products<4, 2>>("portable");
}  // namespace
const AttentionForwardKernels* const kPortableForward = &kForward;
const AttentionBackwardKernels* const kPortableBackward = &kBackward;
}  // namespace wildrayzer
