// The views of a batch of worlds, as the processor and CUDA's kernels render them alike: what is done for one
// pixel or one patch, and where its numbers go. Views are numbered through the batch, world by world.
#pragma once

#include "wildrayzer/worlds/packed_worlds.h"
#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {

// One view, and where its planes go.
struct ViewRendering {
  WorldPointers world;
  WorldView view, first;  // first: of its world
  Lens lens;
  float unit = 1;
  int64_t number = 0;

  WILDRAYZER_HD ViewRendering(const PackedBatch& batch, const WorldFrames& out, int64_t of_batch)
      : number(of_batch) {
    const int64_t of_world = number / batch.views_each;
    world = batch.World(static_cast<int>(of_world));
    view = batch.views[number];
    first = batch.views[of_world * batch.views_each];
    lens = LensOf(view, out.width, out.height);
    unit = batch.worlds[of_world].unit;
  }

  WILDRAYZER_HD TileCone Cone(const WorldFrames& out, int x, int y) const {
    return ConeOf(view, lens, x, y, x + kWorldTile < out.width ? kWorldTile : out.width - x,
                  y + kWorldTile < out.height ? kWorldTile : out.height - y);
  }

  template <typename Real>
  WILDRAYZER_HD void Pixel(const WorldFrames& out, int x, int y, const NearThings& still,
                           const NearThings& movers) const {
    const PixelColour pixel = ColourPixel<Real>(world, view, lens, x, y, still, movers);
    const int64_t pixels = static_cast<int64_t>(out.width) * out.height;
    const int64_t at = static_cast<int64_t>(y) * out.width + x;
    const auto put = [&](float* planes, Float3 colour) {
      if (planes == nullptr) return;
      float* plane = planes + 3 * number * pixels + at;
      plane[0] = colour.x;
      plane[pixels] = colour.y;
      plane[2 * pixels] = colour.z;
    };
    put(out.seen, pixel.seen);
    put(out.clean, pixel.clean);
    if (out.cover != nullptr) out.cover[number * pixels + at] = pixel.cover;
  }

  // Of pixel `at`, row by row.
  WILDRAYZER_HD void Depth(const WorldFrames& out, int at) const {
    const Float3 ray = RayAt(view, lens, static_cast<float>(at % out.width) + 0.5F,
                             static_cast<float>(at / out.width) + 0.5F);
    out.depth[number * out.width * out.height + at] = TracePoint(world, view, ray, lens.angle).still.t / unit;
  }

  // Of patch `patch`, row by row.
  WILDRAYZER_HD void Truth(const WorldFrames& out, int patch) const {
    const int columns = out.width / out.patch, rows = out.height / out.patch;
    const float u = (static_cast<float>(patch % columns) + 0.5F) / static_cast<float>(columns);
    const float v = (static_cast<float>(patch / columns) + 0.5F) / static_cast<float>(rows);
    const PointTruth truth = TruthOf(world, view, first, out.width, out.height, u, v);
    const int64_t at = number * rows * columns + patch;
    if (out.matches != nullptr) {
      out.matches[2 * at] = truth.u;
      out.matches[2 * at + 1] = truth.v;
    }
    if (out.log_depth != nullptr) out.log_depth[at] = logf(truth.depth / unit);
    if (out.visible != nullptr) out.visible[at] = truth.visible ? 1.0F : 0.0F;
  }
};

}  // namespace wildrayzer
