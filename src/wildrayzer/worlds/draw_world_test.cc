// Worlds are drawn as their options say.
#include "wildrayzer/worlds/draw_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

const TextureBank& TinyBank() {
  static const TextureBank bank = [] {
    TextureSources sources;
    sources.procedural = 8;
    sources.procedural_cutouts = 8;
    return TextureBank::Make(sources, 1, 1);
  }();
  return bank;
}

World DrawOne(const WorldOptions& options, uint64_t seed) {
  Random random(seed, "draw_world_test");
  return DrawWorld(TinyBank(), options, random);
}

TEST(DrawWorld, EveryViewSeesEnoughAndKeepsItsDistance) {
  for (const double overlap : {0.35, 0.6}) {
    WorldOptions options;
    options.min_overlap = overlap;
    double least = 1;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      // On the grid on which they were accepted.
      for (const WorldViewFacts& facts : FactsOf(DrawOne(options, seed), TinyBank(), 128, 128, 8)) {
        EXPECT_GE(facts.overlap, overlap);
        EXPECT_GE(facts.nearest, 0.3);
        least = std::min(least, facts.overlap);
      }
    }
    EXPECT_LT(least, overlap + 0.15);  // the range is used
  }
}

TEST(DrawWorld, CamerasAreRelativeToTheFirst) {
  const World world = DrawOne({}, 5);
  const WorldCamera first = CameraOf(world, 0, 160, 96);
  for (int i = 0; i < 16; ++i) EXPECT_NEAR(first.c2w[i], i % 5 == 0 ? 1 : 0, 1e-6);
  // One focal length in pixels for both axes.
  EXPECT_NEAR(first.fx * 160, first.fy * 96, 1e-3);
  const WorldCamera other = CameraOf(world, 3, 160, 96);
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      float product = 0;
      for (int k = 0; k < 3; ++k) product += other.c2w[4 * k + a] * other.c2w[4 * k + b];
      EXPECT_NEAR(product, a == b ? 1 : 0, 1e-5);
    }
  }
}

TEST(DrawWorld, MotionGrowsWithItsOption) {
  const auto mean = [](double motion) {
    WorldOptions options;
    options.motion = motion;
    double turned = 0, moved = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const auto facts = FactsOf(DrawOne(options, seed), TinyBank(), 128, 128, 4);
      turned += facts[1].rotation;
      moved += facts[1].translation;
    }
    return std::pair(turned / 40, moved / 40);
  };
  const auto [small_turn, small_move] = mean(0.2);
  const auto [turn, move] = mean(1.0);
  EXPECT_GT(turn, 2 * small_turn);
  EXPECT_GT(move, 2 * small_move);
}

TEST(DrawWorld, MoversMoveAndTwinsDoNot) {
  WorldOptions options;
  options.movers = options.twins = 1;
  int movers = 0, twins = 0;
  double cover = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const World world = DrawOne(options, seed);
    movers += world.movers > 0;
    twins += world.twins;
    bool has_twin = false;
    for (int i = 0; i < world.still; ++i) {
      EXPECT_LT(world.primitives[static_cast<size_t>(i)].mover, 0);
      has_twin = has_twin || world.primitives[static_cast<size_t>(i)].mover == kTwin;
    }
    EXPECT_EQ(has_twin, world.twins > 0);
    double most = 0;
    for (const WorldViewFacts& facts : FactsOf(world, TinyBank(), 128, 128))
      most = std::max(most, facts.cover);
    EXPECT_LE(most, 0.25 + 1e-9);  // on the grid by which they were placed
    cover += most;
    // The same part is nowhere twice.
    for (size_t a = 0; a < world.views.size(); ++a) {
      for (size_t b = 0; b < a; ++b) {
        const WorldView &one = world.views[a], &two = world.views[b];
        if (one.movers == 0 || two.movers == 0) continue;
        const Primitive& p = world.primitives[static_cast<size_t>(one.first_mover)];
        const Primitive& q = world.primitives[static_cast<size_t>(two.first_mover)];
        if (p.mover != q.mover) continue;
        EXPECT_GT(Length(p.centre - q.centre), 1e-3F);
      }
    }
  }
  EXPECT_GE(movers, 24);  // now and then there is no room
  EXPECT_GT(twins, 15);
  EXPECT_GT(cover / 30, 0.05);
  options.movers = 0;
  EXPECT_EQ(DrawOne(options, 1).movers, 0);
}

TEST(DrawWorld, DependsOnItsSeedOnly) {
  const auto bytes = [](const World& world) {
    std::vector<unsigned char> all(world.views.size() * sizeof(WorldView));
    std::memcpy(all.data(), world.views.data(), all.size());
    return all;
  };
  EXPECT_EQ(bytes(DrawOne({}, 1)), bytes(DrawOne({}, 1)));
  EXPECT_NE(bytes(DrawOne({}, 1)), bytes(DrawOne({}, 2)));
}

// Another place about the same cameras: what transfer of poses is measured with.
TEST(DrawWorldAlong, HasTheSameCamerasAndOtherThings) {
  Random random(3, "along");
  const World world = DrawOne({}, 8);
  const World other = DrawWorldAlong(world, TinyBank(), {}, random);
  ASSERT_EQ(other.views.size(), world.views.size());
  for (int view = 0; view < static_cast<int>(world.views.size()); ++view) {
    const WorldCamera a = CameraOf(world, view, 128, 128), b = CameraOf(other, view, 128, 128);
    EXPECT_NEAR(a.fx, b.fx, 1e-6);
    for (int i = 0; i < 12; ++i) {
      const float unit = i % 4 == 3 ? world.unit : 1, other_unit = i % 4 == 3 ? other.unit : 1;  // metres
      EXPECT_NEAR(a.c2w[i] * unit, b.c2w[i] * other_unit, 1e-4);
    }
  }
  EXPECT_NE(world.still, other.still);
}

}  // namespace
}  // namespace wildrayzer
