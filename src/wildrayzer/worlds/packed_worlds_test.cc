#include "wildrayzer/worlds/packed_worlds.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/pixel.h"

namespace wildrayzer {
namespace {

constexpr int kTextures = 5;

// Two views; `still` things that stand still and one mover in the second view; papers 0 to 2.
World SomeWorld(int still) {
  World world;
  world.still = still;
  world.unit = 0.5F + static_cast<float>(still);
  world.papers.resize(3);
  world.papers[2].texture = kTextures - 1;
  for (int i = 0; i <= still; ++i) {
    Primitive thing;
    thing.centre.x = static_cast<float>(10 * still + i);
    thing.paper[5] = i % 3;
    world.primitives.push_back(thing);
  }
  world.views.resize(2);
  world.views[1].first_mover = still;
  world.views[1].movers = 1;
  world.views[1].focal = static_cast<float>(still);
  world.lights[1].reach = static_cast<float>(still);
  return world;
}

TEST(PackedWorlds, AreTheWorldsAgain) {
  const std::vector<World> worlds{SomeWorld(4), SomeWorld(0), SomeWorld(7)};
  const PackedLayout layout = LayOutWorlds(worlds, kTextures);
  std::vector<std::byte> packed(layout.bytes);
  PackWorlds(worlds, layout, packed);
  const uint8_t texel = 1;
  const PackedBatch batch = BatchAt(layout, packed.data(), &texel);
  ASSERT_EQ(batch.count, 3);
  ASSERT_EQ(batch.views_each, 2);
  for (int i = 0; i < 3; ++i) {
    const World& world = worlds[static_cast<size_t>(i)];
    const WorldPointers pointers = batch.World(i);
    EXPECT_EQ(pointers.still, world.still);
    EXPECT_EQ(pointers.texels, &texel);
    EXPECT_EQ(pointers.lights[1].reach, world.lights[1].reach);
    EXPECT_EQ(batch.worlds[i].unit, world.unit);
    EXPECT_EQ(batch.views[2 * i + 1].focal, world.views[1].focal);
    EXPECT_EQ(batch.views[2 * i + 1].first_mover, world.views[1].first_mover);
    for (size_t k = 0; k < world.primitives.size(); ++k) {
      EXPECT_EQ(pointers.primitives[k].centre.x, world.primitives[k].centre.x);
      EXPECT_EQ(pointers.primitives[k].paper[5], world.primitives[k].paper[5]);
    }
    EXPECT_EQ(pointers.papers[2].texture, kTextures - 1);
  }
}

TEST(PackedWorlds, WhatIsOutOfBoundsIsRefused) {
  const auto refused = [](const std::function<void(World&)>& spoil) {
    std::vector<World> worlds{SomeWorld(4), SomeWorld(4)};
    EXPECT_NO_THROW(LayOutWorlds(worlds, kTextures));
    spoil(worlds[1]);
    EXPECT_THROW(LayOutWorlds(worlds, kTextures), Error);
  };
  refused([](World& world) { world.still = 6; });
  refused([](World& world) { world.still = -1; });
  refused([](World& world) { world.views[0].movers = 7; });
  refused([](World& world) { world.views[1].first_mover = 5; });
  refused([](World& world) { world.views[1].first_mover = -1; });
  refused([](World& world) { world.primitives[2].paper[3] = 3; });
  refused([](World& world) { world.primitives[2].paper[0] = -1; });
  refused([](World& world) { world.papers[0].texture = kTextures; });
  refused([](World& world) { world.papers[0].texture = -1; });
  refused([](World& world) { world.views.pop_back(); });
  refused([](World& world) { world = SomeWorld(kMaxThings + 1); });
  refused([](World& world) { world.primitives.resize(40000); });
  EXPECT_NO_THROW(LayOutWorlds(std::vector<World>{SomeWorld(kMaxThings)}, kTextures));
  EXPECT_THROW(LayOutWorlds({}, kTextures), Error);
  const std::vector<World> worlds{SomeWorld(1)};
  std::vector<std::byte> short_by_one(LayOutWorlds(worlds, kTextures).bytes - 1);
  EXPECT_THROW(PackWorlds(worlds, LayOutWorlds(worlds, kTextures), short_by_one), Error);
}

}  // namespace
}  // namespace wildrayzer
