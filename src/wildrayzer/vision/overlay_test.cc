#include "wildrayzer/vision/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

Image Flat(int width, int height, Rgb color) {
  Image image(width, height);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = color[i % 3];
  return image;
}

Rgb At(const Image& image, int x, int y) {
  const uint8_t* pixel = image.Pixel(x, y);
  return {pixel[0], pixel[1], pixel[2]};
}

TEST(OverlayMask, BlendsByProbability) {
  const Image photo = Flat(40, 30, {100, 100, 100});
  GrayImage mask(40, 30);
  for (int y = 8; y < 22; ++y) {
    for (int x = 10; x < 30; ++x) mask.At(x, y) = 255;
  }
  mask.At(2, 2) = 51;  // 0.2, below the threshold
  const Image drawn = OverlayMask(photo, mask, {{200, 0, 100}, 0.5, 0.5});
  EXPECT_EQ(At(drawn, 0, 0), (Rgb{100, 100, 100}));
  EXPECT_EQ(At(drawn, 20, 15), (Rgb{150, 50, 100}));
  EXPECT_EQ(At(drawn, 2, 2), (Rgb{110, 90, 100}));
  // The outline runs on the border pixels of the object, in the full colour.
  EXPECT_EQ(At(drawn, 10, 15), (Rgb{200, 0, 100}));
  EXPECT_EQ(At(drawn, 29, 21), (Rgb{200, 0, 100}));
  EXPECT_EQ(At(drawn, 9, 15), (Rgb{100, 100, 100}));
}

TEST(OverlayMask, NothingMovingChangesNothing) {
  const Image photo = Flat(16, 16, {1, 2, 3});
  EXPECT_TRUE(OverlayMask(photo, GrayImage(16, 16)) == photo);
}

TEST(OverlayMask, ThresholdIsInclusive) {
  const Image photo = Flat(16, 16, {0, 0, 0});
  const OverlayStyle style{{255, 255, 255}, 0.0, 0.2};  // only the outline
  EXPECT_TRUE(OverlayMask(photo, GrayImage(16, 16, 50), style) == photo);
  EXPECT_EQ(At(OverlayMask(photo, GrayImage(16, 16, 51), style), 0, 0), (Rgb{255, 255, 255}));
}

// Up to 511 pixels the outline is one pixel wide.
TEST(OverlayMask, ThinOutlinesAreOpenCvs) {
  Random random(5, "masks");
  for (int n = 0; n < 10; ++n) {
    GrayImage mask(60, 50);
    for (int dot = 0; dot < 40; ++dot) {
      cv::Mat canvas = AsMat(mask);
      const cv::Point at(static_cast<int>(random.Below(60)), static_cast<int>(random.Below(50)));
      cv::circle(canvas, at, static_cast<int>(random.Below(9)), dot % 3 == 0 ? 0 : 255, -1);
    }
    Image expected(60, 50);
    cv::Mat canvas = AsMat(expected);
    std::vector<std::vector<cv::Point>> outlines;
    cv::findContours(AsMat(mask) > 127, outlines, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
    cv::drawContours(canvas, outlines, -1, cv::Scalar(1, 2, 3), 1);
    EXPECT_TRUE(OverlayMask(Image(60, 50), mask, {{1, 2, 3}, 0.0, 0.5}) == expected);
  }
}

TEST(OverlayMask, RefusesOtherSizes) {
  EXPECT_THROW(OverlayMask(Image(4, 4), GrayImage(4, 5)), Error);
  EXPECT_THROW(DimUnknown(Image(4, 4), GrayImage(5, 4)), Error);
  EXPECT_THROW(OverlayMask(Image(), GrayImage()), Error);
}

TEST(DimUnknown, OnlyTheUnknown) {
  GrayImage known(2, 1);
  known.At(0, 0) = 255;
  const Image dimmed = DimUnknown(Flat(2, 1, {90, 60, 30}), known);
  EXPECT_EQ(At(dimmed, 0, 0), (Rgb{90, 60, 30}));
  EXPECT_EQ(At(dimmed, 1, 0), (Rgb{30, 20, 10}));
}

TEST(HeatMap, ColoursAreOpenCvs) {
  GrayImage ramp(256, 1);
  for (int x = 0; x < 256; ++x) ramp.At(x, 0) = static_cast<uint8_t>(x);
  cv::Mat colored;
  cv::applyColorMap(AsMat(ramp), colored, cv::COLORMAP_INFERNO);
  EXPECT_TRUE(HeatMap(ramp) == FromBgr(colored));
}

TEST(HeatMap, BrightnessRises) {
  GrayImage ramp(256, 1);
  for (int x = 0; x < 256; ++x) ramp.At(x, 0) = static_cast<uint8_t>(x);
  const Image map = HeatMap(ramp);
  const auto brightness = [&](int x) {
    const Rgb color = At(map, x, 0);
    return 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2];
  };
  for (int x = 8; x < 256; x += 8) EXPECT_GT(brightness(x), brightness(x - 8)) << x;
  EXPECT_GT(At(map, 160, 0)[0], At(map, 160, 0)[2]);  // orange, not blue: the channels are in order
  EXPECT_THROW(HeatMap(GrayImage()), Error);
}

TEST(ContactSheet, PicturesSitInTheirCells) {
  const std::vector<SheetEntry> entries = {
      {Flat(64, 32, {255, 0, 0}), "first"},
      {Flat(32, 64, {0, 255, 0}), "a label that is far too long for its cell"},
      {Flat(64, 64, {0, 0, 255}), ""}};
  const Image sheet = ContactSheet(entries, 2, 64, 64);
  EXPECT_EQ(sheet.width, 8 + 2 * (64 + 8));
  EXPECT_EQ(sheet.height, 8 + 2 * (64 + 22 + 8));
  EXPECT_EQ(At(sheet, 8 + 32, 8 + 32), (Rgb{255, 0, 0}));
  EXPECT_EQ(At(sheet, 8 + 32, 8 + 8), (Rgb{255, 255, 255}));  // above the flat picture, centred in its cell
  EXPECT_EQ(At(sheet, 80 + 32, 8 + 32), (Rgb{0, 255, 0}));
  EXPECT_EQ(At(sheet, 8 + 32, 102 + 32), (Rgb{0, 0, 255}));
  const auto ink = [&](int left, int top) {  // dark pixels in a cell's label
    int count = 0;
    for (int y = top + 64; y < top + 86; ++y) {
      for (int x = left; x < left + 72 && x < sheet.width; ++x) count += At(sheet, x, y)[0] < 128;
    }
    return count;
  };
  EXPECT_GT(ink(8, 8), 10);
  EXPECT_GT(ink(80, 8), 10);
  EXPECT_EQ(ink(8, 102), 0);
}

TEST(ContactSheet, RefusesTheImpossible) {
  EXPECT_THROW(ContactSheet({}, 2, 64, 64), Error);
  EXPECT_THROW(ContactSheet({{Image(), "x"}}, 2, 64, 64), Error);
  EXPECT_THROW(ContactSheet({{Flat(2, 2, {}), "x"}}, 1, 40000, 64), Error);
}

}  // namespace
}  // namespace wildrayzer
