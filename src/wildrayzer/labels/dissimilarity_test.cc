#include "wildrayzer/labels/dissimilarity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

std::vector<float> Noise(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(size);
  for (float& v : values) v = static_cast<float>(random.Uniform());
  return values;
}

// The definition of the header, sum by sum.
double SlowDissimilarity(const std::vector<float>& a, const std::vector<float>& b, int h, int w, int y,
                         int x) {
  const auto reflect = [](int i, int n) {
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
  };
  double total = 0;
  for (int c = 0; c < 3; ++c) {
    std::vector<double> p, q;
    for (int dy = -5; dy <= 5; ++dy) {
      for (int dx = -5; dx <= 5; ++dx) {
        const size_t i = (static_cast<size_t>(c) * h + reflect(y + dy, h)) * w + reflect(x + dx, w);
        p.push_back(std::floor(a[i] * 255.0f));
        q.push_back(std::floor(b[i] * 255.0f));
      }
    }
    double mp = 0, mq = 0, vp = 0, vq = 0, cov = 0;
    for (size_t i = 0; i < p.size(); ++i) mp += p[i] / 121, mq += q[i] / 121;
    for (size_t i = 0; i < p.size(); ++i) {
      vp += (p[i] - mp) * (p[i] - mp) / 120;
      vq += (q[i] - mq) * (q[i] - mq) / 120;
      cov += (p[i] - mp) * (q[i] - mq) / 120;
    }
    const double c1 = 2.55 * 2.55, c2 = 7.65 * 7.65;
    total += (2 * mp * mq + c1) * (2 * cov + c2) / ((mp * mp + mq * mq + c1) * (vp + vq + c2));
  }
  return 1 - total / 3;
}

TEST(SsimDissimilarity, IsItsDefinitionAtEverySize) {
  for (const auto& [h, w] : {std::pair{13, 18}, std::pair{4, 6}, std::pair{1, 12}}) {
    const auto a = Noise(3 * h * w, 1), b = Noise(3 * h * w, 2);
    const auto map = SsimDissimilarity(a, b, h, w);
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        // Both sides are in double until one float rounding of a number up to 2.
        EXPECT_NEAR(map[y * w + x], SlowDissimilarity(a, b, h, w, y, x), 1e-6) << y << " " << x;
      }
    }
  }
}

TEST(SsimDissimilarity, IsZeroOfEqualPicturesAndRefusesOthers) {
  const auto a = Noise(3 * 16 * 16, 3);
  for (const float v : SsimDissimilarity(a, a, 16, 16)) EXPECT_NEAR(v, 0, 1e-6);
  EXPECT_THROW(SsimDissimilarity(a, a, 16, 15), Error);
  EXPECT_THROW(SsimDissimilarity(a, Noise(3, 1), 16, 16), Error);
}

TEST(FeatureDissimilarity, IsOneMinusTheCosine) {
  const std::vector<float> a = {1, 0, 3, 4, 1, 1, 0, 0}, b = {5, 0, 4, 3, -2, -2, 1, 0};
  const auto map = FeatureDissimilarity(a, b, 2);
  EXPECT_FLOAT_EQ(map[0], 0);
  EXPECT_FLOAT_EQ(map[1], 0.04f);
  EXPECT_FLOAT_EQ(map[2], 2);
  EXPECT_FLOAT_EQ(map[3], 1);  // a vector without direction
  EXPECT_THROW(FeatureDissimilarity(a, b, 3), Error);
  EXPECT_THROW(FeatureDissimilarity({{NAN, 1}}, {{1, 1}}, 2), Error);
}

TEST(PoolToGrid, AveragesBlocks) {
  std::vector<float> map(4 * 6);
  for (size_t i = 0; i < map.size(); ++i) map[i] = static_cast<float>(i);
  // Block (0, 0) holds 0, 1, 2, 6, 7, 8.
  EXPECT_EQ(PoolToGrid(map, 4, 6, 2, 2), (std::vector<float>{4, 7, 16, 19}));
  EXPECT_THROW(PoolToGrid(map, 4, 6, 3, 2), Error);
}

TEST(ZScores, HaveMeanZeroAndUnitSampleDeviation) {
  const auto scores = ZScores(std::vector<float>{1, 2, 3, 4, 10});  // mean 4, sample variance 12.5
  EXPECT_NEAR(scores[0], -3 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(scores[4], 6 / std::sqrt(12.5), 1e-6);
  EXPECT_EQ(ZScores(std::vector<float>{7}), std::vector<float>{0});
  EXPECT_EQ(ZScores(std::vector<float>(4, 0.5f)), std::vector<float>(4, 0.0f));
}

TEST(PicturePsnr, IsTheClosedForm) {
  EXPECT_NEAR(PicturePsnr(std::vector<float>(12, 0.5f), std::vector<float>(12, 0.6f)), 20.0, 1e-4);
  EXPECT_NEAR(PicturePsnr(std::vector<float>(12, 1.0f), std::vector<float>(12, 7.0f)), 100.0, 1e-9);
  EXPECT_THROW(PicturePsnr({}, {}), Error);
}

}  // namespace
}  // namespace wildrayzer
