// What one pixel of a world shows, and where a point of a view appears in the first one (ray_caster.h).
#pragma once

#include "wildrayzer/worlds/shading.h"

namespace wildrayzer {

// Rays of a pixel.
inline constexpr int kWorldSamples = 4;
// Pixels a side of the tiles for which the primitives near them are listed.
inline constexpr int kWorldTile = 8;
// Of primitives that stand still, and of those that a view sees of movers: more are refused (PackWorlds).
inline constexpr int kMaxThings = 384;

// Rays through a tile of pixels: within `cosine` of the unit vector `axis`.
struct TileCone {
  Float3 axis;
  float cosine = 1, sine = 0;
};
// Of the pixels [x, x + w) x [y, y + h).
WILDRAYZER_HD inline TileCone ConeOf(const WorldView& view, const Lens& lens, int x, int y, int w, int h) {
  // Blurred samples reach beyond the tile.
  const float left = static_cast<float>(x) - view.spread, right = static_cast<float>(x + w) + view.spread;
  const float top = static_cast<float>(y) - view.spread, bottom = static_cast<float>(y + h) + view.spread;
  TileCone cone;
  cone.axis = Normalized(RayAt(view, lens, 0.5F * (left + right), 0.5F * (top + bottom)));
  for (int corner = 0; corner < 4; ++corner) {
    const Float3 edge = RayAt(view, lens, corner % 2 == 0 ? left : right, corner < 2 ? top : bottom);
    cone.cosine = Min(cone.cosine, Dot(cone.axis, Normalized(edge)));
  }
  cone.sine = sqrtf(Max(1.0F - cone.cosine * cone.cosine, 0.0F));
  return cone;
}

// What a primitive is to the rays of a cone: they may meet it, or it may darken what they meet, or neither.
enum class Nearness { kNone, kMet, kDarkens };
WILDRAYZER_HD inline Nearness NearnessOf(const Primitive& thing, Float3 camera, const TileCone& cone) {
  if (thing.shape == Shape::kRoom) return Nearness::kMet;
  const Float3 to = thing.centre - camera;
  const float along = Dot(to, cone.axis), across = sqrtf(Max(Dot(to, to) - along * along, 0.0F));
  // Metres from the cone's surface to the centre, negative inside.
  const float outside = across * cone.cosine - along * cone.sine;
  const float radius = BoundingRadius(thing), reach = radius + kShadeMargin;
  if (outside < radius && along > -radius) return Nearness::kMet;
  // A shadow may fall anywhere.
  const bool darkens = thing.shadow > 0 || (thing.shade > 0 && outside < reach && along > -reach);
  return darkens ? Nearness::kDarkens : Nearness::kNone;
}

// Indices of the primitives near a tile: those that are met from the front of `index`, those that only darken
// from its back.
struct NearThings {
  int32_t met = 0, darken = 0;
  int16_t index[kMaxThings];

  WILDRAYZER_HD int Met(int i) const { return index[i]; }
  WILDRAYZER_HD int Darkens(int i) const { return index[kMaxThings - 1 - i]; }
};

struct PixelColour {
  Float3 seen, clean;  // with and without the movers, in [0, 1]
  float cover = 0;     // share of the rays that meet a mover first
};

// What the rays of a pixel meet.
struct PixelHits {
  Float3 direction[kWorldSamples];
  float t[kWorldSamples], mover_t[kWorldSamples];
  int32_t still[kWorldSamples], mover[kWorldSamples];  // primitives; -1: none
};
// A rotated grid, in pixels from the centre.
WILDRAYZER_HD inline float SampleX(int s) {
  return s == 0 ? -0.125F : s == 1 ? 0.375F : s == 2 ? -0.375F : 0.125F;
}
WILDRAYZER_HD inline float SampleY(int s) { return -0.375F + 0.25F * static_cast<float>(s); }

template <typename Real>
WILDRAYZER_HD inline PixelHits TracePixel(const WorldPointers& world, const WorldView& view, const Lens& lens,
                                          int x, int y, const NearThings& still, const NearThings& movers) {
  constexpr int kLanes = Lanes<Real>::kCount, kPackets = kWorldSamples / kLanes;
  PixelHits pixel;
  for (int s = 0; s < kWorldSamples; ++s) {
    pixel.direction[s] = RayAt(view, lens, static_cast<float>(x) + 0.5F + view.spread * SampleX(s),
                               static_cast<float>(y) + 0.5F + view.spread * SampleY(s));
  }
  for (int packet = 0; packet < kPackets; ++packet) {
    const int first = packet * kLanes;
    typename Lanes<Real>::Vector direction;
    for (int lane = 0; lane < kLanes; ++lane) {
      SetLane(direction.x, lane, pixel.direction[first + lane].x);
      SetLane(direction.y, lane, pixel.direction[first + lane].y);
      SetLane(direction.z, lane, pixel.direction[first + lane].z);
    }
    RayHits<Real> met, mover;
    for (int i = 0; i < still.met; ++i) Meet(world, still.Met(i), view.position, direction, lens.angle, met);
    mover.t = met.t;
    for (int i = 0; i < movers.met; ++i)
      Meet(world, movers.Met(i), view.position, direction, lens.angle, mover);
    for (int lane = 0; lane < kLanes; ++lane) {
      pixel.t[first + lane] = Lane(met.t, lane);
      pixel.mover_t[first + lane] = Lane(mover.t, lane);
      pixel.still[first + lane] = Lane(met.primitive, lane);
      pixel.mover[first + lane] = Lane(mover.primitive, lane);
    }
  }
  return pixel;
}

// Light that what stands still leaves at a point of primitive `own`.
WILDRAYZER_HD inline float LightLeft(const WorldPointers& world, const NearThings& still, int own,
                                     const Shaded& at) {
  float light = 1.0F;
  const auto darken = [&](int index) {
    const Primitive& thing = world.primitives[index];
    if (index != own && thing.shape != Shape::kRoom) light *= ShadeNear(thing, at.point, at.normal);
  };
  for (int i = 0; i < still.met; ++i) darken(still.Met(i));
  for (int i = 0; i < still.darken; ++i) darken(still.Darkens(i));
  return light;
}
// ... and that the movers leave of it.
WILDRAYZER_HD inline float LightLeftByMovers(const WorldPointers& world, const NearThings& movers,
                                             const Shaded& at) {
  float light = 1.0F;
  const auto darken = [&](int index) {
    const Primitive& thing = world.primitives[index];
    light *= ShadeNear(thing, at.point, at.normal) * ShadowOf(thing, at.point, world.lights[0].position);
  };
  for (int i = 0; i < movers.met; ++i) darken(movers.Met(i));
  for (int i = 0; i < movers.darken; ++i) darken(movers.Darkens(i));
  return light;
}

// Adds every face that some rays meet (`primitive` at `t`), by its share. Rays that meet one face are shaded
// once, at the mean of their points.
WILDRAYZER_HD inline void AddFaces(const WorldPointers& world, const WorldView& view, const Lens& lens,
                                   const NearThings& still, const NearThings& movers, const PixelHits& hits,
                                   bool of_movers, PixelColour& pixel) {
  const float* t = of_movers ? hits.mover_t : hits.t;
  const int32_t* primitive = of_movers ? hits.mover : hits.still;
  Float3 point[kWorldSamples];
  int face[kWorldSamples];
  for (int s = 0; s < kWorldSamples; ++s) {
    if (primitive[s] < 0) continue;
    point[s] = view.position + t[s] * hits.direction[s];
    face[s] = FaceAt(world.primitives[primitive[s]], point[s]);
  }
  for (int s = 0; s < kWorldSamples; ++s) {
    if (primitive[s] < 0) continue;
    Float3 sum{0, 0, 0};
    float rays = 0, uncovered = 0;
    bool done = false;
    for (int other = 0; other < kWorldSamples; ++other) {
      if (primitive[other] != primitive[s] || face[other] != face[s]) continue;
      done = done || other < s;
      rays += 1;
      if (hits.mover[other] < 0) uncovered += 1;
      sum = sum + point[other];
    }
    if (done) continue;
    const Shaded shaded =
        ShadePoint(world, primitive[s], face[s], (1.0F / rays) * sum, view.position, lens.angle);
    const Float3 colour = LightLeft(world, still, primitive[s], shaded) * shaded.colour;
    const float share = 1.0F / kWorldSamples;
    if (of_movers) {
      pixel.seen = pixel.seen + (share * rays) * colour;
      continue;
    }
    pixel.clean = pixel.clean + (share * rays) * colour;
    if (uncovered > 0)
      pixel.seen = pixel.seen + (share * uncovered * LightLeftByMovers(world, movers, shaded)) * colour;
  }
}

// As the camera records it: exposure and noise, of which every channel of every pixel has its own.
WILDRAYZER_HD inline Float3 Recorded(const WorldView& view, Float3 colour, uint32_t pixel) {
  const auto channel = [&](float value, float gain, uint32_t c) {
    const float noise = view.noise > 0 ? view.noise * NoiseAt(view.seed, 3 * pixel + c) : 0.0F;
    return Clamp(gain * value + noise, 0.0F, 1.0F);
  };
  return {channel(colour.x, view.gain.x, 0), channel(colour.y, view.gain.y, 1),
          channel(colour.z, view.gain.z, 2)};
}

// The colour of pixel (x, y), of whose tile `still` and `movers` are the lists.
template <typename Real>
WILDRAYZER_HD inline PixelColour ColourPixel(const WorldPointers& world, const WorldView& view,
                                             const Lens& lens, int x, int y, const NearThings& still,
                                             const NearThings& movers) {
  const PixelHits hits = TracePixel<Real>(world, view, lens, x, y, still, movers);
  PixelColour pixel;
  for (int s = 0; s < kWorldSamples; ++s) {
    if (hits.mover[s] >= 0) pixel.cover += 1.0F / kWorldSamples;
  }
  AddFaces(world, view, lens, still, movers, hits, false, pixel);
  if (pixel.cover > 0) AddFaces(world, view, lens, still, movers, hits, true, pixel);
  const auto number = static_cast<uint32_t>(y) * static_cast<uint32_t>(lens.width) + static_cast<uint32_t>(x);
  pixel.seen = Recorded(view, pixel.seen, number);
  pixel.clean = Recorded(view, pixel.clean, number);
  return pixel;
}

// What a ray from the view's camera through (u, v) meets, of all primitives: of what stands still, and of the
// movers if they are nearer.
struct PointHit {
  RayHit still, mover;  // mover.primitive < 0: none in front
};
WILDRAYZER_HD inline PointHit TracePoint(const WorldPointers& world, const WorldView& view, Float3 direction,
                                         float angle, float t_max = 3.0e38F) {
  PointHit hit;
  hit.still.t = t_max;
  for (int i = 0; i < world.still; ++i) Meet(world, i, view.position, direction, angle, hit.still);
  hit.mover.t = hit.still.t;
  for (int i = view.first_mover; i < view.first_mover + view.movers; ++i)
    Meet(world, i, view.position, direction, angle, hit.mover);
  return hit;
}

// Where the surface that a view sees at (u, v) appears in another view.
struct PointTruth {
  float u = 0, v = 0;    // in [0, 1] inside the other view's frame; what stands still is followed
  float depth = 1;       // metres, in its own view, of what stands still
  bool visible = false;  // in the other's frame, and neither hidden there nor behind a mover in either
};
WILDRAYZER_HD inline PointTruth TruthOf(const WorldPointers& world, const WorldView& view,
                                        const WorldView& other, int width, int height, float u, float v) {
  const Float3 ray = RayThrough(view, width, height, u, v);
  const PointHit hit = TracePoint(world, view, ray, PixelAngle(view, width, height));
  PointTruth truth;
  truth.depth = hit.still.t;
  const Float3 point = view.position + hit.still.t * ray;
  const Float3 seen = ToLocal(other.axes, point - other.position);
  if (seen.z < 0.05F) return truth;
  const float pixels = other.focal * sqrtf(static_cast<float>(width) * static_cast<float>(height));
  truth.u = 0.5F + pixels * seen.x / (seen.z * static_cast<float>(width));
  truth.v = 0.5F + pixels * seen.y / (seen.z * static_cast<float>(height));
  const bool in_frame = truth.u > 0 && truth.u < 1 && truth.v > 0 && truth.v < 1;
  if (!in_frame || hit.mover.primitive >= 0) return truth;
  // Nothing in front of it by more than 2 % of the way; the ray's t is 1 at the point.
  const PointHit back =
      TracePoint(world, other, point - other.position, PixelAngle(other, width, height) * seen.z, 1.0F);
  truth.visible = (back.still.primitive < 0 || back.still.t > 0.98F) && back.mover.primitive < 0;
  return truth;
}

}  // namespace wildrayzer
