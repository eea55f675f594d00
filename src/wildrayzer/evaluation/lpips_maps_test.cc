#include "wildrayzer/evaluation/lpips_maps.h"

#include <gtest/gtest.h>

#include <cmath>

namespace wildrayzer {
namespace {

// Maps of a 32 x 48 picture, constant `levels[k]`.
LpipsMaps ConstantMaps(const std::array<float, kLpipsLayers>& levels) {
  LpipsMaps maps;
  for (int k = 0; k < kLpipsLayers; ++k) maps[k] = Planes(1, 32 >> k, 48 >> k, levels[k]);
  return maps;
}

TEST(LpipsDistance, IsTheSumOfTheMeans) {
  const LpipsMaps maps = ConstantMaps({1, 2, 4, 8, 16});
  EXPECT_DOUBLE_EQ(LpipsDistance(maps), 31.0);
  EXPECT_DOUBLE_EQ(MaskedLpips(maps, Planes(1, 32, 48, 1.0f)), 31.0);
  EXPECT_DOUBLE_EQ(LpipsSpatial(maps, 32, 48).At(0, 7, 9), 31.0);
  EXPECT_DOUBLE_EQ(ReleasedMaskedLpips(maps, Planes(1, 32, 48, 1.0f)), 32.0);
  EXPECT_DOUBLE_EQ(ReleasedMaskedLpips(maps, Planes(1, 32, 48, 1.0f), true), 32.0);
}

TEST(MaskedLpips, SeesOnlyTheMaskedSide) {
  LpipsMaps maps = ConstantMaps({0, 0, 0, 0, 0});
  Planes left(1, 32, 48);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 16; ++x) left.At(0, y, x) = 1.0f;
  }
  // Wrong on the left third only; the third is a whole number of cells at every layer (16, 8, 4, 2, 1).
  for (Planes& map : maps) {
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width / 3; ++x) map.At(0, y, x) = 3.0f;
    }
  }
  EXPECT_DOUBLE_EQ(MaskedLpips(maps, left), 15.0);
  EXPECT_DOUBLE_EQ(MaskedLpips(maps, Complement(left)), 0.0);
  EXPECT_DOUBLE_EQ(LpipsDistance(maps), 5.0);
  // The release's formula is blind to the mask.
  EXPECT_DOUBLE_EQ(ReleasedMaskedLpips(maps, left), ReleasedMaskedLpips(maps, Complement(left)));
  EXPECT_TRUE(std::isnan(MaskedLpips(maps, Planes(1, 32, 48))));
  EXPECT_TRUE(std::isnan(ReleasedMaskedLpips(maps, Planes(1, 32, 48))));
}

}  // namespace
}  // namespace wildrayzer
