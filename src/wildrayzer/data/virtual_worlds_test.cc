// Virtual worlds against an independent statement of their geometry, and against their own pixels.
#include "wildrayzer/data/virtual_worlds.h"

#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Smooth, so that bilinear interpolation of a view is nearly exact, and different everywhere.
Image Wave(int seed) {
  Image image(48, 48);
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 48; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.Pixel(x, y)[c] = static_cast<uint8_t>(125 + 60 * std::sin(0.09 * x + 2.1 * c + seed) +
                                                    50 * std::cos(0.08 * y * (1 + 0.2 * c) + 1.7 * seed));
      }
    }
  }
  return image;
}

std::vector<PicturePyramid> Pictures() {
  std::vector<PicturePyramid> pictures;
  for (int seed = 0; seed < 5; ++seed) pictures.emplace_back(Wave(seed));
  return pictures;
}

VirtualScene MakeScene(uint64_t seed, const VirtualWorldOptions& options) {
  static const auto pictures = Pictures();
  Random random(seed, "virtual world test");
  return MakeVirtualScene(pictures, options, random);
}

VirtualWorldOptions Small() {
  VirtualWorldOptions options;
  options.width = 64;
  options.height = 48;
  options.patch = 8;
  options.views = 4;
  return options;
}

constexpr int kRows = 6, kColumns = 8;  // of Small()

// Bilinear colour of channel c at (u, v) in [0, 1].
double ColourAt(const Image& image, double u, double v, int c) {
  const double x = std::clamp(u * image.width - 0.5, 0.0, image.width - 1.001);
  const double y = std::clamp(v * image.height - 0.5, 0.0, image.height - 1.001);
  const int column = static_cast<int>(x), row = static_cast<int>(y);
  const double a = x - column, b = y - row;
  return ((1 - b) * ((1 - a) * image.Pixel(column, row)[c] + a * image.Pixel(column + 1, row)[c]) +
          b * ((1 - a) * image.Pixel(column, row + 1)[c] + a * image.Pixel(column + 1, row + 1)[c])) /
         255;
}

// A point of a view lifted to its depth and seen by the first camera: x, y in widths and heights, z its
// depth.
Eigen::Vector3d InFirstView(const VirtualScene& scene, size_t view, double u, double v, double depth) {
  const double f = scene.focal;
  const Eigen::Vector4d point(depth * (u - 0.5) / f, depth * (v - 0.5) / f, depth, 1);
  const Eigen::Vector4d seen = scene.c2w[view].cast<double>() * point;
  return {f * seen.x() / seen.z() + 0.5, f * seen.y() / seen.z() + 0.5, seen.z()};
}

TEST(VirtualWorlds, MatchesFollowFromCamerasFocalLengthAndDepth) {
  int moved = 0, visible = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const VirtualScene scene = MakeScene(seed, Small());
    ASSERT_EQ(scene.patches.size(), 4U);
    for (size_t view = 0; view < 4; ++view) {
      ASSERT_EQ(scene.patches[view].size(), static_cast<size_t>(kRows * kColumns));
      for (int i = 0; i < kRows * kColumns; ++i) {
        const auto& truth = scene.patches[view][static_cast<size_t>(i)];
        EXPECT_GT(truth.depth, 0);
        const double u = (i % kColumns + 0.5) / kColumns, v = (i / kColumns + 0.5) / kRows;
        const Eigen::Vector3d expected = InFirstView(scene, view, u, v, truth.depth);
        if (truth.visible) {
          EXPECT_GT(expected.z(), 0);
          EXPECT_TRUE(truth.u > 0 && truth.u < 1 && truth.v > 0 && truth.v < 1);
          ++visible;
        }
        if (expected.z() < 0.2) continue;  // float32 loses digits close to and behind the camera
        EXPECT_NEAR(truth.u, expected.x(), 2e-4) << "seed " << seed << " view " << view << " patch " << i;
        EXPECT_NEAR(truth.v, expected.y(), 2e-4);
        moved += std::abs(truth.u - u) > 0.02;
      }
    }
  }
  // Else the test would say nothing.
  EXPECT_GT(moved, 200);
  EXPECT_GT(visible, 400);
}

TEST(VirtualWorlds, VisibleMatchesShowTheSameColour) {
  double same = 0, unmatched = 0;
  std::vector<double> errors;
  for (uint64_t seed = 20; seed < 28; ++seed) {
    const VirtualScene scene = MakeScene(seed, Small());
    for (size_t view = 1; view < 4; ++view) {
      for (int i = 0; i < kRows * kColumns; ++i) {
        const auto& truth = scene.patches[view][static_cast<size_t>(i)];
        if (!truth.visible) continue;
        const double u = (i % kColumns + 0.5) / kColumns, v = (i / kColumns + 0.5) / kRows;
        double error = 0;
        for (int c = 0; c < 3; ++c) {
          const double here = ColourAt(scene.views[view], u, v, c);
          error += std::abs(here - ColourAt(scene.views[0], truth.u, truth.v, c)) / 3;
          unmatched += std::abs(here - ColourAt(scene.views[0], u, v, c)) / 3;
        }
        errors.push_back(error);
        same += error;
      }
    }
  }
  ASSERT_GT(errors.size(), 300U);
  std::sort(errors.begin(), errors.end());
  // 8-bit steps and the box filter of slanted faces are the only differences away from edges between
  // pictures; a few patches lie on edges.
  EXPECT_LT(errors[errors.size() / 2], 0.015);
  EXPECT_LT(errors[errors.size() * 8 / 10], 0.06);
  EXPECT_LT(same, 0.4 * unmatched);
}

TEST(VirtualWorlds, TheFirstViewIsTheFrameAndItsMedianDepthTheUnit) {
  for (uint64_t seed = 40; seed < 43; ++seed) {
    const VirtualScene scene = MakeScene(seed, Small());
    EXPECT_TRUE(scene.c2w[0].isIdentity(1e-6F));
    std::vector<float> depths;
    for (int i = 0; i < kRows * kColumns; ++i) {
      const auto& truth = scene.patches[0][static_cast<size_t>(i)];
      EXPECT_TRUE(truth.visible);
      EXPECT_NEAR(truth.u, (i % kColumns + 0.5) / kColumns, 1e-5);
      EXPECT_NEAR(truth.v, (i / kColumns + 0.5) / kRows, 1e-5);
      depths.push_back(truth.depth);
    }
    std::sort(depths.begin(), depths.end());
    EXPECT_FLOAT_EQ(depths[depths.size() / 2], 1.0F);
    // Fields of view of 45 to 75 degrees.
    const double fov = 2 * std::atan(0.5 / scene.focal) * 180 / std::numbers::pi;
    EXPECT_TRUE(fov >= 44.999 && fov <= 75.001) << fov;
    for (const Eigen::Matrix4f& c2w : scene.c2w) {
      const Eigen::Matrix3f rotation = c2w.topLeftCorner<3, 3>();
      EXPECT_TRUE((rotation * rotation.transpose()).isIdentity(1e-5F));
      EXPECT_NEAR(rotation.determinant(), 1, 1e-5);
      EXPECT_EQ(c2w.row(3), Eigen::RowVector4f(0, 0, 0, 1));
    }
  }
}

TEST(VirtualWorlds, PureRotationsMatchWhateverTheDepth) {
  VirtualWorldOptions options = Small();
  options.translation = 0;
  const VirtualScene scene = MakeScene(7, options);
  double turned = 0;
  for (size_t view = 0; view < 4; ++view) {
    EXPECT_LT((scene.c2w[view].topRightCorner<3, 1>().norm()), 1e-6);
    turned = std::max(turned, std::acos(std::min(1.0, (scene.c2w[view].trace() - 2.0) / 2)));
    for (int i = 0; i < kRows * kColumns; ++i) {
      const auto& truth = scene.patches[view][static_cast<size_t>(i)];
      const double u = (i % kColumns + 0.5) / kColumns, v = (i / kColumns + 0.5) / kRows;
      const Eigen::Vector3d expected = InFirstView(scene, view, u, v, 1.0);
      if (expected.z() < 0.2) continue;
      EXPECT_NEAR(truth.u, expected.x(), 2e-4);
      EXPECT_NEAR(truth.v, expected.y(), 2e-4);
      // Nothing hides from a camera that only turns.
      EXPECT_EQ(truth.visible, truth.u > 0 && truth.u < 1 && truth.v > 0 && truth.v < 1);
    }
  }
  EXPECT_GT(turned, 0.02);
}

TEST(VirtualWorlds, MotionScalesWhatMoves) {
  VirtualWorldOptions options = Small();
  options.width = options.height = 16;
  options.motion = 0.1;
  double largest = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const VirtualScene scene = MakeScene(seed, options);
    for (const Eigen::Matrix4f& c2w : scene.c2w) {
      const double cosine = std::clamp((c2w.topLeftCorner<3, 3>().trace() - 1.0) / 2, -1.0, 1.0);
      largest = std::max(largest, std::acos(cosine) * 180 / std::numbers::pi);
    }
  }
  // A tenth of 35 + 8 + 3 degrees, and the strays of the views between.
  EXPECT_LT(largest, 0.1 * 46 * 1.15);
  EXPECT_GT(largest, 0.5);
}

TEST(VirtualWorlds, ViewsSeeAsMuchOfTheFirstAsIsAsked) {
  VirtualWorldOptions options = Small();
  options.width = options.height = 64;
  const auto least_overlap = [&](uint64_t seed) {
    double least = 1;
    for (const auto& patches : MakeScene(seed, options).patches) {
      const auto seen =
          std::count_if(patches.begin(), patches.end(), [](const auto& p) { return p.visible; });
      least = std::min(least, static_cast<double>(seen) / static_cast<double>(patches.size()));
    }
    return least;
  };
  int poor = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) poor += least_overlap(seed) < 0.6;
  EXPECT_GT(poor, 5);  // unasked, many see little
  options.min_overlap = 0.6;
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_GE(least_overlap(seed), 0.6) << seed;
}

TEST(VirtualWorlds, DependOnTheSeedOnly) {
  VirtualWorldOptions options = Small();
  options.width = options.height = 32;
  const VirtualScene a = MakeScene(3, options), b = MakeScene(3, options), c = MakeScene(4, options);
  EXPECT_EQ(a.views, b.views);
  EXPECT_EQ(a.c2w, b.c2w);
  EXPECT_EQ(a.focal, b.focal);
  for (size_t i = 0; i < a.patches[3].size(); ++i) {
    EXPECT_EQ(a.patches[3][i].u, b.patches[3][i].u);
    EXPECT_EQ(a.patches[3][i].depth, b.patches[3][i].depth);
    EXPECT_EQ(a.patches[3][i].visible, b.patches[3][i].visible);
  }
  EXPECT_NE(a.views, c.views);
  EXPECT_NE(a.focal, c.focal);
}

TEST(VirtualWorlds, ImpossibleOptionsAreRefused) {
  VirtualWorldOptions options = Small();
  options.width = 60;
  EXPECT_THROW(MakeScene(1, options), UsageError);
  Random random(1);
  EXPECT_THROW(MakeVirtualScene({}, Small(), random), UsageError);
}

TEST(PicturePyramid, ShowsTexelsUpCloseAndMeansFromAfar) {
  const Image image = Wave(1);
  const PicturePyramid pyramid(image);
  double mean = 0;
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 48; ++x) mean += image.Pixel(x, y)[1] / 255.0 / (48 * 48);
  }
  const Eigen::Vector3f texel = pyramid.Sample(10.5F / 48, 20.5F / 48, 0);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(texel[c], image.Pixel(10, 20)[c] / 255.0, 1e-5);
  // The coarsest level has 3 x 3 texels; the mean of their centres is the picture's mean.
  double coarse = 0;
  for (int i = 0; i < 9; ++i) {
    const float u = (static_cast<float>(i % 3) + 0.5F) / 3, v = (static_cast<float>(i / 3) + 0.5F) / 3;
    coarse += pyramid.Sample(u, v, 1)[1] / 9.0;
  }
  // The last row and column are sampled a thousandth of a texel before their centre.
  EXPECT_NEAR(coarse, mean, 1e-3);
  const PicturePyramid plain(Image(8, 8));
  EXPECT_EQ(plain.Sample(0, 1, 0.3F), Eigen::Vector3f(0, 0, 0));
}

}  // namespace
}  // namespace wildrayzer
