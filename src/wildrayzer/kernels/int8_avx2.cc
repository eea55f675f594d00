// int8 products for AVX2, whose products of bytes saturate: numbers are widened to 16 bits.
#include "wildrayzer/kernels/int8_simd.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace wildrayzer {
namespace {

struct Avx2Words : ShortsInWords<8> {
  using Int = Vectors<8>::Int;
  static Int Add(Int sums, uint32_t left, Int right) {
    const __m256i both = _mm256_madd_epi16(_mm256_set1_epi32(static_cast<int>(left)), (__m256i)right);
    return (Int)_mm256_add_epi32((__m256i)sums, both);
  }
};
constexpr Int8Kernels kInt8 = Int8Path<Avx2Words, 2>::Kernels("avx2");

}  // namespace
const Int8Kernels* const kAvx2Int8 = &kInt8;
}  // namespace wildrayzer

#else
namespace wildrayzer {
const Int8Kernels* const kAvx2Int8 = nullptr;
}  // namespace wildrayzer
#endif
