#include "wildrayzer/worlds/packed_worlds.h"

#include <cstring>
#include <string>
#include <type_traits>

#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/pixel.h"

namespace wildrayzer {
namespace {

static_assert(std::is_trivially_copyable_v<PackedWorld> && std::is_trivially_copyable_v<WorldView> &&
              std::is_trivially_copyable_v<Primitive> && std::is_trivially_copyable_v<Paper>);

// What a GPU reads without looking: an index out of bounds there would stop the whole program, or not.
void CheckIndices(const World& world, int textures) {
  const auto within = [](int64_t begin, int64_t count, size_t size) {
    return begin >= 0 && count >= 0 && begin + count <= static_cast<int64_t>(size);
  };
  if (!within(0, world.still, world.primitives.size()))
    throw Error("a world has fewer primitives than it says stand still");
  if (world.still > kMaxThings)
    throw Error("a world has " + std::to_string(world.still) + " primitives that stand still, more than " +
                std::to_string(kMaxThings));
  if (world.primitives.size() > INT16_MAX)
    throw Error("a world has more primitives than a tile's list can name");
  for (const WorldView& view : world.views) {
    if (!within(view.first_mover, view.movers, world.primitives.size()))
      throw Error("a view's movers are not among the world's primitives");
    if (view.movers > kMaxThings)
      throw Error("a view sees " + std::to_string(view.movers) + " primitives of movers, more than " +
                  std::to_string(kMaxThings));
  }
  for (const Primitive& thing : world.primitives) {
    for (const int32_t paper : thing.paper) {
      if (!within(paper, 1, world.papers.size())) throw Error("a primitive's paper is not among the world's");
    }
  }
  for (const Paper& paper : world.papers) {
    if (paper.texture < 0 || paper.texture >= textures)
      throw Error("a paper's texture is not in the bank of textures");
  }
}

}  // namespace

PackedLayout LayOutWorlds(std::span<const World> worlds, int textures) {
  if (worlds.empty() || worlds[0].views.empty()) throw Error("a batch of worlds needs a world with a view");
  size_t primitives = 0, papers = 0;
  for (const World& world : worlds) {
    if (world.views.size() != worlds[0].views.size())
      throw Error("the worlds of a batch have different numbers of views");
    CheckIndices(world, textures);
    primitives += world.primitives.size();
    papers += world.papers.size();
  }
  PackedLayout layout;
  layout.count = static_cast<int32_t>(worlds.size());
  layout.views_each = static_cast<int32_t>(worlds[0].views.size());
  const auto place = [&](size_t bytes) {
    constexpr size_t kLine = 128;  // arrays do not share a GPU's cache lines
    const size_t at = layout.bytes;
    layout.bytes += (bytes + kLine - 1) / kLine * kLine;
    return at;
  };
  layout.worlds = place(worlds.size() * sizeof(PackedWorld));
  layout.views = place(worlds.size() * worlds[0].views.size() * sizeof(WorldView));
  layout.primitives = place(primitives * sizeof(Primitive));
  layout.papers = place(papers * sizeof(Paper));
  return layout;
}

void PackWorlds(std::span<const World> worlds, const PackedLayout& layout, std::span<std::byte> out) {
  if (out.size() != layout.bytes) throw Error("packed worlds have another size than their layout");
  std::byte *heads = out.data() + layout.worlds, *views = out.data() + layout.views,
            *primitives = out.data() + layout.primitives, *papers = out.data() + layout.papers;
  const auto append = [](std::byte*& to, const auto& values) {
    const size_t bytes = values.size() * sizeof(values[0]);
    if (bytes > 0) std::memcpy(to, values.data(), bytes);
    to += bytes;
  };
  PackedWorld head;
  for (const World& world : worlds) {
    head.still = world.still;
    head.unit = world.unit;
    head.lights[0] = world.lights[0];
    head.lights[1] = world.lights[1];
    head.ambient = world.ambient;
    append(heads, std::span(&head, 1));
    append(views, world.views);
    append(primitives, world.primitives);
    append(papers, world.papers);
    head.first_primitive += static_cast<int32_t>(world.primitives.size());
    head.first_paper += static_cast<int32_t>(world.papers.size());
  }
}

PackedBatch BatchAt(const PackedLayout& layout, const std::byte* packed, const uint8_t* texels) {
  PackedBatch batch;
  batch.worlds = reinterpret_cast<const PackedWorld*>(packed + layout.worlds);
  batch.views = reinterpret_cast<const WorldView*>(packed + layout.views);
  batch.primitives = reinterpret_cast<const Primitive*>(packed + layout.primitives);
  batch.papers = reinterpret_cast<const Paper*>(packed + layout.papers);
  batch.texels = texels;
  batch.count = layout.count;
  batch.views_each = layout.views_each;
  return batch;
}

}  // namespace wildrayzer
