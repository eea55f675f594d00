// int8 products for AVX-512 without VNNI: numbers are widened to 16 bits, as for AVX2.
#include "wildrayzer/kernels/int8_simd.h"

#if defined(__AVX512BW__)
#include <immintrin.h>

namespace wildrayzer {
namespace {

struct Avx512Words : ShortsInWords<16> {
  using Int = Vectors<16>::Int;
  static Int Add(Int sums, uint32_t left, Int right) {
    const __m512i both = _mm512_madd_epi16(_mm512_set1_epi32(static_cast<int>(left)), (__m512i)right);
    return (Int)_mm512_add_epi32((__m512i)sums, both);
  }
};
constexpr Int8Kernels kInt8 = Int8Path<Avx512Words, 4>::Kernels("avx512");

}  // namespace
const Int8Kernels* const kAvx512Int8 = &kInt8;
}  // namespace wildrayzer

#else
namespace wildrayzer {
const Int8Kernels* const kAvx512Int8 = nullptr;
}  // namespace wildrayzer
#endif
