#include "wildrayzer/evaluation/floors.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/evaluation/image_metrics.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

// A plane of overlapping soft discs, seen through the inverse of x' = a x + b y + c (rows of `m`): exact at
// every pixel.
Planes DiscWall(int size, const double (&m)[2][3]) {
  Random random(99);
  struct Disc {
    double x, y, radius, color[3];
  };
  std::vector<Disc> discs(120);
  for (Disc& d : discs) {
    d = {random.Uniform(-0.3, 1.3) * size, random.Uniform(-0.3, 1.3) * size, random.Uniform(2, 9), {}};
    for (double& color : d.color) color = random.Uniform();
  }
  Planes picture(3, size, size, 0.5f);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double u = m[0][0] * x + m[0][1] * y + m[0][2], v = m[1][0] * x + m[1][1] * y + m[1][2];
      for (const Disc& d : discs) {
        const double cover = 1 / (1 + std::exp(3 * (std::hypot(u - d.x, v - d.y) - d.radius)));
        for (int c = 0; c < 3; ++c) {
          picture.At(c, y, x) = static_cast<float>((1 - cover) * picture.At(c, y, x) + cover * d.color[c]);
        }
      }
    }
  }
  return picture;
}

constexpr double kIdentity[2][3] = {{1, 0, 0}, {0, 1, 0}};
constexpr double kMoved[2][3] = {{0.98, 0.09, 7}, {-0.09, 0.98, -5}};

TEST(Floors, NearestViewIsByFrameNumber) {
  const std::vector<int> inputs = {0, 10, 20};
  EXPECT_EQ(NearestView(inputs, 4), 0u);
  EXPECT_EQ(NearestView(inputs, 5), 0u);  // tie: the earlier
  EXPECT_EQ(NearestView(inputs, 6), 1u);
  EXPECT_EQ(NearestView(inputs, 99), 2u);
  EXPECT_THROW(NearestView({}, 1), Error);
}

TEST(Floors, MeanIsTheMean) {
  const std::vector<Planes> views = {Planes(3, 4, 5, 0.25f), Planes(3, 4, 5, 0.5f), Planes(3, 4, 5, 0.75f)};
  const Planes mean = MeanOfViews(views);
  for (const float value : mean.values) EXPECT_FLOAT_EQ(value, 0.5f);
  const std::vector<Planes> mixed = {Planes(3, 4, 5), Planes(3, 5, 4)};
  EXPECT_THROW(MeanOfViews(mixed), Error);
}

TEST(Floors, WarpFindsAPlanarMotion) {
  const Planes input = DiscWall(128, kIdentity), target = DiscWall(128, kMoved);
  const WarpedView view = WarpOntoView(input, target, 1);
  ASSERT_TRUE(view.warped);
  EXPECT_GE(view.inliers, 12);
  Planes inside(1, 128, 128);  // away from what the input does not show
  for (int y = 16; y < 112; ++y) {
    for (int x = 16; x < 112; ++x) inside.At(0, y, x) = 1.0f;
  }
  // A registration error of a few hundredths of a pixel plus one bilinear resampling of discs with soft
  // edges.
  EXPECT_GT(MaskedPsnr(view.picture, target, inside), 32.0);
  EXPECT_LT(MaskedPsnr(input, target, inside), 20.0);
}

TEST(Floors, WarpIsTheSameForTheSameSeed) {
  const Planes input = DiscWall(96, kIdentity), target = DiscWall(96, kMoved);
  EXPECT_EQ(WarpOntoView(input, target, 7).picture.values, WarpOntoView(input, target, 7).picture.values);
}

TEST(Floors, WarpLeavesUnrelatedPicturesAlone) {
  Random random(5);
  Planes noise(3, 96, 96), other(3, 96, 96);
  for (float& value : noise.values) value = static_cast<float>(random.Uniform());
  for (float& value : other.values) value = static_cast<float>(random.Uniform());
  for (const Planes& target : {other, Planes(3, 96, 96, 0.5f)}) {
    const WarpedView view = WarpOntoView(noise, target, 1);
    EXPECT_FALSE(view.warped);
    EXPECT_EQ(view.picture.values, noise.values);
  }
}

}  // namespace
}  // namespace wildrayzer
