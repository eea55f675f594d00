// What rays meet in a world: one source for the processor and for CUDA's kernels, free of everything but
// arithmetic.
#pragma once

#include "wildrayzer/worlds/lanes.h"
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

inline constexpr float kFar = 3.0e38F;

// Where rays origin + t * direction meet a primitive first.
template <typename Real>
struct RayHits {
  Real t = Same<Real>(kFar);
  typename Lanes<Real>::Int primitive = typename Lanes<Real>::Int{} - 1;
};
using RayHit = RayHits<float>;

// What follows gives t in the primitive's own axes, kFar where it is missed. A slope of 0 is taken for a
// slight one.
template <typename Real>
WILDRAYZER_HD inline Real NotFlat(Real slope) {
  return Abs(slope) > 1e-12F ? slope : Same<Real>(1e-12F);
}

// A face towards (`inside`: away from) the origin.
template <typename Real>
WILDRAYZER_HD inline Real MeetBox(Float3 half, Float3 o, const typename Lanes<Real>::Vector& d, bool inside) {
  Real enter = Same<Real>(-kFar), leave = Same<Real>(kFar);
  const auto clip = [&](float half_size, float from, Real slope) {
    const Real inverse = 1.0F / NotFlat(slope);
    const Real first = (-half_size - from) * inverse, second = (half_size - from) * inverse;
    enter = Max(enter, Min(first, second));
    leave = Min(leave, Max(first, second));
  };
  clip(half.x, o.x, d.x);
  clip(half.y, o.y, d.y);
  clip(half.z, o.z, d.z);
  return enter <= leave ? (inside ? leave : enter) : Same<Real>(kFar);
}

template <typename Real>
WILDRAYZER_HD inline Real MeetSphere(float radius, Float3 o, const typename Lanes<Real>::Vector& d) {
  const Real a = d.x * d.x + d.y * d.y + d.z * d.z, b = o.x * d.x + o.y * d.y + o.z * d.z;
  const Real root = b * b - a * (Dot(o, o) - radius * radius);
  return root >= 0.0F ? (-b - Sqrt(Max(root, Real{}))) / a : Same<Real>(kFar);
}

template <typename Real>
WILDRAYZER_HD inline Real MeetCylinder(float radius, float half_height, Float3 o,
                                       const typename Lanes<Real>::Vector& d) {
  const Real a = d.x * d.x + d.z * d.z, b = o.x * d.x + o.z * d.z;
  const Real root = b * b - a * (o.x * o.x + o.z * o.z - radius * radius);
  const Real positive = Max(a, Same<Real>(1e-12F));
  const Real spread = Sqrt(Max(root, Real{})) / positive, middle = -b / positive;
  const Real inverse = 1.0F / NotFlat(d.y);
  const Real first = (-half_height - o.y) * inverse, second = (half_height - o.y) * inverse;
  const Real enter = Max(middle - spread, Min(first, second)),
             leave = Min(middle + spread, Max(first, second));
  return And(root >= 0.0F, enter <= leave) ? enter : Same<Real>(kFar);
}

template <typename Real>
WILDRAYZER_HD inline Real MeetCard(Float3 half, Float3 o, const typename Lanes<Real>::Vector& d) {
  const Real t = -o.z / NotFlat(d.z);
  return And(Abs(o.x + t * d.x) <= half.x, Abs(o.y + t * d.y) <= half.y) ? t : Same<Real>(kFar);
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

// Lets `hits` be the primitive where the rays meet it in front of what they were. angle: a pixel's width at
// distance 1, by which cut-outs are sampled.
template <typename Real>
WILDRAYZER_HD inline void Meet(const WorldPointers& world, int index, Float3 origin,
                               const typename Lanes<Real>::Vector& direction, float angle,
                               RayHits<Real>& hits) {
  const Primitive& thing = world.primitives[index];
  const Float3 o = ToLocal(thing.axes, origin - thing.centre);
  const typename Lanes<Real>::Vector d = ToLocal(thing.axes, direction);
  Real t{};
  switch (thing.shape) {
    case Shape::kRoom:
    case Shape::kBox:
      t = MeetBox<Real>(thing.half, o, d, thing.shape == Shape::kRoom);
      break;
    case Shape::kCylinder:
      t = MeetCylinder<Real>(thing.half.x, thing.half.y, o, d);
      break;
    case Shape::kSphere:
      t = MeetSphere<Real>(thing.half.x, o, d);
      break;
    case Shape::kCard:
      t = MeetCard<Real>(thing.half, o, d);
      break;
  }
  t = t > 1e-4F ? t : Same<Real>(kFar);
  if (!AnyOf(t < hits.t)) return;
  if (thing.shape == Shape::kCard && world.papers[thing.paper[0]].cutout != 0) {
    for (int lane = 0; lane < Lanes<Real>::kCount; ++lane) {
      const float at = Lane(t, lane);
      if (at < Lane(hits.t, lane) &&
          SamplePaper(world, thing, 0, o.x + at * Lane(d.x, lane), o.y + at * Lane(d.y, lane), at * angle)
                  .alpha < 0.5F)
        SetLane(t, lane, kFar);
    }
  }
  const auto closer = t < hits.t;
  hits.t = closer ? t : hits.t;
  hits.primitive = closer ? typename Lanes<Real>::Int{} + index : hits.primitive;
}

WILDRAYZER_HD inline float BoundingRadius(const Primitive& thing) {
  return thing.shape == Shape::kSphere ? thing.half.x : Length(thing.half);
}

// Which of a primitive's six faces (world.h) a point lies on, in the world.
WILDRAYZER_HD inline int FaceAt(const Primitive& thing, Float3 point) {
  if (thing.shape == Shape::kSphere || thing.shape == Shape::kCard) return 0;
  const Float3 p = ToLocal(thing.axes, point - thing.centre);
  const float y = fabsf(p.y) - thing.half.y;
  if (thing.shape == Shape::kCylinder) {
    if (sqrtf(p.x * p.x + p.z * p.z) - thing.half.x >= y) return 0;
    return p.y > 0 ? 3 : 2;
  }
  const float x = fabsf(p.x) - thing.half.x, z = fabsf(p.z) - thing.half.z;
  const int axis = x >= y && x >= z ? 0 : y >= z ? 1 : 2;
  return 2 * axis + (At(p, axis) > 0 ? 1 : 0);
}

// A view's camera for frames of one size.
struct Lens {
  float width = 1, height = 1;  // pixels
  float pixels = 1;             // the focal length
  float angle = 1;              // a pixel's width at distance 1
};
WILDRAYZER_HD inline Lens LensOf(const WorldView& view, int width, int height) {
  Lens lens;
  lens.width = static_cast<float>(width);
  lens.height = static_cast<float>(height);
  lens.pixels = view.focal * sqrtf(lens.width * lens.height);
  lens.angle = view.spread / lens.pixels;
  return lens;
}

// The direction through point (x, y) of the frame, in pixels; camera z is 1, so that t along it is depth.
WILDRAYZER_HD inline Float3 RayAt(const WorldView& view, const Lens& lens, float x, float y) {
  const float scale = 1.0F / lens.pixels;
  return ToWorld(view.axes, {(x - 0.5F * lens.width) * scale, (y - 0.5F * lens.height) * scale, 1.0F});
}
// Through (u, v) in [0, 1] of a frame of this width and height.
WILDRAYZER_HD inline Float3 RayThrough(const WorldView& view, int width, int height, float u, float v) {
  const Lens lens = LensOf(view, width, height);
  return RayAt(view, lens, u * lens.width, v * lens.height);
}
WILDRAYZER_HD inline float PixelAngle(const WorldView& view, int width, int height) {
  return LensOf(view, width, height).angle;
}

}  // namespace wildrayzer
