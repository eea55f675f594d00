// How a point of a world looks: its paper in its light, and what darkens it.
#pragma once

#include "wildrayzer/worlds/ray_caster.h"

namespace wildrayzer {

// Metres beyond a thing's bounding sphere in which it darkens what is near.
inline constexpr float kShadeMargin = 0.4F;

// Metres on the face and the normal, in the primitive's own axes, for a point on it.
struct FacePoint {
  float a = 0, b = 0;
  Float3 normal;
};
WILDRAYZER_HD inline FacePoint OnFace(const Primitive& thing, int face, Float3 p) {
  if (thing.shape == Shape::kSphere || (thing.shape == Shape::kCylinder && face == 0)) {
    const bool sphere = thing.shape == Shape::kSphere;
    const Float3 normal = Normalized({p.x, sphere ? p.y : 0.0F, p.z});
    return {atan2f(p.x, p.z) * thing.half.x, p.y, normal};
  }
  const int axis = thing.shape == Shape::kCard ? 2 : face / 2;
  const float side = face % 2 == 1 ? 1.0F : -1.0F;
  const Float3 normal{axis == 0 ? side : 0.0F, axis == 1 ? side : 0.0F, axis == 2 ? side : 0.0F};
  return {axis == 0 ? p.z : p.x, axis == 1 ? p.z : p.y, normal};
}

// Metres from a point to the thing's box (0 inside).
WILDRAYZER_HD inline float DistanceTo(const Primitive& thing, Float3 point) {
  const Float3 q = ToLocal(thing.axes, point - thing.centre);
  return Length({Max(fabsf(q.x) - thing.half.x, 0.0F), Max(fabsf(q.y) - thing.half.y, 0.0F),
                 Max(fabsf(q.z) - thing.half.z, 0.0F)});
}

// How much light a thing leaves at a surface point near it: 1 = all.
WILDRAYZER_HD inline float ShadeNear(const Primitive& thing, Float3 point, Float3 normal) {
  const Float3 to = thing.centre - point;
  const float above = Dot(to, normal);
  if (thing.shade == 0 || above <= 0) return 1.0F;
  const float reach = BoundingRadius(thing) + kShadeMargin, squared = Dot(to, to);
  if (squared > reach * reach) return 1.0F;
  const float facing = above / Max(sqrtf(squared), 1e-20F);
  const float fall = expf(-DistanceTo(thing, point) / thing.shade_reach);
  return 1.0F - thing.shade * Min(2.0F * facing, 1.0F) * fall;
}

// The soft shadow of an ellipsoid in the thing's place, towards a light: 1 = none.
WILDRAYZER_HD inline float ShadowOf(const Primitive& thing, Float3 point, Float3 light) {
  if (thing.shadow == 0) return 1.0F;
  const Float3 half{Max(thing.half.x, 0.08F), Max(thing.half.y, 0.08F), Max(thing.half.z, 0.08F)};
  const auto scaled = [&](Float3 v) {
    const Float3 q = ToLocal(thing.axes, v);
    return Float3{q.x / half.x, q.y / half.y, q.z / half.z};
  };
  const Float3 o = scaled(point - thing.centre), d = scaled(light - point);
  const float t = Min(Max(-Dot(o, d) / Max(Dot(d, d), 1e-12F), 0.0F), 1.0F);
  const float passes = Min(Max((Length(o + t * d) - 0.6F) / 0.9F, 0.0F), 1.0F);
  return 1.0F - thing.shadow * (1.0F - passes * passes * (3.0F - 2.0F * passes));
}

// Corners of a room are darker: a factor for a point on face `face` of the room, in its own axes.
WILDRAYZER_HD inline float ShadeOfCorners(const Primitive& room, int face, Float3 p) {
  float light = 1.0F;
  for (int axis = 0; axis < 3; ++axis) {
    if (axis == face / 2) continue;
    const float to_wall = Max(At(room.half, axis) - fabsf(At(p, axis)), 0.0F);
    light *= 1.0F - room.shade * expf(-to_wall / room.shade_reach);
  }
  return light;
}

// Colour of a point of a primitive as it is lit, without what darkens it.
struct Shaded {
  Float3 colour;
  Float3 point, normal;  // in the world, the normal towards the camera
};
WILDRAYZER_HD inline Shaded ShadePoint(const WorldPointers& world, int index, int face, Float3 point,
                                       Float3 origin, float angle) {
  const Primitive& thing = world.primitives[index];
  const Float3 local = ToLocal(thing.axes, point - thing.centre);
  const FacePoint on = OnFace(thing, face, local);
  const Float3 to_camera = origin - point;
  const float distance = Length(to_camera);
  const Float3 sight = (1.0F / Max(distance, 1e-6F)) * to_camera;
  Float3 normal = ToWorld(thing.axes, on.normal);
  if (Dot(normal, sight) < 0) normal = -1.0F * normal;
  // A slanted face is seen shortened along one axis: the mean of both is filtered.
  const float footprint = distance * angle / sqrtf(Max(Dot(normal, sight), 0.05F));
  const Float3 albedo = SamplePaper(world, thing, face, on.a, on.b, footprint).colour;
  Float3 light = world.ambient;
  float highlight = 0;
  for (const Light& lamp : world.lights) {
    if (lamp.colour.x + lamp.colour.y + lamp.colour.z == 0) continue;  // there is but one
    const Float3 to = lamp.position - point;
    const float far = Length(to);
    const Float3 towards = (1.0F / Max(far, 1e-6F)) * to;
    const float cosine = Max(Dot(normal, towards), 0.0F);
    light = light + (cosine / (1.0F + far * far / (lamp.reach * lamp.reach))) * lamp.colour;
    if (thing.specular > 0 && cosine > 0) {
      const float mirrored = Max(Dot(normal, Normalized(towards + sight)), 0.0F);
      const float squared = mirrored * mirrored, fourth = squared * squared,
                  sixteenth = fourth * fourth * fourth * fourth;
      highlight += thing.specular * sixteenth * sixteenth;
    }
  }
  Float3 colour = albedo * light + Float3{highlight, highlight, highlight};
  if (thing.shape == Shape::kRoom) colour = ShadeOfCorners(thing, face, local) * colour;
  return {colour, point, normal};
}

// Uniform in [0, 1) from a counter (PCG hash, Jarzynski and Olano 2020).
WILDRAYZER_HD inline uint32_t HashOf(uint32_t x) {
  x = x * 747796405U + 2891336453U;
  x = ((x >> ((x >> 28U) + 4U)) ^ x) * 277803737U;
  return (x >> 22U) ^ x;
}
// Mean 0, standard deviation 1: the sum of three uniforms.
WILDRAYZER_HD inline float NoiseAt(uint32_t seed, uint32_t counter) {
  uint32_t x = HashOf(seed ^ HashOf(counter));
  float sum = -1.5F;
  for (int i = 0; i < 3; ++i) {
    sum += static_cast<float>(x >> 8U) * (1.0F / 16777216.0F);
    x = HashOf(x);
  }
  return 2.0F * sum;
}

}  // namespace wildrayzer
