#include "wildrayzer/worlds/render_worlds.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/run_parallel.h"

namespace wildrayzer {
namespace {

// One view of one world, and where its planes go.
class ViewRenderer {
 public:
  ViewRenderer(const World& world, const WorldPointers& pointers, const WorldFrames& out, int64_t number,
               int view)
      : world_(world),
        pointers_(pointers),
        out_(out),
        view_(world.views[static_cast<size_t>(view)]),
        pixels_(static_cast<int64_t>(out.width) * out.height),
        number_(number) {}

  void Render() const {
    if (out_.seen != nullptr || out_.clean != nullptr || out_.cover != nullptr) {
      for (int y = 0; y < out_.height; y += kWorldTile) {
        for (int x = 0; x < out_.width; x += kWorldTile) Tile(x, y);
      }
    }
    if (out_.depth != nullptr) Depth();
    if (out_.matches != nullptr || out_.log_depth != nullptr || out_.visible != nullptr) Truths();
  }

 private:
  void Tile(int x, int y) const {
    const int right = std::min(x + kWorldTile, out_.width), bottom = std::min(y + kWorldTile, out_.height);
    TileList list;
    const bool all = !ListTile(pointers_, view_, out_.width, out_.height, x, y, right - x, bottom - y, list);
    if (all) list = WholeWorld(pointers_, view_);
    const Nearby nearby{list, all, view_.first_mover};
    for (int row = y; row < bottom; ++row) {
      for (int column = x; column < right; ++column) {
        const PixelColour pixel = ColourPixel(pointers_, view_, out_.width, out_.height, column, row, nearby);
        const int64_t at = static_cast<int64_t>(row) * out_.width + column;
        Put(out_.seen, at, pixel.seen);
        Put(out_.clean, at, pixel.clean);
        if (out_.cover != nullptr) out_.cover[number_ * pixels_ + at] = pixel.cover;
      }
    }
  }

  void Put(float* planes, int64_t at, Float3 colour) const {
    if (planes == nullptr) return;
    float* plane = planes + 3 * number_ * pixels_ + at;
    plane[0] = colour.x;
    plane[pixels_] = colour.y;
    plane[2 * pixels_] = colour.z;
  }

  void Depth() const {
    const float angle = PixelAngle(view_, out_.width, out_.height);
    float* depth = out_.depth + number_ * pixels_;
    for (int row = 0; row < out_.height; ++row) {
      for (int column = 0; column < out_.width; ++column) {
        const Float3 ray = RayThrough(view_, out_.width, out_.height,
                                      (static_cast<float>(column) + 0.5F) / static_cast<float>(out_.width),
                                      (static_cast<float>(row) + 0.5F) / static_cast<float>(out_.height));
        *depth++ = TracePoint(pointers_, view_, ray, angle).still.t / world_.unit;
      }
    }
  }

  void Truths() const {
    const int columns = out_.width / out_.patch, rows = out_.height / out_.patch;
    int64_t at = number_ * rows * columns;
    for (int i = 0; i < rows * columns; ++i, ++at) {
      const float u = (static_cast<float>(i % columns) + 0.5F) / static_cast<float>(columns);
      const float v = (static_cast<float>(i / columns) + 0.5F) / static_cast<float>(rows);
      const PointTruth truth = TruthOf(pointers_, view_, world_.views[0], out_.width, out_.height, u, v);
      if (out_.matches != nullptr) {
        out_.matches[2 * at] = truth.u;
        out_.matches[2 * at + 1] = truth.v;
      }
      if (out_.log_depth != nullptr) out_.log_depth[at] = logf(truth.depth / world_.unit);
      if (out_.visible != nullptr) out_.visible[at] = truth.visible ? 1.0F : 0.0F;
    }
  }

  const World& world_;
  const WorldPointers& pointers_;
  const WorldFrames& out_;
  const WorldView& view_;
  int64_t pixels_;
  int64_t number_;  // of the view in the batch
};

}  // namespace

WorldPointers PointersOf(const World& world, const TextureBank& bank) {
  WorldPointers pointers;
  pointers.primitives = world.primitives.data();
  pointers.papers = world.papers.data();
  pointers.texels = bank.texels().data();
  pointers.lights[0] = world.lights[0];
  pointers.lights[1] = world.lights[1];
  pointers.ambient = world.ambient;
  pointers.still = world.still;
  return pointers;
}

void RenderWorlds(std::span<const World> worlds, const TextureBank& bank, int threads,
                  const WorldFrames& out) {
  if (worlds.empty()) return;
  const auto views = static_cast<int64_t>(worlds[0].views.size());
  RunParallel(static_cast<int>(worlds.size() * static_cast<size_t>(views)), threads, [&](int number) {
    const World& world = worlds[static_cast<size_t>(number / views)];
    const WorldPointers pointers = PointersOf(world, bank);
    ViewRenderer(world, pointers, out, number, static_cast<int>(number % views)).Render();
  });
}

WorldCamera CameraOf(const World& world, int view, int width, int height) {
  const WorldView& first = world.views[0];
  const WorldView& camera = world.views[static_cast<size_t>(view)];
  const Float3 columns[3] = {ToLocal(first.axes, camera.axes.x), ToLocal(first.axes, camera.axes.y),
                             ToLocal(first.axes, camera.axes.z)};
  const Float3 moved = (1.0F / world.unit) * ToLocal(first.axes, camera.position - first.position);
  WorldCamera out{};
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) out.c2w[4 * row + column] = At(columns[column], row);
    out.c2w[4 * row + 3] = At(moved, row);
  }
  out.c2w[15] = 1;
  const float pixels = camera.focal * std::sqrt(static_cast<float>(width) * static_cast<float>(height));
  out.fx = pixels / static_cast<float>(width);
  out.fy = pixels / static_cast<float>(height);
  return out;
}

}  // namespace wildrayzer
