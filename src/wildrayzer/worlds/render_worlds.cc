#include "wildrayzer/worlds/render_worlds.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/worlds/render_view.h"

namespace wildrayzer {
namespace {

void ListThings(const ViewRendering& of, const TileCone& cone, int begin, int count, NearThings& list) {
  list.met = list.darken = 0;
  for (int i = begin; i < begin + count; ++i) {
    const Nearness nearness = NearnessOf(of.world.primitives[i], of.view.position, cone);
    if (nearness == Nearness::kMet) list.index[list.met++] = static_cast<int16_t>(i);
    if (nearness == Nearness::kDarkens) list.index[kMaxThings - 1 - list.darken++] = static_cast<int16_t>(i);
  }
}

void RenderTile(const ViewRendering& of, const WorldFrames& out, int x, int y) {
  const TileCone cone = of.Cone(out, x, y);
  NearThings still, movers;
  ListThings(of, cone, 0, of.world.still, still);
  ListThings(of, cone, of.view.first_mover, of.view.movers, movers);
  for (int row = y; row < std::min(y + kWorldTile, out.height); ++row) {
    for (int column = x; column < std::min(x + kWorldTile, out.width); ++column)
      of.Pixel<Float4>(out, column, row, still, movers);
  }
}

void RenderView(const ViewRendering& of, const WorldFrames& out) {
  if (out.WantsPixels()) {
    for (int y = 0; y < out.height; y += kWorldTile) {
      for (int x = 0; x < out.width; x += kWorldTile) RenderTile(of, out, x, y);
    }
  }
  if (out.depth != nullptr) {
    for (int at = 0; at < out.width * out.height; ++at) of.Depth(out, at);
  }
  if (out.WantsTruths()) {
    for (int patch = 0; patch < out.patches(); ++patch) of.Truth(out, patch);
  }
}

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
  const PackedLayout layout = LayOutWorlds(worlds, bank.size());
  std::vector<std::byte> packed(layout.bytes);
  PackWorlds(worlds, layout, packed);
  const PackedBatch batch = BatchAt(layout, packed.data(), bank.texels().data());
  RunParallel(batch.count * batch.views_each, threads,
              [&](int number) { RenderView(ViewRendering(batch, out, number), out); });
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
