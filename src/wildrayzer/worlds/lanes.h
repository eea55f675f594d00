// Rays come one at a time or, on the host, four at a time: code that meets them with things is written once
// for both, as a template of the type of a number (`Real`): float or Float4. The same bits come of either.
#pragma once

#include <bit>
#include <cstdint>

#include "wildrayzer/worlds/float3.h"

namespace wildrayzer {

// What goes with a type of numbers: as many integers, as many vectors.
template <typename Real>
struct Lanes;

template <>
struct Lanes<float> {
  using Int = int32_t;
  using Vector = Float3;
  static constexpr int kCount = 1;
};
WILDRAYZER_HD inline float Abs(float a) { return fabsf(a); }
WILDRAYZER_HD inline float Sqrt(float a) { return sqrtf(a); }
WILDRAYZER_HD inline bool And(bool a, bool b) { return a && b; }
WILDRAYZER_HD inline bool AnyOf(bool mask) { return mask; }
WILDRAYZER_HD inline float Lane(float value, int) { return value; }
WILDRAYZER_HD inline int32_t Lane(int32_t value, int) { return value; }
WILDRAYZER_HD inline void SetLane(float& value, int, float of_lane) { value = of_lane; }

#ifndef __CUDACC__
// Vectors of GCC and clang: operators work on all four, a comparison gives -1 or 0 for each.
using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));
struct Float3x4 {
  Float4 x{}, y{}, z{};
};

template <>
struct Lanes<Float4> {
  using Int = Int4;
  using Vector = Float3x4;
  static constexpr int kCount = 4;
};
inline Float4 Min(Float4 a, Float4 b) { return a < b ? a : b; }
inline Float4 Max(Float4 a, Float4 b) { return a > b ? a : b; }
inline Float4 Abs(Float4 a) { return std::bit_cast<Float4>(std::bit_cast<Int4>(a) & 0x7fffffff); }
inline Float4 Sqrt(Float4 a) { return Float4{sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])}; }
inline Int4 And(Int4 a, Int4 b) { return a & b; }
inline bool AnyOf(Int4 mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }
inline float Lane(Float4 value, int lane) { return value[lane]; }
inline int32_t Lane(Int4 value, int lane) { return value[lane]; }
inline void SetLane(Float4& value, int lane, float of_lane) { value[lane] = of_lane; }

inline Float3x4 operator+(const Float3x4& a, const Float3x4& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Float3x4 ToLocal(const Frame3& f, const Float3x4& v) {
  return {f.x.x * v.x + f.x.y * v.y + f.x.z * v.z, f.y.x * v.x + f.y.y * v.y + f.y.z * v.z,
          f.z.x * v.x + f.z.y * v.y + f.z.z * v.z};
}
inline Float3x4 ToWorld(const Frame3& f, const Float3x4& v) {
  return {v.x * f.x.x + v.y * f.y.x + v.z * f.z.x, v.x * f.x.y + v.y * f.y.y + v.z * f.z.y,
          v.x * f.x.z + v.y * f.y.z + v.z * f.z.z};
}
#endif

// The same number in all lanes.
template <typename Real>
WILDRAYZER_HD inline Real Same(float value) {
  return value - Real{};
}
template <typename Real>
WILDRAYZER_HD inline typename Lanes<Real>::Vector Direction(Float3 d) {
  return {Same<Real>(d.x), Same<Real>(d.y), Same<Real>(d.z)};
}

}  // namespace wildrayzer
