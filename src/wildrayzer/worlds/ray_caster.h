// What a ray meets in a world, and what a pixel shows: one source for the processor and for CUDA's kernels,
// free of everything but arithmetic.
#pragma once

#include "wildrayzer/worlds/texture_bank.h"
#include "wildrayzer/worlds/world.h"

namespace wildrayzer {

// A world in memory that whoever casts the rays can read.
struct WorldPointers {
  const Primitive* primitives = nullptr;
  const Paper* papers = nullptr;
  const uint8_t* texels = nullptr;  // of the TextureBank
  Light lights[2];
  Float3 ambient;
  int32_t still = 0;
};

// Where a ray origin + t * direction meets a primitive first.
struct RayHit {
  float t = 3.0e38F;
  int32_t primitive = -1;
  int32_t face = 0;
};

// The widest tile list; a tile that sees more primitives goes through all of them.
inline constexpr int kMaxTileList = 96;
// Rays of a pixel.
inline constexpr int kWorldSamples = 4;
// Metres beyond a thing's bounding sphere in which it darkens what is near.
inline constexpr float kShadeMargin = 0.4F;

// t of a box's face towards (`inside`: away from) the origin, in the box's own axes; false when missed.
WILDRAYZER_HD inline bool MeetBox(Float3 half, Float3 o, Float3 d, bool inside, float& t, int& face) {
  float enter = -3.0e38F, leave = 3.0e38F;
  int enter_axis = 0, leave_axis = 0;
  for (int axis = 0; axis < 3; ++axis) {
    const float slope = At(d, axis);
    const float inverse = 1.0F / (fabsf(slope) > 1e-12F ? slope : 1e-12F);
    const float first = (-At(half, axis) - At(o, axis)) * inverse;
    const float second = (At(half, axis) - At(o, axis)) * inverse;
    const float near = fminf(first, second), far = fmaxf(first, second);
    if (near > enter) enter = near, enter_axis = axis;
    if (far < leave) leave = far, leave_axis = axis;
  }
  if (enter > leave) return false;
  t = inside ? leave : enter;
  const int axis = inside ? leave_axis : enter_axis;
  face = 2 * axis + (At(o, axis) + t * At(d, axis) > 0 ? 1 : 0);
  return true;
}

WILDRAYZER_HD inline bool MeetSphere(float radius, Float3 o, Float3 d, float& t) {
  const float a = Dot(d, d), b = Dot(o, d), c = Dot(o, o) - radius * radius;
  const float root = b * b - a * c;
  if (root < 0) return false;
  t = (-b - sqrtf(root)) / a;
  return true;
}

// Faces: 0 the side, 2 and 3 the lids at -y and +y.
WILDRAYZER_HD inline bool MeetCylinder(float radius, float half_height, Float3 o, Float3 d, float& t,
                                       int& face) {
  const float a = d.x * d.x + d.z * d.z, b = o.x * d.x + o.z * d.z,
              c = o.x * o.x + o.z * o.z - radius * radius;
  const float root = b * b - a * c;
  if (root < 0) return false;
  const float spread = sqrtf(root) / fmaxf(a, 1e-12F), middle = -b / fmaxf(a, 1e-12F);
  const float inverse = 1.0F / (fabsf(d.y) > 1e-12F ? d.y : 1e-12F);
  const float first = (-half_height - o.y) * inverse, second = (half_height - o.y) * inverse;
  const float lids = fminf(first, second);
  t = fmaxf(middle - spread, lids);
  if (t > fminf(middle + spread, fmaxf(first, second))) return false;
  face = middle - spread > lids ? 0 : (o.y + t * d.y > 0 ? 3 : 2);
  return true;
}

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

WILDRAYZER_HD inline Rgba SamplePaper(const WorldPointers& world, const Primitive& thing, int face, float a,
                                      float b, float footprint) {
  const Paper& paper = world.papers[thing.paper[face]];
  const float u = paper.u[0] + paper.u[1] * a + paper.u[2] * b,
              v = paper.v[0] + paper.v[1] * a + paper.v[2] * b;
  const float texels = footprint * sqrtf(fabsf(paper.u[1] * paper.v[2] - paper.u[2] * paper.v[1]));
  const uint8_t* texture = world.texels + static_cast<int64_t>(paper.texture) * kTextureBytes;
  const Rgba sample = SampleTexture(texture, u, v, texels);
  return {paper.base + paper.gain * sample.colour, paper.cutout != 0 ? sample.alpha : 1.0F};
}

// Lets `hit` be the primitive's face if the ray meets it in front of what it was. angle: a pixel's width at
// distance 1, by which cut-outs are sampled.
WILDRAYZER_HD inline void Meet(const WorldPointers& world, int index, Float3 origin, Float3 direction,
                               float angle, RayHit& hit) {
  const Primitive& thing = world.primitives[index];
  const Float3 o = ToLocal(thing.axes, origin - thing.centre), d = ToLocal(thing.axes, direction);
  float t = 0;
  int face = 0;
  bool met = false;
  switch (thing.shape) {
    case Shape::kRoom:
    case Shape::kBox:
      met = MeetBox(thing.half, o, d, thing.shape == Shape::kRoom, t, face);
      break;
    case Shape::kCylinder:
      met = MeetCylinder(thing.half.x, thing.half.y, o, d, t, face);
      break;
    case Shape::kSphere:
      met = MeetSphere(thing.half.x, o, d, t);
      break;
    case Shape::kCard:
      t = -o.z / (fabsf(d.z) > 1e-12F ? d.z : 1e-12F);
      met = fabsf(o.x + t * d.x) <= thing.half.x && fabsf(o.y + t * d.y) <= thing.half.y;
      break;
  }
  if (!met || t <= 1e-4F || t >= hit.t) return;
  if (thing.shape == Shape::kCard && world.papers[thing.paper[0]].cutout != 0 &&
      SamplePaper(world, thing, 0, o.x + t * d.x, o.y + t * d.y, t * angle).alpha < 0.5F) {
    return;
  }
  hit = {t, index, face};
}

// Primitives of a tile of pixels: those that its rays may meet, then those that may only darken what these
// see; of what stands still, then of the movers.
struct TileList {
  int32_t still_met = 0, still = 0, movers_met = 0, movers = 0;  // ends in `index`
  int16_t index[kMaxTileList];
};

// Whether a sphere may be met by rays from `origin` within `cosine` of the unit vector `axis`.
WILDRAYZER_HD inline bool InCone(Float3 to_centre, float radius, Float3 axis, float cosine, float sine) {
  const float along = Dot(to_centre, axis);
  const float across = sqrtf(fmaxf(Dot(to_centre, to_centre) - along * along, 0.0F));
  // Distance of the centre from the cone's surface, negative inside.
  return across * cosine - along * sine < radius && along > -radius;
}

WILDRAYZER_HD inline float BoundingRadius(const Primitive& thing) {
  return thing.shape == Shape::kSphere ? thing.half.x : Length(thing.half);
}

// Metres from a point to the thing's box (0 inside).
WILDRAYZER_HD inline float DistanceTo(const Primitive& thing, Float3 point) {
  const Float3 q = ToLocal(thing.axes, point - thing.centre);
  return Length({fmaxf(fabsf(q.x) - thing.half.x, 0.0F), fmaxf(fabsf(q.y) - thing.half.y, 0.0F),
                 fmaxf(fabsf(q.z) - thing.half.z, 0.0F)});
}

// How much light a thing leaves at a surface point near it: 1 = all.
WILDRAYZER_HD inline float ShadeNear(const Primitive& thing, Float3 point, Float3 normal) {
  if (thing.shade == 0) return 1.0F;
  const Float3 to = thing.centre - point;
  const float reach = BoundingRadius(thing) + kShadeMargin;
  if (Dot(to, to) > reach * reach) return 1.0F;
  const float facing = Dot(Normalized(to), normal);
  if (facing <= 0) return 1.0F;
  const float fall = expf(-DistanceTo(thing, point) / thing.shade_reach);
  return 1.0F - thing.shade * fminf(2.0F * facing, 1.0F) * fall;
}

// The soft shadow of an ellipsoid in the thing's place, towards a light: 1 = none.
WILDRAYZER_HD inline float ShadowOf(const Primitive& thing, Float3 point, Float3 light) {
  if (thing.shadow == 0) return 1.0F;
  const Float3 half{fmaxf(thing.half.x, 0.08F), fmaxf(thing.half.y, 0.08F), fmaxf(thing.half.z, 0.08F)};
  const auto scaled = [&](Float3 v) {
    const Float3 q = ToLocal(thing.axes, v);
    return Float3{q.x / half.x, q.y / half.y, q.z / half.z};
  };
  const Float3 o = scaled(point - thing.centre), d = scaled(light - point);
  const float t = fminf(fmaxf(-Dot(o, d) / fmaxf(Dot(d, d), 1e-12F), 0.0F), 1.0F);
  const float passes = fminf(fmaxf((Length(o + t * d) - 0.6F) / 0.9F, 0.0F), 1.0F);
  return 1.0F - thing.shadow * (1.0F - passes * passes * (3.0F - 2.0F * passes));
}

// Corners of a room are darker: a factor for a point on face `face` of the room, in its own axes.
WILDRAYZER_HD inline float ShadeOfCorners(const Primitive& room, int face, Float3 p) {
  float light = 1.0F;
  for (int axis = 0; axis < 3; ++axis) {
    if (axis == face / 2) continue;
    const float to_wall = fmaxf(At(room.half, axis) - fabsf(At(p, axis)), 0.0F);
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
  const Float3 sight = (1.0F / fmaxf(distance, 1e-6F)) * to_camera;
  Float3 normal = ToWorld(thing.axes, on.normal);
  if (Dot(normal, sight) < 0) normal = -1.0F * normal;
  // A slanted face is seen shortened along one axis: the mean of both is filtered.
  const float footprint = distance * angle / sqrtf(fmaxf(Dot(normal, sight), 0.05F));
  const Float3 albedo = SamplePaper(world, thing, face, on.a, on.b, footprint).colour;
  Float3 light = world.ambient;
  float highlight = 0;
  for (const Light& lamp : world.lights) {
    const Float3 to = lamp.position - point;
    const float far = Length(to);
    const Float3 towards = (1.0F / fmaxf(far, 1e-6F)) * to;
    const float cosine = fmaxf(Dot(normal, towards), 0.0F);
    light = light + (cosine / (1.0F + far * far / (lamp.reach * lamp.reach))) * lamp.colour;
    if (thing.specular > 0 && cosine > 0) {
      const float mirrored = fmaxf(Dot(normal, Normalized(towards + sight)), 0.0F);
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

// The direction through (u, v) in [0, 1] of a frame of this width and height; camera z is 1, so that t along
// it is depth.
WILDRAYZER_HD inline Float3 RayThrough(const WorldView& view, int width, int height, float u, float v) {
  const float pixels = view.focal * sqrtf(static_cast<float>(width) * static_cast<float>(height));
  return ToWorld(view.axes, {(u - 0.5F) * static_cast<float>(width) / pixels,
                             (v - 0.5F) * static_cast<float>(height) / pixels, 1.0F});
}
// A pixel's width at distance 1.
WILDRAYZER_HD inline float PixelAngle(const WorldView& view, int width, int height) {
  return view.spread / (view.focal * sqrtf(static_cast<float>(width) * static_cast<float>(height)));
}

}  // namespace wildrayzer
