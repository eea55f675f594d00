// The truth that worlds give, against their own pictures and against other ways to compute it.
#include "wildrayzer/worlds/render_worlds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/pixel.h"

namespace wildrayzer {
namespace {

constexpr int kWide = 96, kHigh = 64, kPatch = 8;
constexpr int kPixels = kWide * kHigh;

const TextureBank& SmallBank() {
  static const TextureBank bank = [] {
    TextureSources sources;
    sources.procedural = 32;
    sources.procedural_cutouts = 16;
    return TextureBank::Make(sources, 1, 2);
  }();
  return bank;
}

WorldOptions Quiet() {
  WorldOptions options;
  options.width = kWide;
  options.height = kHigh;
  options.views = 4;
  options.camera_noise = false;
  return options;
}

World Draw(const WorldOptions& options, uint64_t seed) {
  Random random(seed, "render_worlds_test");
  return DrawWorld(SmallBank(), options, random);
}

// Everything that can be rendered.
struct Rendered {
  std::vector<float> seen, clean, cover, depth, matches, log_depth, visible;
};
Rendered Render(const std::vector<World>& worlds, int threads = 1) {
  const size_t views = worlds.size() * worlds[0].views.size(), patches = kPixels / (kPatch * kPatch);
  Rendered out;
  out.seen.resize(3 * views * kPixels);
  out.clean.resize(3 * views * kPixels);
  out.cover.resize(views * kPixels);
  out.depth.resize(views * kPixels);
  out.matches.resize(2 * views * patches);
  out.log_depth.resize(views * patches);
  out.visible.resize(views * patches);
  RenderWorlds(worlds, SmallBank(), threads,
               {kWide, kHigh, kPatch, out.seen.data(), out.clean.data(), out.cover.data(), out.depth.data(),
                out.matches.data(), out.log_depth.data(), out.visible.data()});
  return out;
}

// The three channels of a picture [3, H, W] at continuous pixel coordinates.
std::vector<float> Bilinear(const float* planes, float x, float y) {
  const float cx = std::clamp(x - 0.5F, 0.0F, kWide - 1.001F),
              cy = std::clamp(y - 0.5F, 0.0F, kHigh - 1.001F);
  const int column = static_cast<int>(cx), row = static_cast<int>(cy);
  const float fx = cx - static_cast<float>(column), fy = cy - static_cast<float>(row);
  std::vector<float> colour;
  for (int c = 0; c < 3; ++c) {
    const float* p = planes + c * kPixels + row * kWide + column;
    colour.push_back((1 - fy) * ((1 - fx) * p[0] + fx * p[1]) +
                     fy * ((1 - fx) * p[kWide] + fx * p[kWide + 1]));
  }
  return colour;
}

// Where pixel (x, y) of view v appears in view 0, by the depth plane and the cameras that training is given.
struct Seen {
  float x = 0, y = 0, z = 0;
};
Seen InFirstView(const World& world, int view, float x, float y, float depth) {
  const WorldCamera camera = CameraOf(world, view, kWide, kHigh);
  const float point[3] = {(x / kWide - 0.5F) / camera.fx * depth, (y / kHigh - 0.5F) / camera.fy * depth,
                          depth};
  float in_first[3];
  for (int row = 0; row < 3; ++row) {
    in_first[row] = camera.c2w[4 * row + 3];
    for (int k = 0; k < 3; ++k) in_first[row] += camera.c2w[4 * row + k] * point[k];
  }
  return {kWide * (0.5F + camera.fx * in_first[0] / in_first[2]),
          kHigh * (0.5F + camera.fy * in_first[1] / in_first[2]), in_first[2]};
}

// The first view, warped into the others by depth and pose, is what they see: over 30 dB where both see the
// same still surface. What the mean of many pictures would not reach, and a wrong sign anywhere neither.
TEST(RenderWorlds, DepthAndPosesExplainThePictures) {
  double squares = 0, unmoved_squares = 0;
  int64_t counted = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    WorldOptions options = Quiet();
    options.movers = 0;
    const World world = Draw(options, seed);
    const Rendered out = Render({world});
    for (int view = 1; view < options.views; ++view) {
      const float* picture = out.clean.data() + static_cast<size_t>(3 * view) * kPixels;
      for (int i = 0; i < kPixels; ++i) {
        const float x = static_cast<float>(i % kWide) + 0.5F, y = static_cast<float>(i / kWide) + 0.5F;
        const Seen there = InFirstView(world, view, x, y, out.depth[static_cast<size_t>(view * kPixels + i)]);
        if (there.z <= 0 || there.x < 1 || there.y < 1 || there.x > kWide - 1 || there.y > kHigh - 1)
          continue;
        // All four texels of the first view must see this surface, or it is an edge.
        bool same = true;
        for (const int dx : {-1, 0, 1}) {
          for (const int dy : {-1, 0, 1}) {
            const int at = std::clamp(static_cast<int>(there.y) + dy, 0, kHigh - 1) * kWide +
                           std::clamp(static_cast<int>(there.x) + dx, 0, kWide - 1);
            same = same && std::abs(out.depth[static_cast<size_t>(at)] / there.z - 1) < 0.03F;
          }
        }
        if (!same) continue;
        const std::vector<float> warped = Bilinear(out.clean.data(), there.x, there.y);
        for (int c = 0; c < 3; ++c) {
          const float truth = picture[c * kPixels + i];
          squares += std::pow(warped[static_cast<size_t>(c)] - truth, 2);
          unmoved_squares += std::pow(out.clean[static_cast<size_t>(c * kPixels + i)] - truth, 2);
          ++counted;
        }
      }
    }
  }
  ASSERT_GT(counted, 12 * 3 * kPixels / 2);
  const double psnr = -10 * std::log10(squares / static_cast<double>(counted));
  const double unmoved = -10 * std::log10(unmoved_squares / static_cast<double>(counted));
  RecordProperty("psnr", std::to_string(psnr));
  EXPECT_GT(psnr, 30);
  EXPECT_GT(psnr, unmoved + 8);
}

// Where movers cover nothing, both pictures are the same to the bit, unless a shadow falls there; where they
// cover a pixel, it differs (but for the odd one whose colour happens to be that of what it hides).
TEST(RenderWorlds, MasksAreTheDifferenceOfThePictures) {
  WorldOptions options = Quiet();
  options.camera_noise = true;
  options.movers = 1;
  options.shadows = 0;
  int64_t covered = 0, same = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Rendered out = Render({Draw(options, seed)});
    for (size_t i = 0; i < out.cover.size(); ++i) {
      const size_t at = i / kPixels * 3 * kPixels + i % kPixels;
      bool equal = true;
      for (size_t c = 0; c < 3; ++c)
        equal = equal && out.seen[at + c * kPixels] == out.clean[at + c * kPixels];
      if (out.cover[i] == 0) {
        ASSERT_TRUE(equal);
      } else {
        ++covered;
        same += equal;
      }
    }
  }
  ASSERT_GT(covered, 1000);
  EXPECT_LT(static_cast<double>(same) / static_cast<double>(covered), 0.02);
}

TEST(RenderWorlds, ShadowsDarkenAndNothingElse) {
  WorldOptions options = Quiet();
  options.movers = options.shadows = 1;
  int64_t darker = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Rendered out = Render({Draw(options, seed)});
    for (size_t i = 0; i < out.cover.size(); ++i) {
      if (out.cover[i] > 0) continue;
      const size_t at = i / kPixels * 3 * kPixels + i % kPixels;
      ASSERT_LE(out.seen[at], out.clean[at]);
      darker += out.seen[at] < out.clean[at] - 0.02F;
    }
  }
  EXPECT_GT(darker, 500);
}

// A match is where the first camera sees the very same point, by a ray of its own.
TEST(RenderWorlds, MatchesHitTheSamePoint) {
  int64_t visible = 0, hidden = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    WorldOptions options = Quiet();
    options.movers = 1;
    const World world = Draw(options, seed);
    const Rendered out = Render({world});
    const WorldPointers pointers = PointersOf(world, SmallBank());
    const int columns = kWide / kPatch, patches = kPixels / (kPatch * kPatch);
    for (int view = 0; view < options.views; ++view) {
      for (int i = 0; i < patches; ++i) {
        const auto at = static_cast<size_t>(view * patches + i);
        if (out.visible[at] == 0) {
          ++hidden;
          continue;
        }
        ++visible;
        const WorldView& here = world.views[static_cast<size_t>(view)];
        const WorldView& first = world.views[0];
        const auto point_at = [&](const WorldView& from, float u, float v) {
          const Float3 ray = RayThrough(from, kWide, kHigh, u, v);
          const PointHit hit = TracePoint(pointers, from, ray, PixelAngle(from, kWide, kHigh));
          EXPECT_LT(hit.mover.primitive, 0);
          return from.position + hit.still.t * ray;
        };
        const Float3 mine = point_at(here, (static_cast<float>(i % columns) + 0.5F) * kPatch / kWide,
                                     (static_cast<float>(i / columns) + 0.5F) * kPatch / kHigh);
        const Float3 theirs = point_at(first, out.matches[2 * at], out.matches[2 * at + 1]);
        // Visibility allows 2 % of the way.
        EXPECT_LT(Length(mine - theirs), 0.025F * Length(mine - first.position) + 1e-3F);
        const Float3 local = ToLocal(here.axes, mine - here.position);
        EXPECT_NEAR(std::exp(out.log_depth[at]) * world.unit, local.z, 1e-3F * local.z);
      }
    }
  }
  EXPECT_GT(visible, hidden / 2);
  EXPECT_GT(hidden, 100);
}

TEST(RenderWorlds, SameBytesOnAnyNumberOfThreads) {
  WorldOptions options = Quiet();
  options.camera_noise = true;
  options.movers = 1;
  const std::vector<World> worlds{Draw(options, 1), Draw(options, 2), Draw(options, 3)};
  const Rendered one = Render(worlds, 1), three = Render(worlds, 3);
  EXPECT_EQ(one.seen, three.seen);
  EXPECT_EQ(one.clean, three.clean);
  EXPECT_EQ(one.cover, three.cover);
  EXPECT_EQ(one.depth, three.depth);
  EXPECT_EQ(one.matches, three.matches);
  EXPECT_EQ(one.visible, three.visible);
}

// What a tile leaves out, its pixels do not see: each pixel is the same with the list and with all. Rays one
// at a time, as on a GPU, and four at a time give the same bits.
TEST(RenderWorlds, TileListsLeaveNothingOut) {
  WorldOptions options = Quiet();
  options.camera_noise = true;
  options.movers = options.shadows = 1;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const World world = Draw(options, seed);
    const Rendered out = Render({world});
    const WorldPointers pointers = PointersOf(world, SmallBank());
    int left_out = 0;
    for (size_t number = 0; number < world.views.size(); ++number) {
      const WorldView& view = world.views[number];
      const Lens lens = LensOf(view, kWide, kHigh);
      NearThings still, movers;
      still.met = world.still;
      movers.met = view.movers;
      std::iota(still.index, still.index + still.met, static_cast<int16_t>(0));
      std::iota(movers.index, movers.index + movers.met, static_cast<int16_t>(view.first_mover));
      const TileCone cone = ConeOf(view, lens, 8, 8, 8, 8);
      for (int i = 0; i < world.still; ++i)
        left_out +=
            NearnessOf(world.primitives[static_cast<size_t>(i)], view.position, cone) == Nearness::kNone;
      for (int i = 0; i < kPixels; i += 7) {
        const PixelColour pixel =
            ColourPixel<float>(pointers, view, lens, i % kWide, i / kWide, still, movers);
        const size_t at = number * 3 * kPixels + static_cast<size_t>(i);
        ASSERT_EQ(pixel.cover, out.cover[number * kPixels + static_cast<size_t>(i)]);
        // A product in another order.
        ASSERT_NEAR(pixel.seen.x, out.seen[at], 1e-5F);
        ASSERT_NEAR(pixel.clean.z, out.clean[at + 2 * kPixels], 1e-5F);
        const PixelColour four =
            ColourPixel<Float4>(pointers, view, lens, i % kWide, i / kWide, still, movers);
        ASSERT_EQ(pixel.seen.x, four.seen.x);
        ASSERT_EQ(pixel.clean.z, four.clean.z);
      }
    }
    EXPECT_GT(left_out, 0);
  }
}

}  // namespace
}  // namespace wildrayzer
