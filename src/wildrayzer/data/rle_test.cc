#include "wildrayzer/data/rle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Polygon = std::vector<double>;

// A second implementation of the COCO rasteriser, organised differently: the whole fine outline is made
// first, and every crossing inverts all pixels after it (column-major), so no sorting and no runs are
// involved.
GrayImage InvertingRasterizer(const Polygon& xy, int height, int width) {
  std::vector<std::pair<int, int>> outline;
  const size_t n = xy.size() / 2;
  const auto fine = [](double v) { return static_cast<int>(std::trunc(5 * v + 0.5)); };
  for (size_t i = 0; i < n; ++i) {
    const size_t j = (i + 1) % n;
    const int x0 = fine(xy[2 * i]), y0 = fine(xy[2 * i + 1]), x1 = fine(xy[2 * j]), y1 = fine(xy[2 * j + 1]);
    const bool steep = std::abs(y1 - y0) > std::abs(x1 - x0);
    // Major and minor coordinates of both ends, the one with the smaller major coordinate first.
    int a0 = steep ? y0 : x0, b0 = steep ? x0 : y0, a1 = steep ? y1 : x1, b1 = steep ? x1 : y1;
    const bool backwards = a0 > a1;
    if (backwards) std::swap(a0, a1), std::swap(b0, b1);
    std::vector<std::pair<int, int>> edge;
    const double slope = a1 == a0 ? 0.0 : static_cast<double>(b1 - b0) / (a1 - a0);
    for (int a = a0; a <= a1; ++a) {
      const int b = static_cast<int>(std::trunc(b0 + slope * (a - a0) + 0.5));
      edge.push_back(steep ? std::make_pair(b, a) : std::make_pair(a, b));
    }
    if (backwards) std::reverse(edge.begin(), edge.end());
    outline.insert(outline.end(), edge.begin(), edge.end());
  }
  GrayImage mask(width, height);
  for (size_t i = 1; i < outline.size(); ++i) {
    const auto [u0, v0] = outline[i - 1];
    const auto [u1, v1] = outline[i];
    if (u0 == u1) continue;
    const int u = std::min(u0, u1);
    if (u < 0 || u % 5 != 2 || u / 5 >= width) continue;  // only the centres of columns count
    const double row = std::ceil((std::min(v0, v1) + 0.5) / 5 - 0.5);
    const int64_t start = int64_t{u / 5} * height + static_cast<int64_t>(std::clamp<double>(row, 0, height));
    for (int64_t p = start; p < int64_t{height} * width; ++p) {
      uint8_t& value = mask.At(static_cast<int>(p / height), static_cast<int>(p % height));
      value = 255 - value;
    }
  }
  return mask;
}

int64_t Foreground(const GrayImage& mask) {
  return std::count_if(mask.values.begin(), mask.values.end(), [](uint8_t v) { return v > 0; });
}

Polygon RandomPolygon(Random& random, int height, int width) {
  const uint64_t points = 3 + random.Below(8);
  const uint64_t style =
      random.Below(4);  // fractional, whole, tenths (ties of the rounding), repeated values
  Polygon xy;
  for (uint64_t i = 0; i < 2 * points; ++i) {
    const double limit = i % 2 == 0 ? width : height;
    double value = random.Uniform(-0.6 * limit, 1.6 * limit);
    if (style == 1) value = std::floor(value);
    if (style == 2) value = std::round(value * 10) / 10;
    if (style == 3 && i >= 2 && random.Below(3) == 0) value = xy[i - 2];
    xy.push_back(value);
  }
  return xy;
}

TEST(Rle, PolygonsAgreeWithASecondRasterizer) {
  Random random(11);
  for (int i = 0; i < 4000; ++i) {
    const int height = 1 + static_cast<int>(random.Below(50));
    const int width = 1 + static_cast<int>(random.Below(50));
    const Polygon xy = RandomPolygon(random, height, width);
    const Rle rle = RleFromPolygon(xy, height, width);
    ASSERT_EQ(MaskFromRle(rle), InvertingRasterizer(xy, height, width)) << "polygon " << i;
    ASSERT_EQ(rle.Area(), Foreground(MaskFromRle(rle)));
  }
}

// Runs and compressed strings that the original COCO C code gives for these polygons.
TEST(Rle, PolygonsAndStringsAgreeWithTheCocoTools) {
  struct Case {
    Polygon xy;
    int height, width;
    std::vector<uint32_t> counts;
    std::string text;
  };
  const std::vector<Case> cases = {
      {{2.3, 1.2, 11.7, 3.4, 8.1, 9.9, 3.3, 7.6},
       12,
       14,
       {25, 1, 11, 7, 6, 6, 6, 7, 5, 7, 5, 8, 5, 6, 6, 5, 7, 3, 9, 1, 32},
       "i01;6KO01O0010N1O1N2Ng0"},
      {{-3.5, 4.25, 6.5, -2.75, 16.5, 5.5, 6.25, 15.75, 4.1, 6.3},
       12,
       14,
       {1, 4, 8, 5, 6, 6, 6, 6, 6, 8, 4, 60, 1, 10, 2, 10, 3, 8, 5, 6, 3},
       "1481N10002Nd1M^N101N2NN"},
      {{1, 1, 9, 9, 9, 1, 1, 9},  // crosses itself
       10,
       10,
       {11, 7, 4, 5, 6, 3, 8, 1, 9, 1, 8, 3, 6, 5, 4, 7, 12},
       ";74N2N2N10O2N2N28"},
      {{0, 0, 20, 0, 20, 20, 0, 20}, 10, 10, {0, 100}, "0T3"},
  };
  for (const Case& c : cases) {
    const Rle rle = RleFromPolygon(c.xy, c.height, c.width);
    EXPECT_EQ(rle.counts, c.counts);
    EXPECT_EQ(EncodeRleString(rle), c.text);
    EXPECT_EQ(DecodeRleString(c.text, c.height, c.width), rle);
  }
}

// The rasteriser rounds the outline to fifths of a pixel, so its area may differ from the exact one by about
// a fifth of a pixel along the outline.
TEST(Rle, AreaIsThatOfTheShoelaceFormula) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const double cx = random.Uniform(60, 140), cy = random.Uniform(60, 140), radius = random.Uniform(20, 55);
    Polygon xy;
    const int points = 5 + static_cast<int>(random.Below(20));
    for (int k = 0; k < points; ++k) {  // star-shaped, so it never crosses itself
      const double angle = 2 * M_PI * k / points, r = radius * random.Uniform(0.5, 1.0);
      xy.push_back(cx + r * std::cos(angle));
      xy.push_back(cy + r * std::sin(angle));
    }
    double twice = 0, outline = 0;
    for (int k = 0; k < points; ++k) {
      const int j = (k + 1) % points;
      twice += xy[2 * k] * xy[2 * j + 1] - xy[2 * j] * xy[2 * k + 1];
      outline += std::hypot(xy[2 * j] - xy[2 * k], xy[2 * j + 1] - xy[2 * k + 1]);
    }
    EXPECT_NEAR(RleFromPolygon(xy, 200, 200).Area(), std::abs(twice) / 2, 0.2 * outline);
  }
}

TEST(Rle, BoxesOnPixelBordersAreExact) {
  for (const auto& [x, y, w, h] : {std::array{0, 0, 10, 8}, {3, 2, 4, 5}, {9, 7, 1, 1}, {0, 3, 10, 1}}) {
    const Rle rle = RleFromBox({1.0 * x, 1.0 * y, 1.0 * w, 1.0 * h}, 8, 10);
    EXPECT_EQ(rle.Area(), w * h);
    const GrayImage mask = MaskFromRle(rle);
    EXPECT_EQ(mask.At(x, y), 255);
    EXPECT_EQ(mask.At(x + w - 1, y + h - 1), 255);
  }
  EXPECT_EQ(RleFromBox({-5, -5, 7, 8}, 8, 10).Area(), 2 * 3);  // what lies outside is cut off
  EXPECT_EQ(RleFromBox({20, 20, 5, 5}, 8, 10).Area(), 0);
}

TEST(Rle, MasksSurviveTheRoundTrip) {
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    GrayImage mask(1 + static_cast<int>(random.Below(30)), 1 + static_cast<int>(random.Below(30)));
    const double density = random.Uniform();
    for (uint8_t& value : mask.values) value = random.Uniform() < density ? 255 : 0;
    const Rle rle = RleFromMask(mask);
    EXPECT_EQ(MaskFromRle(rle), mask);
    EXPECT_EQ(DecodeRleString(EncodeRleString(rle), mask.height, mask.width), rle);
  }
}

TEST(Rle, PixelsAreNumberedDownTheColumns) {
  GrayImage expected(3, 2);
  expected.At(0, 1) = expected.At(1, 0) = 255;
  EXPECT_EQ(MaskFromRle(MakeRle(2, 3, {1, 2, 3})), expected);
}

TEST(Rle, ShortRunsArePaddedAndLongOnesRefused) {
  EXPECT_THAT(MakeRle(4, 5, {3, 2}).counts, ElementsAre(3, 2, 15));
  EXPECT_THAT(MakeRle(4, 5, {3, 2, 1}).counts, ElementsAre(3, 2, 15));
  EXPECT_EQ(MakeRle(4, 5, {}).Area(), 0);
  EXPECT_THAT([] { MakeRle(4, 5, {3, 18}); }, ThrowsMessage<Error>(HasSubstr("cover 21 pixels")));
  EXPECT_THROW(MakeRle(2, 2, {4'000'000'000u, 4'000'000'000u}), Error);
}

TEST(Rle, ImpossibleSizesAreRefusedBeforeAnythingIsAllocated) {
  for (const int64_t bad : {int64_t{0}, int64_t{-3}, int64_t{1} << 40, INT64_MAX}) {
    EXPECT_THROW(MakeRle(bad, 1, {}), Error);
    EXPECT_THROW(DecodeRleString("0", 1, bad), Error);
    EXPECT_THROW(RleFromPolygon(Polygon{0, 0, 1, 0, 1, 1}, bad, bad), Error);
  }
  EXPECT_THROW(MakeRle(1 << 14, 1 << 14, {}), Error);
}

TEST(Rle, DamagedStringsAreRefused) {
  EXPECT_THAT([] { DecodeRleString("P", 4, 4); }, ThrowsMessage<Error>(HasSubstr("middle of a number")));
  EXPECT_THAT([] { DecodeRleString("/", 4, 4); }, ThrowsMessage<Error>(HasSubstr("character")));
  EXPECT_THAT([] { DecodeRleString("p", 4, 4); }, ThrowsMessage<Error>(HasSubstr("character")));
  EXPECT_THAT([] { DecodeRleString("\xff", 4, 4); }, ThrowsMessage<Error>(HasSubstr("character")));
  EXPECT_THAT([] { DecodeRleString("PPPPPPPP0", 4, 4); }, ThrowsMessage<Error>(HasSubstr("35 bits")));
  EXPECT_THAT([] { DecodeRleString("O", 4, 4); }, ThrowsMessage<Error>(HasSubstr("negative")));
  EXPECT_THAT([] { DecodeRleString("ooooooO", 4, 4); }, ThrowsMessage<Error>(HasSubstr("negative")));
  EXPECT_THROW(DecodeRleString("oooooo7", 4, 4), Error);  // beyond 32 bits
}

TEST(Rle, DamagedPolygonsAreRefused) {
  EXPECT_THROW(RleFromPolygon(Polygon{0, 0, 5, 5}, 8, 8), Error);
  EXPECT_THROW(RleFromPolygon(Polygon{0, 0, 5, 5, 3, 2, 1}, 8, 8), Error);
  EXPECT_THROW(RleFromPolygon(Polygon{0, 0, 5, NAN, 3, 2}, 8, 8), Error);
  EXPECT_THROW(RleFromPolygon(Polygon{0, 0, 5, 1e300, 3, 2}, 8, 8), Error);
  Polygon endless;
  for (int i = 0; i < 100; ++i) endless.insert(endless.end(), {i % 2 == 0 ? 0.0 : 9e5, 1.0});
  EXPECT_THAT([&] { RleFromPolygon(endless, 8, 8); }, ThrowsMessage<Error>(HasSubstr("longer")));
}

TEST(Rle, AMaskOfAnotherSizeIsNotAdded) {
  GrayImage mask(5, 4);
  EXPECT_THROW(AddRle(MakeRle(5, 4, {}), mask), Error);
}

}  // namespace
}  // namespace wildrayzer
