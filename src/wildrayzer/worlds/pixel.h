// What one pixel of a world shows, and where a point of a view appears in the first one (ray_caster.h).
#pragma once

#include "wildrayzer/worlds/ray_caster.h"

namespace wildrayzer {

struct PixelColour {
  Float3 seen, clean;  // with and without the movers, in [0, 1]
  float cover = 0;     // share of the rays that meet a mover first
};

// Primitives near the cone of rays from the view's camera through a tile of pixels [x, x + w) x [y, y + h).
// False when there are more than fit.
WILDRAYZER_HD inline bool ListTile(const WorldPointers& world, const WorldView& view, int width, int height,
                                   int x, int y, int w, int h, TileList& list) {
  const auto through = [&](float px, float py) {
    return Normalized(
        RayThrough(view, width, height, px / static_cast<float>(width), py / static_cast<float>(height)));
  };
  // Blurred samples reach beyond the tile.
  const float margin = view.spread;
  const float left = static_cast<float>(x) - margin, right = static_cast<float>(x + w) + margin;
  const float top = static_cast<float>(y) - margin, bottom = static_cast<float>(y + h) + margin;
  const Float3 axis = through(0.5F * (left + right), 0.5F * (top + bottom));
  float cosine = 1.0F;
  for (int corner = 0; corner < 4; ++corner) {
    const Float3 edge = through(corner % 2 == 0 ? left : right, corner < 2 ? top : bottom);
    cosine = fminf(cosine, Dot(axis, edge));
  }
  const float sine = sqrtf(fmaxf(1.0F - cosine * cosine, 0.0F));
  int count = 0;
  // margins: 0 finds what the rays may meet, kShadeMargin what darkens besides.
  const auto add = [&](int begin, int end, bool only_near) {
    for (int i = begin; i < end; ++i) {
      const Primitive& thing = world.primitives[i];
      const bool everywhere = thing.shape == Shape::kRoom;
      const Float3 to = thing.centre - view.position;
      const float radius = BoundingRadius(thing);
      const bool met = everywhere || InCone(to, radius, axis, cosine, sine);
      if (only_near) {
        // A shadow may fall anywhere.
        const bool near =
            !met &&
            (thing.shadow > 0 || (thing.shade > 0 && InCone(to, radius + kShadeMargin, axis, cosine, sine)));
        if (!near) continue;
      } else if (!met) {
        continue;
      }
      if (count == kMaxTileList) return false;
      list.index[count++] = static_cast<int16_t>(i);
    }
    return true;
  };
  const int movers = view.first_mover, end = view.first_mover + view.movers;
  if (!add(0, world.still, false)) return false;
  list.still_met = count;
  if (!add(0, world.still, true)) return false;
  list.still = count;
  if (!add(movers, end, false)) return false;
  list.movers_met = count;
  if (!add(movers, end, true)) return false;
  list.movers = count;
  return true;
}

// Everything: what ListTile would give if nothing could be left out. Null `index` stands for it.
WILDRAYZER_HD inline TileList WholeWorld(const WorldPointers& world, const WorldView& view) {
  TileList list;
  list.still_met = list.still = world.still;
  list.movers_met = list.movers = world.still + view.movers;
  return list;
}

// A pixel's list of primitives: a tile's, or all.
struct Nearby {
  const TileList& list;
  bool all;  // `list` is WholeWorld's
  int first_mover;

  WILDRAYZER_HD int operator[](int i) const {
    if (!all) return list.index[i];
    return i < list.still ? i : first_mover + i - list.still;
  }
};

// The colour of pixel (x, y). Rays of a pixel that meet one face are shaded once, at the mean of their
// points.
WILDRAYZER_HD inline PixelColour ColourPixel(const WorldPointers& world, const WorldView& view, int width,
                                             int height, int x, int y, const Nearby& nearby) {
  const TileList& list = nearby.list;
  const float angle = PixelAngle(view, width, height);
  // A rotated grid.
  const float across[kWorldSamples] = {-0.125F, 0.375F, -0.375F, 0.125F};
  const float down[kWorldSamples] = {-0.375F, -0.125F, 0.125F, 0.375F};
  RayHit still[kWorldSamples], mover[kWorldSamples];
  Float3 direction[kWorldSamples];
  PixelColour pixel;
  for (int s = 0; s < kWorldSamples; ++s) {
    const float u = (static_cast<float>(x) + 0.5F + view.spread * across[s]) / static_cast<float>(width);
    const float v = (static_cast<float>(y) + 0.5F + view.spread * down[s]) / static_cast<float>(height);
    direction[s] = RayThrough(view, width, height, u, v);
    for (int i = 0; i < list.still_met; ++i)
      Meet(world, nearby[i], view.position, direction[s], angle, still[s]);
    mover[s].t = still[s].t;
    for (int i = list.still; i < list.movers_met; ++i)
      Meet(world, nearby[i], view.position, direction[s], angle, mover[s]);
    if (mover[s].primitive >= 0) pixel.cover += 1.0F / kWorldSamples;
  }
  // Adds every face that some rays meet, once, by its share: `hits` of those `counted`.
  const auto add_faces = [&](const RayHit* hits, bool movers) {
    for (int s = 0; s < kWorldSamples; ++s) {
      if (hits[s].primitive < 0) continue;
      const auto same = [&](int other) {
        return hits[other].primitive == hits[s].primitive && hits[other].face == hits[s].face;
      };
      bool done = false;
      for (int other = 0; other < s; ++other) done = done || same(other);
      if (done) continue;
      Float3 point{0, 0, 0};
      float rays = 0, uncovered = 0;
      for (int other = s; other < kWorldSamples; ++other) {
        if (!same(other)) continue;
        rays += 1;
        if (mover[other].primitive < 0) uncovered += 1;
        point = point + view.position + hits[other].t * direction[other];
      }
      const Shaded shaded =
          ShadePoint(world, hits[s].primitive, hits[s].face, (1.0F / rays) * point, view.position, angle);
      float light = 1.0F, shadow = 1.0F;
      for (int i = 0; i < list.movers; ++i) {
        if (nearby[i] == hits[s].primitive) continue;
        const Primitive& thing = world.primitives[nearby[i]];
        if (i < list.still) {
          if (thing.shape != Shape::kRoom) light *= ShadeNear(thing, shaded.point, shaded.normal);
        } else if (!movers) {
          shadow *= ShadeNear(thing, shaded.point, shaded.normal) *
                    ShadowOf(thing, shaded.point, world.lights[0].position);
        }
      }
      const Float3 colour = light * shaded.colour;
      if (movers) {
        pixel.seen = pixel.seen + (rays / kWorldSamples) * colour;
      } else {
        pixel.clean = pixel.clean + (rays / kWorldSamples) * colour;
        pixel.seen = pixel.seen + (uncovered / kWorldSamples * shadow) * colour;
      }
    }
  };
  add_faces(still, false);
  add_faces(mover, true);
  const auto counter = static_cast<uint32_t>(3 * (y * width + x));
  const auto recorded = [&](Float3 colour) {
    const auto channel = [&](float value, float gain, uint32_t c) {
      const float noise = view.noise > 0 ? view.noise * NoiseAt(view.seed, counter + c) : 0.0F;
      return fminf(fmaxf(gain * value + noise, 0.0F), 1.0F);
    };
    return Float3{channel(colour.x, view.gain.x, 0), channel(colour.y, view.gain.y, 1),
                  channel(colour.z, view.gain.z, 2)};
  };
  pixel.seen = recorded(pixel.seen);
  pixel.clean = recorded(pixel.clean);
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
  truth.visible = (back.still.primitive < 0 || back.still.t > 0.98F) &&
                  (back.mover.primitive < 0 || back.mover.t > 0.98F);
  return truth;
}

}  // namespace wildrayzer
