// Light on static surfaces: area lights with soft shadows and one bounce, gathered once for each small cell
// of surface and remembered, so that neighbouring pixels and later frames share the work and a surface looks
// alike from everywhere.
//
// For a point p with normal n the outgoing radiance of a matt surface with albedo a is a * E(p, n), where
//   E = sum over lights l of color_l * direct_l + indirect,
//   direct_l = 1/pi * integral over the light of V cos cos' / d^2 (radiance strength included),
//   indirect = mean over cosine-weighted rays of albedo(hit) * (direct light at the hit + ambient).
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "wildrayzer/synth/ray_world.h"
#include "wildrayzer/synth/room.h"

namespace wildrayzer::synth {

inline constexpr size_t kMaxLights = 8;

struct Irradiance {
  std::array<float, kMaxLights> direct{};
  Vec3 indirect = Vec3::Zero();
};

class LightField {
 public:
  // world: the static scene, kept by reference. cell: edge of a cell in metres. middle: a point in the open
  // air of the room. At most kMaxLights lights are used.
  LightField(const RayWorld& world, std::vector<RectLight> lights, float cell, const Vec3& middle,
             uint64_t seed);

  // Light at a surface point of an instance, blurred over neighbouring cells by `jitter` in [0, 1)^2.
  // Not thread-safe: the cache belongs to one thread.
  const Irradiance& At(const Vec3& point, const Vec3& normal, uint32_t instance, const Vec2& jitter);

  // Unblocked strength of light l at a point: strength * area * cos cos' / (pi d^2), from the point
  // `on_light`.
  float Strength(size_t light, const Vec3& point, const Vec3& normal, const Vec3& on_light) const;
  // Point of the light for u in [0, 1)^2.
  Vec3 PointOn(size_t light, const Vec2& u) const;

  size_t light_count() const { return lights_.size(); }
  const Vec3& color(size_t light) const { return colors_[light]; }
  // Light that has bounced more than once, the same everywhere.
  const Vec3& ambient() const { return ambient_; }
  // E of the comment above.
  Vec3 Total(const Irradiance& irradiance) const;
  // Direct light near a point as far as it is known already, else ambient(); never adds to what is
  // remembered, so that movers leave the static light as it is without them.
  Vec3 Known(const Vec3& point, const Vec3& normal, uint32_t instance) const;
  size_t cells() const { return cells_.size(); }

 private:
  Irradiance Gather(const Vec3& point, const Vec3& normal, uint64_t key);
  // Direct light averaged over a coarse cell, for what rays bounce off.
  const Vec3& Coarse(const Vec3& point, const Vec3& normal, uint32_t instance);
  float Direct(size_t light, const Vec3& point, const Vec3& normal, uint32_t samples, uint64_t shift) const;
  Vec3 EstimateAmbient(const Vec3& middle, uint64_t seed);

  const RayWorld& world_;
  std::vector<RectLight> lights_;
  std::vector<Vec3> colors_;      // largest channel 1
  std::vector<float> strengths_;  // radiance / color
  float cell_;
  Vec3 ambient_ = Vec3::Zero();
  float bounce_limit_ = 1e9F;  // keeps single bright cells beside lamps from speckling what they light
  std::unordered_map<uint64_t, Irradiance> cells_;
  std::unordered_map<uint64_t, Vec3> coarse_;
};

}  // namespace wildrayzer::synth
