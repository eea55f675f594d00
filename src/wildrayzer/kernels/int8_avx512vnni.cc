// int8 products for AVX-512 with VNNI, which adds four products of bytes a lane at once.
#include "wildrayzer/kernels/int8_simd.h"

#if defined(__AVX512VNNI__)
#include <immintrin.h>

namespace wildrayzer {
namespace {

struct Avx512VnniWords : BytesInWords<16> {
  using Int = Vectors<16>::Int;
  static Int Add(Int sums, uint32_t left, Int right) {
    const __m512i repeated = _mm512_set1_epi32(static_cast<int>(left));
    return (Int)_mm512_dpbusd_epi32((__m512i)sums, repeated, (__m512i)right);
  }
};
constexpr Int8Kernels kInt8 = Int8Path<Avx512VnniWords, 4>::Kernels("avx512_vnni");

}  // namespace
const Int8Kernels* const kAvx512VnniInt8 = &kInt8;
}  // namespace wildrayzer

#else
namespace wildrayzer {
const Int8Kernels* const kAvx512VnniInt8 = nullptr;
}  // namespace wildrayzer
#endif
