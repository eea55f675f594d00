// Colours that go together, and noise: what the worlds' textures are made of.
#pragma once

#include <array>
#include <cstdint>

#include "wildrayzer/util/random.h"
#include "wildrayzer/worlds/float3.h"

namespace wildrayzer {

// Uniform in [low, high).
inline float DrawFloat(Random& random, double low, double high) {
  return static_cast<float>(random.Uniform(low, high));
}

struct Interval {
  double low, high;
};

// Hue in turns (any value), saturation and value in [0, 1], as displayed (not linear light).
Float3 ColourFromHsv(float hue, float saturation, float value);

// Uniform in these ranges.
inline Float3 DrawColour(Random& random, Interval hue, Interval saturation, Interval value) {
  const float h = DrawFloat(random, hue.low, hue.high),
              s = DrawFloat(random, saturation.low, saturation.high);
  return ColourFromHsv(h, s, DrawFloat(random, value.low, value.high));
}

// Between a (t = 0) and b (t = 1).
inline Float3 Blend(Float3 a, Float3 b, float t) { return (1.0F - t) * a + t * b; }

// Five colours in order of brightness.
class Palette {
 public:
  // Mostly muted, as walls and furniture are; some grey, some vivid.
  explicit Palette(Random& random);

  Float3 Pick(Random& random) const { return colours_[random.Below(colours_.size())]; }
  const Float3& operator[](size_t i) const { return colours_[i]; }
  // t in [0, 1], from the darkest to the brightest; linear between neighbours.
  Float3 Along(float t) const;

 private:
  std::array<Float3, 5> colours_;
};

// The whole number at or below x, |x| < 2^31; much faster than std::floor where that is a call.
inline int FloorOf(float x) {
  const int towards_zero = static_cast<int>(x);
  return towards_zero - (static_cast<float>(towards_zero) > x ? 1 : 0);
}

// Uniform in [0, 1), from the numbers of a lattice's node.
inline float LatticeValue(uint32_t seed, int x, int y) {
  uint32_t h = seed ^ (static_cast<uint32_t>(x) * 0x9E3779B1U) ^ (static_cast<uint32_t>(y) * 0x85EBCA77U);
  h = (h ^ (h >> 15U)) * 0x2C1B3C6DU;
  h = (h ^ (h >> 12U)) * 0x297A2D39U;
  return static_cast<float>((h ^ (h >> 15U)) >> 8U) * 0x1p-24F;
}
// Smooth between the nodes of a lattice of step 1, in [0, 1].
inline float LatticeNoise(uint32_t seed, float x, float y) {
  const int column = FloorOf(x), row = FloorOf(y);
  float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  fx = fx * fx * (3.0F - 2.0F * fx);
  fy = fy * fy * (3.0F - 2.0F * fy);
  const auto across = [&](int r) {
    const float a = LatticeValue(seed, column, r), b = LatticeValue(seed, column + 1, r);
    return a + fx * (b - a);
  };
  const float upper = across(row), lower = across(row + 1);
  return upper + fy * (lower - upper);
}
// Octaves of it, each of `gain` times the amplitude at twice the frequency: mean 0.5, in [0, 1].
float FractalNoise(uint32_t seed, float x, float y, int octaves, float gain);

}  // namespace wildrayzer
