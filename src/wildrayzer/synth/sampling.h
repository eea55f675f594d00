// Counter-based randomness of the renderer: the number that a sample uses depends only on what it belongs to
// (frame, pixel, sample, purpose), never on the order of evaluation. A picture with movers and the same
// picture without them therefore use the same numbers, and the number of threads cannot matter.
#pragma once

#include <cstdint>

#include "wildrayzer/synth/vec.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {

inline uint64_t MixKeys(uint64_t a, uint64_t b) { return SplitMix64(a ^ (SplitMix64(b) << 1)); }

// Uniform in [0, 1) from the upper 24 bits.
inline float UnitFloat(uint64_t hash) { return static_cast<float>(hash >> 40) * 0x1p-24F; }

// Point i of the two-dimensional R2 sequence (Roberts 2018) shifted by a random offset, in [0, 1)^2.
inline Vec2 LowDiscrepancy(uint32_t i, uint64_t shift) {
  const auto sx = static_cast<uint32_t>(shift), sy = static_cast<uint32_t>(shift >> 32);
  const uint32_t x = sx + (i + 1) * 3242174889U;  // 2^32 / 1.32471795724
  const uint32_t y = sy + (i + 1) * 2447445414U;  // 2^32 / 1.32471795724^2
  return {static_cast<float>(x >> 8) * 0x1p-24F, static_cast<float>(y >> 8) * 0x1p-24F};
}

// Cosine-weighted direction about the unit normal n, from u in [0, 1)^2.
inline Vec3 CosineDirection(const Vec3& n, const Vec2& u) {
  Vec3 t, b;
  TangentFrame(n, &t, &b);
  const float r = std::sqrt(u.x()), phi = 2.0F * kPi * u.y();
  return r * std::cos(phi) * t + r * std::sin(phi) * b + std::sqrt(std::max(0.0F, 1.0F - u.x())) * n;
}

}  // namespace wildrayzer::synth
