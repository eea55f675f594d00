// int8 products for AVX2 with VNNI, which adds four products of bytes a lane at once.
#include "wildrayzer/kernels/int8_simd.h"

#if defined(__AVXVNNI__)
#include <immintrin.h>

namespace wildrayzer {
namespace {

struct AvxVnniWords : BytesInWords<8> {
  using Int = Vectors<8>::Int;
  static Int Add(Int sums, uint32_t left, Int right) {
    const __m256i repeated = _mm256_set1_epi32(static_cast<int>(left));
    return (Int)_mm256_dpbusd_avx_epi32((__m256i)sums, repeated, (__m256i)right);
  }
};
constexpr Int8Kernels kInt8 = Int8Path<AvxVnniWords, 2>::Kernels("avx_vnni");

}  // namespace
const Int8Kernels* const kAvxVnniInt8 = &kInt8;
}  // namespace wildrayzer

#else
namespace wildrayzer {
const Int8Kernels* const kAvxVnniInt8 = nullptr;
}  // namespace wildrayzer
#endif
