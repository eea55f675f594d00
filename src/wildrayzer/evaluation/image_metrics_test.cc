#include "wildrayzer/evaluation/image_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

Planes RandomPlanes(int channels, int height, int width, uint64_t seed) {
  Random random(seed);
  Planes planes(channels, height, width);
  for (float& value : planes.values) value = static_cast<float>(random.Uniform());
  return planes;
}

// SSIM at one pixel by the definition: 121 weights, all moments about the weighted means, no separable
// filters.
double DirectSsim(const Planes& a, const Planes& b, int c, int y, int x, const SsimRule& rule) {
  const int h = a.height, w = a.width;
  double norm = 0.0;
  for (int i = -5; i <= 5; ++i) norm += std::exp(-i * i / 4.5);
  struct Tap {
    double weight, a, b;
  };
  std::vector<Tap> taps;
  for (int dy = -5; dy <= 5; ++dy) {
    for (int dx = -5; dx <= 5; ++dx) {
      const double weight = std::exp(-(dy * dy + dx * dx) / 4.5) / (norm * norm);
      int v = y + dy, u = x + dx;
      if (rule.zero_padding && (v < 0 || u < 0 || v >= h || u >= w)) {
        taps.push_back({weight, 0.0, 0.0});
        continue;
      }
      v = v < 0 ? -v - 1 : v >= h ? 2 * h - 1 - v : v;
      u = u < 0 ? -u - 1 : u >= w ? 2 * w - 1 - u : u;
      taps.push_back({weight, a.At(c, v, u), b.At(c, v, u)});
    }
  }
  double ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
  for (const Tap& t : taps) ma += t.weight * t.a, mb += t.weight * t.b;
  for (const Tap& t : taps) {
    va += t.weight * (t.a - ma) * (t.a - ma);
    vb += t.weight * (t.b - mb) * (t.b - mb);
    cov += t.weight * (t.a - ma) * (t.b - mb);
  }
  const double scale = rule.sample_covariance ? 121.0 / 120.0 : 1.0;
  const double c1 = 1e-4, c2 = 9e-4;
  return (2 * ma * mb + c1) * (2 * scale * cov + c2) / ((ma * ma + mb * mb + c1) * (scale * (va + vb) + c2));
}

TEST(Psnr, OfAConstantDifferenceIsItsLogarithm) {
  const Planes truth(3, 7, 9, 0.25f), picture(3, 7, 9, 0.75f);
  EXPECT_NEAR(Psnr(picture, truth), -20 * std::log10(0.5), 1e-12);
}

TEST(Psnr, OfEqualPicturesIsTheCap) {
  const Planes picture = RandomPlanes(3, 8, 8, 1);
  EXPECT_DOUBLE_EQ(Psnr(picture, picture), 100.0);
  EXPECT_DOUBLE_EQ(MaskedPsnr(picture, picture, Planes(1, 8, 8, 1.0f)), 80.0);
}

TEST(Psnr, ClampsToTheUnitRange) {
  EXPECT_DOUBLE_EQ(Psnr(Planes(3, 4, 4, 1.5f), Planes(3, 4, 4, 1.0f)), 100.0);
  EXPECT_DOUBLE_EQ(Psnr(Planes(3, 4, 4, -0.5f), Planes(3, 4, 4, 0.0f)), 100.0);
}

TEST(Psnr, RefusesPicturesThatCannotBeCompared) {
  Planes broken(3, 4, 4, 0.5f);
  broken.values[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(Psnr(broken, Planes(3, 4, 4)), Error);
  EXPECT_THROW(Psnr(Planes(3, 4, 4), Planes(3, 4, 5)), Error);
  EXPECT_THROW(Psnr(Planes(3, 4, 4), Planes(1, 4, 4)), Error);
}

TEST(MaskedPsnr, SeesOnlyTheMaskedPixels) {
  Planes truth(3, 4, 8, 0.5f), picture(3, 4, 8, 0.5f), left(1, 4, 8);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      left.At(0, y, x) = 1.0f;
      for (int c = 0; c < 3; ++c) picture.At(c, y, x) = 0.75f;  // wrong by 0.25 on the left half only
    }
  }
  EXPECT_NEAR(MaskedPsnr(picture, truth, left), -20 * std::log10(0.25), 1e-9);
  EXPECT_DOUBLE_EQ(MaskedPsnr(picture, truth, Complement(left)), 80.0);
  EXPECT_NEAR(MaskedPsnr(picture, truth, Planes(1, 4, 8, 1.0f)), Psnr(picture, truth), 1e-9);
  EXPECT_TRUE(std::isnan(MaskedPsnr(picture, truth, Planes(1, 4, 8))));
}

TEST(MaskedPsnr, ResizesTheMaskByTheNearestPixel) {
  Planes truth(3, 4, 8, 0.5f), picture(3, 4, 8, 0.5f), small(1, 2, 2);
  small.At(0, 0, 0) = small.At(0, 1, 0) = 1.0f;
  for (int y = 0; y < 4; ++y) {
    for (int c = 0; c < 3; ++c) picture.At(c, y, 3) = 0.6f;  // last column of the left half
  }
  EXPECT_NEAR(MaskedPsnr(picture, truth, small), -10 * std::log10(0.01 / 4), 1e-5);  // 0.1 in float32
}

TEST(Ssim, WindowSumsToOneAndFallsAsAGaussian) {
  const auto& w = SsimWindow();
  double sum = 0;
  for (const double v : w) sum += v;
  EXPECT_NEAR(sum, 1.0, 1e-15);
  EXPECT_NEAR(w[8] / w[5], std::exp(-2.0), 1e-12);  // 3 pixels = 2 sigma
}

TEST(Ssim, OfConstantPicturesIsTheLuminanceTerm) {
  const double a = 0.2, b = 0.6, c1 = 1e-4;
  const double expected = (2 * a * b + c1) / (a * a + b * b + c1);
  EXPECT_NEAR(Ssim(Planes(3, 16, 20, 0.2f), Planes(3, 16, 20, 0.6f)), expected, 1e-6);
}

TEST(Ssim, OfEqualPicturesIsOne) {
  const Planes picture = RandomPlanes(3, 20, 16, 3);
  EXPECT_NEAR(Ssim(picture, picture), 1.0, 1e-7);
  EXPECT_NEAR(MaskedSsim(picture, picture, RandomPlanes(1, 20, 16, 4)), 1.0, 1e-7);
}

TEST(Ssim, MapAgreesWithTheDefinition) {
  const Planes a = RandomPlanes(2, 13, 17, 5), b = RandomPlanes(2, 13, 17, 6);
  for (const SsimRule& rule : {kFrameSsim, kMaskedSsim}) {
    const Planes map = SsimMap(a, b, rule);
    for (int c = 0; c < 2; ++c) {
      for (int y = 0; y < 13; ++y) {
        for (int x = 0; x < 17; ++x) {
          // The map is stored in float32.
          ASSERT_NEAR(map.At(c, y, x), DirectSsim(a, b, c, y, x, rule), 2e-7) << c << ' ' << y << ' ' << x;
        }
      }
    }
  }
}

TEST(Ssim, AveragesTheInterior) {
  const Planes a = RandomPlanes(3, 13, 12, 7), b = RandomPlanes(3, 13, 12, 8);
  double sum = 0;
  for (int c = 0; c < 3; ++c) {
    for (int y = 5; y < 8; ++y) {
      for (int x = 5; x < 7; ++x) sum += DirectSsim(a, b, c, y, x, kFrameSsim);
    }
  }
  EXPECT_NEAR(Ssim(a, b), sum / 18, 1e-7);
  EXPECT_THROW(Ssim(Planes(3, 10, 30), Planes(3, 10, 30)), Error);
}

TEST(MaskedSsim, IsTheWeightedMeanOfItsMap) {
  const Planes a = RandomPlanes(3, 12, 14, 9), b = RandomPlanes(3, 12, 14, 10);
  Planes mask(1, 12, 14);
  mask.At(0, 3, 4) = 1.0f;
  mask.At(0, 0, 0) = 0.5f;
  double expected = 0;
  for (int c = 0; c < 3; ++c) {
    expected += (DirectSsim(a, b, c, 3, 4, kMaskedSsim) + 0.5 * DirectSsim(a, b, c, 0, 0, kMaskedSsim)) / 4.5;
  }
  EXPECT_NEAR(MaskedSsim(a, b, mask), expected, 1e-6);
  EXPECT_TRUE(std::isnan(MaskedSsim(a, b, Planes(1, 12, 14))));
}

TEST(Resize, AreaAveragesExactlyTheCoveredPixels) {
  Planes row(1, 1, 5);
  for (int x = 0; x < 5; ++x) row.values[x] = static_cast<float>(x);
  const Planes two = ResizeArea(row, 1, 2);  // columns 0..2 and 2..4, as PyTorch's adaptive average pooling
  EXPECT_FLOAT_EQ(two.values[0], 1.0f);
  EXPECT_FLOAT_EQ(two.values[1], 3.0f);
}

TEST(Resize, NearestTakesTheFloorOfTheRatio) {
  Planes row(1, 1, 5);
  for (int x = 0; x < 5; ++x) row.values[x] = static_cast<float>(x);
  EXPECT_EQ(ResizeNearest(row, 1, 3).values, (std::vector<float>{0, 1, 3}));
  EXPECT_EQ(ResizeNearest(row, 2, 5).values, (std::vector<float>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}));
}

TEST(Resize, BilinearKeepsRampsAndClampsAtTheBorder) {
  Planes row(1, 1, 2);
  row.values = {0.0f, 1.0f};
  const Planes four = ResizeBilinear(row, 1, 4);
  const std::vector<float> expected = {0.0f, 0.25f, 0.75f, 1.0f};
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(four.values[i], expected[i]);
}

TEST(Planes, RefusesAbsurdSizes) {
  EXPECT_THROW(Planes(3, 0, 4), Error);
  EXPECT_THROW(Planes(3, 1 << 17, 4), Error);
}

}  // namespace
}  // namespace wildrayzer
