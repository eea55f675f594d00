// Vectors of the worlds, for the host and for CUDA alike. Worlds have the camera's axes: x right, y down, z
// ahead; metres.
#pragma once

#include <cmath>

// Functions that the host and a GPU's kernels compile from one source.
#ifdef __CUDACC__
#define WILDRAYZER_HD __host__ __device__
#else
#define WILDRAYZER_HD
#endif

namespace wildrayzer {

// On the host one instruction each, where fminf and fmaxf, which look after NaN, are calls.
WILDRAYZER_HD inline float Min(float a, float b) { return a < b ? a : b; }
WILDRAYZER_HD inline float Max(float a, float b) { return a > b ? a : b; }
WILDRAYZER_HD inline float Clamp(float a, float low, float high) { return Min(Max(a, low), high); }

struct Float3 {
  float x = 0, y = 0, z = 0;
};

WILDRAYZER_HD inline Float3 operator+(Float3 a, Float3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
WILDRAYZER_HD inline Float3 operator-(Float3 a, Float3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
WILDRAYZER_HD inline Float3 operator*(float s, Float3 a) { return {s * a.x, s * a.y, s * a.z}; }
WILDRAYZER_HD inline Float3 operator*(Float3 a, Float3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
WILDRAYZER_HD inline float Dot(Float3 a, Float3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
WILDRAYZER_HD inline float Length(Float3 a) { return sqrtf(Dot(a, a)); }
WILDRAYZER_HD inline Float3 Normalized(Float3 a) { return (1.0F / Max(Length(a), 1e-20F)) * a; }
WILDRAYZER_HD inline float At(Float3 a, int axis) { return axis == 0 ? a.x : axis == 1 ? a.y : a.z; }

// Orthonormal axes in the world: those of a camera (right, down, ahead), or of a thing.
struct Frame3 {
  Float3 x{1, 0, 0}, y{0, 1, 0}, z{0, 0, 1};
};
WILDRAYZER_HD inline Float3 ToLocal(const Frame3& f, Float3 v) {
  return {Dot(f.x, v), Dot(f.y, v), Dot(f.z, v)};
}
WILDRAYZER_HD inline Float3 ToWorld(const Frame3& f, Float3 v) { return v.x * f.x + v.y * f.y + v.z * f.z; }

}  // namespace wildrayzer
