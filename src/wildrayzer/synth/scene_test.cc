// The ground truth of rendered scenes, proven on the built-in models.
#include "wildrayzer/synth/scene.h"

#include <gtest/gtest.h>

#include "wildrayzer/synth/render.h"
#include "wildrayzer/synth/sampling.h"

namespace wildrayzer::synth {
namespace {

constexpr int kSize = 48;

class SceneTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    catalogue_ = new Catalogue(std::make_shared<const RayDevice>());
    AddBuiltInModels(*catalogue_);
    catalogue_->AssignSplits();
  }
  static void TearDownTestSuite() { delete catalogue_; }

  static SceneOptions Options(uint64_t seed, bool movers) {
    SceneOptions o;
    o.seed = seed;
    o.frames = 8;
    o.movers = movers;
    return o;
  }
  static RenderOptions Small(int samples = 4) {
    RenderOptions o;
    o.width = o.height = kSize;
    o.samples = samples;
    return o;
  }
  static Catalogue* catalogue_;
};
Catalogue* SceneTest::catalogue_ = nullptr;

// Mean absolute difference, in 8-bit steps, between the colours of `a` and those that its depth finds in `b`.
// Only points that `b` sees (its depth agrees within 2 %) and that are smooth about the pixel in depth in
// both views count. `scale` falsifies the depth.
double ReprojectionError(const Scene& scene, const Frame& a, size_t ia, const Frame& b, size_t ib,
                         float scale, int* counted) {
  const View &va = scene.views[ia], &vb = scene.views[ib];
  const auto smooth = [](const std::vector<float>& depth, int x, int y) {
    const float here = depth[static_cast<size_t>(y * kSize + x)];
    for (const int n : {y * kSize + x - 1, y * kSize + x + 1, (y - 1) * kSize + x, (y + 1) * kSize + x}) {
      if (std::abs(depth[static_cast<size_t>(n)] - here) > 0.06F * here) return false;
    }
    return here > 0;
  };
  double sum = 0;
  *counted = 0;
  for (int y = 1; y + 1 < kSize; ++y) {
    for (int x = 1; x + 1 < kSize; ++x) {
      const auto p = static_cast<size_t>(y * kSize + x);
      if (!smooth(a.clean_depth, x, y)) continue;
      const Vec3 ray = va.Ray((static_cast<float>(x) + 0.5F) / kSize, (static_cast<float>(y) + 0.5F) / kSize);
      const Vec3 there = vb.Project(va.position + scale * a.clean_depth[p] * ray);
      const float fx = there.x() * kSize - 0.5F, fy = there.y() * kSize - 0.5F;
      const int x0 = static_cast<int>(std::floor(fx)), y0 = static_cast<int>(std::floor(fy));
      if (there.z() <= 0 || x0 < 1 || y0 < 1 || x0 + 2 >= kSize || y0 + 2 >= kSize ||
          !smooth(b.clean_depth, x0, y0))
        continue;
      const float seen = b.clean_depth[static_cast<size_t>(std::lround(fy) * kSize + std::lround(fx))];
      if (scale == 1 && std::abs(seen - there.z()) > 0.02F * there.z()) continue;
      const float ax = fx - static_cast<float>(x0), ay = fy - static_cast<float>(y0);
      for (int c = 0; c < 3; ++c) {
        const double value =
            (1 - ay) * ((1 - ax) * b.clean.Pixel(x0, y0)[c] + ax * b.clean.Pixel(x0 + 1, y0)[c]) +
            ay * ((1 - ax) * b.clean.Pixel(x0, y0 + 1)[c] + ax * b.clean.Pixel(x0 + 1, y0 + 1)[c]);
        sum += std::abs(value - a.clean.Pixel(x, y)[c]) / 3;
      }
      ++*counted;
    }
  }
  return sum / std::max(1, *counted);
}

TEST_F(SceneTest, DepthReprojectionReproducesColours) {
  double right = 0, wrong = 0;
  int scenes = 0;
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const Scene scene = MakeScene(*catalogue_, Options(seed, false));
    Renderer renderer(scene, *catalogue_, Small(16), seed);
    const Frame a = renderer.Render(0), b = renderer.Render(4);
    int counted = 0;
    const double error = ReprojectionError(scene, a, 0, b, 4, 1, &counted);
    ASSERT_GT(counted, kSize * kSize / 8);
    // 16 rays a pixel of textured surfaces, resampled once at another scale: a few steps of 255 remain.
    EXPECT_LT(error, 12) << "seed " << seed;
    right += error;
    wrong += ReprojectionError(scene, a, 0, b, 4, 1.25F, &counted);
    ++scenes;
  }
  EXPECT_LT(right / scenes, 8);
  EXPECT_GT(wrong, 1.7 * right);  // a quarter more depth must be noticed
}

TEST_F(SceneTest, PairIsExactOutsideMaskAndShadow) {
  for (const uint64_t seed : {11, 12}) {
    Scene scene = MakeScene(*catalogue_, Options(seed, true));
    ASSERT_FALSE(scene.movers.empty());
    RenderOptions options = Small();
    Renderer with_shadows(scene, *catalogue_, options, seed);
    options.mover_shadows = false;
    Renderer without_shadows(scene, *catalogue_, options, seed);
    std::vector<Frame> shadowed, plain;
    for (size_t f = 0; f < 3; ++f) {
      shadowed.push_back(with_shadows.Render(f));
      plain.push_back(without_shadows.Render(f));
    }
    scene.movers.clear();  // the same room with nobody in it, rendered on its own
    Renderer empty(scene, *catalogue_, options, seed);
    size_t masked = 0, shaded = 0;
    for (size_t f = 0; f < 3; ++f) {
      const Frame alone = empty.Render(f);
      EXPECT_EQ(shadowed[f].clean, alone.rgb) << "frame " << f;
      EXPECT_EQ(plain[f].clean, alone.rgb) << "frame " << f;
      for (size_t p = 0; p < alone.mask.size(); ++p) {
        EXPECT_EQ(alone.mask[p], 0);
        EXPECT_EQ(plain[f].shadow[p], 0);
        EXPECT_EQ(plain[f].mask[p], shadowed[f].mask[p]);
        EXPECT_FALSE(shadowed[f].mask[p] != 0 && shadowed[f].shadow[p] != 0);
        for (size_t c = 3 * p; c < 3 * p + 3; ++c) {
          if (plain[f].mask[p] == 0) {
            ASSERT_EQ(plain[f].rgb.rgb[c], alone.rgb.rgb[c]);
          }
          if (shadowed[f].mask[p] == 0 && shadowed[f].shadow[p] == 0) {
            ASSERT_EQ(shadowed[f].rgb.rgb[c], alone.rgb.rgb[c]);
          }
          // A shadow never brightens.
          if (shadowed[f].shadow[p] != 0) {
            ASSERT_LE(shadowed[f].rgb.rgb[c], alone.rgb.rgb[c]);
          }
        }
        masked += shadowed[f].mask[p];
        shaded += shadowed[f].shadow[p];
      }
    }
    EXPECT_GT(masked, 0U);
    EXPECT_GT(shaded, 0U);
  }
}

// An independent count of 8 x 8 rays a pixel against worlds built here: whatever they hit must be in the mask
// (up to slivers that a few random rays miss), and whatever is in the mask must be hit in the pixel or just
// beside it.
TEST_F(SceneTest, MasksCoverMovingPixelsOnly) {
  const Scene scene = MakeScene(*catalogue_, Options(21, true));
  for (const size_t f : {size_t{0}, size_t{5}}) {
    Renderer renderer(scene, *catalogue_, Small(8), 21);
    const Frame frame = renderer.Render(f);
    RayWorld movers(catalogue_->device());
    for (const Mover& m : scene.movers) movers.Add({.model = catalogue_->Load(m.model), .pose = m.poses[f]});
    movers.Commit();
    const View& view = scene.views[f];
    const auto share = [&](int x, int y, float grow) {
      int hits = 0;
      for (int i = 0; i < 64; ++i) {
        const float u = (static_cast<float>(i % 8) + 0.5F) / 8, v = (static_cast<float>(i / 8) + 0.5F) / 8;
        const Vec3 ray = view.Ray((static_cast<float>(x) + 0.5F + grow * (u - 0.5F)) / kSize,
                                  (static_cast<float>(y) + 0.5F + grow * (v - 0.5F)) / kSize);
        const Hit hit = movers.Cast(view.position, ray, 0.01F, 1e4F, 0);
        hits += hit && !scene.world->Occluded(view.position, ray, 0.01F, hit.t);
      }
      return static_cast<float>(hits) / 64;
    };
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize; ++x) {
        const auto p = static_cast<size_t>(y * kSize + x);
        if (frame.mask[p] != 0) {
          EXPECT_GT(share(x, y, 1.3F), 0) << x << " " << y;
          EXPECT_LE(frame.depth[p], frame.clean_depth[p]);
        } else {
          EXPECT_LT(share(x, y, 1), 0.5F) << x << " " << y;
          EXPECT_EQ(frame.depth[p], frame.clean_depth[p]);
        }
      }
    }
  }
}

TEST_F(SceneTest, PeopleWhoStandStillAreNeverMasked) {
  int seen = 0;
  for (uint64_t seed = 100; seed < 130 && seen < 2; ++seed) {
    const Scene scene = MakeScene(*catalogue_, Options(seed, true));
    if (scene.furnishing.still_people.empty()) continue;
    const uint32_t person = 1 + static_cast<uint32_t>(scene.furnishing.still_people[0]);
    Renderer renderer(scene, *catalogue_, Small(), seed);
    const Frame frame = renderer.Render(0);
    for (int p = 0; p < kSize * kSize; ++p) {
      const View& view = scene.views[0];
      const Vec3 ray = view.Ray((static_cast<float>(p % kSize) + 0.5F) / kSize,
                                (static_cast<float>(p / kSize) + 0.5F) / kSize);
      const Hit hit = scene.world->Cast(view.position, ray, 0.01F, 1e4F, 0);
      // Where the still person is what the depth map shows, no mover is at the pixel's centre.
      if (!hit || hit.instance != person || frame.depth[static_cast<size_t>(p)] != hit.t) continue;
      ++seen;
      EXPECT_LT(frame.cover[static_cast<size_t>(p)], 1.0F);
    }
  }
  EXPECT_GT(seen, 0);
}

TEST_F(SceneTest, PathsAndMoversObeyTheirLimits) {
  const PathLimits path;
  const MoverLimits limits;
  for (uint64_t seed = 40; seed < 46; ++seed) {
    const Scene scene = MakeScene(*catalogue_, Options(seed, true));
    const PathMeasure m = MeasurePath(*scene.world, 0, scene.views.front(), scene.views.back());
    EXPECT_GE(m.parallax, path.min_parallax);
    EXPECT_LE(m.parallax, path.max_parallax);
    EXPECT_GE(m.motion, path.min_motion);
    EXPECT_LE(m.motion, path.max_motion);
    EXPECT_GE(m.overlap, path.min_overlap);
    for (const View& view : scene.views) {
      const float fov = 2 * std::atan(0.5F / view.fx) * 180 / kPi;
      EXPECT_GE(fov, path.min_fov - 1e-3F);
      EXPECT_LE(fov, path.max_fov + 1e-3F);
      EXPECT_GT(view.position.y(), path.min_height - 0.02F);
      EXPECT_LT(view.position.y(), path.max_height + 0.02F);
      EXPECT_LT((view.rotation * view.rotation.transpose() - Mat3::Identity()).norm(), 1e-5F);
      EXPECT_GT(view.rotation.determinant(), 0);
      // Nothing is near in any direction, so the camera is in no object.
      for (uint32_t i = 0; i < 64; ++i) {
        const Vec3 up = i % 2 == 0 ? Vec3(Vec3::UnitY()) : Vec3(-Vec3::UnitY());
        const Hit hit =
            scene.world->Cast(view.position, CosineDirection(up, LowDiscrepancy(i, 9)), 0, 1e4F, 0);
        EXPECT_TRUE(!hit || hit.t > 0.2F);
      }
      for (const Footprint& f : FurnitureFootprints(scene)) {
        const bool level = f.top > view.position.y() - 0.25F && f.bottom < view.position.y() + 0.25F;
        if (level) {
          EXPECT_GT(Distance(f, {view.position.x(), view.position.z()}), path.clearance - 0.01F);
        }
      }
    }
    for (const Mover& mover : scene.movers) {
      for (size_t f = 1; f < mover.poses.size(); ++f) {
        EXPECT_GT((mover.poses[f].offset - mover.poses[f - 1].offset).norm(), 0.5F * limits.min_step);
      }
    }
    Renderer renderer(scene, *catalogue_, Small(2), seed);
    double cover = 0;
    for (size_t f = 0; f < scene.views.size(); ++f) {
      for (const float c : renderer.Render(f).cover) cover += c;
    }
    cover /= static_cast<double>(scene.views.size()) * kSize * kSize;
    // The limits are enforced on a coarser grid of rays.
    EXPECT_GT(cover, limits.min_cover - 0.01);
    EXPECT_LT(cover, limits.max_cover + 0.01);
  }
}

TEST_F(SceneTest, FurnitureStandsOnTheFloorWithoutIntersections) {
  for (uint64_t seed = 60; seed < 66; ++seed) {
    const Scene scene = MakeScene(*catalogue_, Options(seed, false));
    const std::vector<Footprint> all = FurnitureFootprints(scene);
    for (size_t i = 0; i < all.size(); ++i) {
      for (size_t j = i + 1; j < all.size(); ++j) {
        const bool apart = all[i].bottom >= all[j].top || all[j].bottom >= all[i].top;
        const bool on_top =
            all[i].bottom > 0.1F || all[j].bottom > 0.1F;  // things on tables: placed on a level spot
        if (!apart && !on_top) {
          EXPECT_FALSE(Overlap(all[i], all[j], 0)) << "seed " << seed << ": " << i << " " << j;
        }
      }
    }
  }
}

TEST_F(SceneTest, SameSeedSamePicture) {
  const Scene a = MakeScene(*catalogue_, Options(7, true)), b = MakeScene(*catalogue_, Options(7, true));
  const Frame fa = Renderer(a, *catalogue_, Small(), 1).Render(0),
              fb = Renderer(b, *catalogue_, Small(), 1).Render(0);
  EXPECT_EQ(fa.rgb, fb.rgb);
  EXPECT_EQ(fa.mask, fb.mask);
  EXPECT_EQ(fa.depth, fb.depth);
  const Scene other = MakeScene(*catalogue_, Options(8, true));
  EXPECT_NE(Renderer(other, *catalogue_, Small(), 1).Render(0).rgb, fa.rgb);
}

}  // namespace
}  // namespace wildrayzer::synth
