#include "wildrayzer/vision/resize.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

// See tests/data/media/README.md.
Image FormulaPhoto(int width, int height) {
  Image image(width, height);
  const uint64_t seed = Fnv1a64("resize/" + std::to_string(width) + "x" + std::to_string(height));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int ramps[3] = {x * 255 / (width - 1), y * 255 / (height - 1),
                            (x + y) * 255 / (width + height - 2)};
      for (int c = 0; c < 3; ++c) {
        const uint64_t index = 3ull * (static_cast<uint64_t>(y) * width + x) + c;
        const bool noise = (x / 5 + y / 7) % 2 == 1;
        const uint64_t random = SplitMix64(seed + index * 0x9E3779B97F4A7C15ull) >> 56;
        image.Pixel(x, y)[c] = static_cast<uint8_t>(noise ? random : static_cast<uint64_t>(ramps[c]));
      }
    }
  }
  return image;
}

struct PillowCase {
  const char* name;
  int width, height, out_width, out_height;
  Filter filter;
};

class PillowVectors : public testing::TestWithParam<PillowCase> {};

TEST_P(PillowVectors, EveryByteIsEqual) {
  const PillowCase& c = GetParam();
  const std::string file = std::string("tests/data/media/") + c.name + "_" + std::to_string(c.width) + "x" +
                           std::to_string(c.height) + "_to_" + std::to_string(c.out_width) + "x" +
                           std::to_string(c.out_height) + ".png";
  const Image expected = ReadImage(file);
  const Image actual = Resize(FormulaPhoto(c.width, c.height), c.out_width, c.out_height, c.filter);
  ASSERT_EQ(actual.width, expected.width);
  ASSERT_EQ(actual.height, expected.height);
  EXPECT_TRUE(actual == expected);
}

INSTANTIATE_TEST_SUITE_P(Filters, PillowVectors,
                         testing::Values(PillowCase{"lanczos_down", 97, 61, 48, 32, Filter::kLanczos},
                                         PillowCase{"lanczos_up", 23, 17, 64, 48, Filter::kLanczos},
                                         PillowCase{"lanczos_mixed", 97, 61, 64, 96, Filter::kLanczos},
                                         PillowCase{"bicubic_down", 97, 61, 40, 30, Filter::kBicubic},
                                         PillowCase{"bicubic_up", 23, 17, 50, 41, Filter::kBicubic},
                                         PillowCase{"bilinear_mixed", 97, 61, 33, 80, Filter::kBilinear}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Resize, SameSizeIsTheSamePicture) {
  const Image photo = FormulaPhoto(31, 19);
  for (const Filter filter : {Filter::kBilinear, Filter::kBicubic, Filter::kLanczos}) {
    EXPECT_TRUE(Resize(photo, 31, 19, filter) == photo);
  }
}

TEST(Resize, FlatPicturesStayFlat) {
  Image flat(37, 11);
  for (size_t i = 0; i < flat.rgb.size(); ++i) flat.rgb[i] = static_cast<uint8_t>(i % 3 == 0 ? 255 : 7);
  for (const auto& [w, h] : {std::pair{5, 3}, {37, 40}, {200, 1}, {1, 1}}) {
    const Image resized = Resize(flat, w, h, Filter::kLanczos);
    for (size_t i = 0; i < resized.rgb.size(); ++i) ASSERT_EQ(resized.rgb[i], i % 3 == 0 ? 255 : 7);
  }
}

TEST(Resize, ACropIsThePartOfTheWhole) {
  const Image photo = FormulaPhoto(97, 61);
  const Image whole = Resize(photo, 150, 40, Filter::kLanczos);
  const Image part =
      Resample(photo, ResizeAxis(97, 150, 33, 50), ResizeAxis(61, 40, 7, 20), Filter::kLanczos);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 50; ++x) {
      for (int c = 0; c < 3; ++c) ASSERT_EQ(part.Pixel(x, y)[c], whole.Pixel(x + 33, y + 7)[c]);
    }
  }
}

TEST(Resize, GreyEqualsOneChannelOfRgb) {
  const Image photo = FormulaPhoto(40, 30);
  GrayImage grey(40, 30);
  for (size_t i = 0; i < grey.values.size(); ++i) grey.values[i] = photo.rgb[3 * i + 1];
  const Image colour = Resize(photo, 64, 16, Filter::kLanczos);
  const GrayImage resized = Resize(grey, 64, 16, Filter::kLanczos);
  for (size_t i = 0; i < resized.values.size(); ++i) ASSERT_EQ(resized.values[i], colour.rgb[3 * i + 1]);
}

TEST(Resize, EmptyPicturesAreRefused) {
  EXPECT_THROW(Resize(Image(), 4, 4, Filter::kLanczos), Error);
  EXPECT_THROW(Resize(Image(4, 4), 0, 4, Filter::kLanczos), Error);
}

}  // namespace
}  // namespace wildrayzer
