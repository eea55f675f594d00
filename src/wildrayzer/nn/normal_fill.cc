#include "wildrayzer/nn/normal_fill.h"

#include <cmath>
#include <cstring>

// Compiled without contraction of products and sums: every vector width then rounds alike.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WRZ_MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WRZ_MULTIVERSION
#endif

namespace wildrayzer {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

inline uint64_t Mix(uint64_t z) {  // SplitMix64, as in util/random.h
  z += kGolden;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

inline double FromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint64_t ToBits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// Uniform in [1, 2) with 52 bits; written with integers only because vector conversions are missing before
// AVX-512.
inline double OneToTwo(uint64_t random) { return FromBits((random >> 12) | 0x3FF0000000000000ULL); }

// -ln(u) for u in (0, 1]: u = 2^e m with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)).
// The series ends after the 13th power: an error of 2 (0.1716^15) / 15 = 4e-13.
inline double MinusLog(double u) {
  const uint64_t bits = ToBits(u);
  const uint64_t shifted = bits - 0x3FE6A09E00000000ULL;  // bits of about sqrt(1/2)
  // The exponent, between -52 and 0, as a double: it is put into the low bits of 2^52 + 2^51.
  const uint64_t exponent = (shifted >> 52) - ((shifted >> 63) << 12);  // arithmetic shift
  const double e = FromBits(0x4338000000000000ULL + exponent) - 6755399441055744.0;
  const double m = FromBits(bits - (exponent << 52));
  const double s = (m - 1.0) / (m + 1.0);
  const double q = s * s;
  double p = 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  p = p * q + 1.0;
  return -(e * 0.6931471805599453 + 2.0 * s * p);
}

// sin and cos of 2 pi t for t in [0, 1), by Taylor series on [-pi/4, pi/4] around the nearest quarter turn
// (errors below 1e-12).
inline void SinCosTurn(double t, double* sine, double* cosine) {
  const double shifted = t * 4.0 + 6755399441055744.0;
  const uint64_t quarter = ToBits(shifted) & 3;
  const double x = (t * 4.0 - (shifted - 6755399441055744.0)) * 1.5707963267948966;
  const double q = x * x;
  double s = -1.0 / 39916800.0;
  s = s * q + 1.0 / 362880.0;
  s = s * q - 1.0 / 5040.0;
  s = s * q + 1.0 / 120.0;
  s = s * q - 1.0 / 6.0;
  s = (s * q + 1.0) * x;
  double c = 1.0 / 479001600.0;
  c = c * q - 1.0 / 3628800.0;
  c = c * q + 1.0 / 40320.0;
  c = c * q - 1.0 / 720.0;
  c = c * q + 1.0 / 24.0;
  c = c * q - 0.5;
  c = c * q + 1.0;
  const uint64_t swap = 0 - (quarter & 1);
  const uint64_t sine_bits = (ToBits(s) & ~swap) | (ToBits(c) & swap);
  const uint64_t cosine_bits = (ToBits(c) & ~swap) | (ToBits(s) & swap);
  *sine = FromBits(sine_bits ^ ((quarter >> 1) << 63));
  *cosine = FromBits(cosine_bits ^ ((((quarter + 1) >> 1) & 1) << 63));
}

// out[2 i], out[2 i + 1] from draws 2 i and 2 i + 1 of the stream.
WRZ_MULTIVERSION void FillPairs(float* __restrict out, uint64_t state, int64_t pairs, double std) {
  for (int64_t i = 0; i < pairs; ++i) {
    const uint64_t at = state + 2 * static_cast<uint64_t>(i) * kGolden;
    const double radius = std::sqrt(2.0 * MinusLog(2.0 - OneToTwo(Mix(at)))) * std;
    double sine;
    double cosine;
    SinCosTurn(OneToTwo(Mix(at + kGolden)) - 1.0, &sine, &cosine);
    out[2 * i] = static_cast<float>(radius * cosine);
    out[2 * i + 1] = static_cast<float>(radius * sine);
  }
}

}  // namespace

void FillNormalRange(float* out, int64_t first, int64_t count, double std, uint64_t state) {
  state += static_cast<uint64_t>(first) * kGolden;
  FillPairs(out, state, count / 2, std);
  if (count % 2 != 0) {
    float last[2];
    FillPairs(last, state + static_cast<uint64_t>(count - 1) * kGolden, 1, std);
    out[count - 1] = last[0];
  }
}

}  // namespace wildrayzer
