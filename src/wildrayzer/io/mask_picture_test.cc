#include "wildrayzer/io/mask_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// The mask of four pixels in a row, written by another library; channels are blue, green, red, alpha.
template <typename Pixel>
std::vector<uint8_t> MaskOfPixels(int type, const std::vector<Pixel>& pixels) {
  const auto path = testing::FreshFolder("mask_pixels") / "m.png";
  cv::Mat picture(1, static_cast<int>(pixels.size()), type);
  for (int x = 0; x < picture.cols; ++x) picture.at<Pixel>(0, x) = pixels[static_cast<size_t>(x)];
  EXPECT_TRUE(cv::imwrite(path.string(), picture));
  return ReadMaskPicture(path).values;
}

TEST(MaskPicture, GreyIsInBetween) {
  EXPECT_THAT(MaskOfPixels<uint8_t>(CV_8UC1, {0, 100, 200, 255}), ElementsAre(0, 100, 200, 255));
  EXPECT_THAT(
      MaskOfPixels<cv::Vec3b>(CV_8UC3, {{0, 0, 0}, {100, 100, 100}, {200, 200, 200}, {255, 255, 255}}),
      ElementsAre(0, 100, 200, 255));
  EXPECT_THAT(MaskOfPixels<uint16_t>(CV_16UC1, {0, 25700, 51400, 65535}), ElementsAre(0, 100, 200, 255));
}

TEST(MaskPicture, SmallValuesAreLabels) {
  EXPECT_THAT(MaskOfPixels<uint8_t>(CV_8UC1, {0, 1, 0, 1}), ElementsAre(0, 255, 0, 255));
  EXPECT_THAT(MaskOfPixels<uint8_t>(CV_8UC1, {0, 1, 2, 31}), ElementsAre(0, 255, 255, 255));
  EXPECT_THAT(MaskOfPixels<uint16_t>(CV_16UC1, {0, 1, 0, 1}), ElementsAre(0, 255, 0, 255));
  EXPECT_THAT(MaskOfPixels<uint8_t>(CV_8UC1, {0, 0, 0, 0}), Each(0));
}

TEST(MaskPicture, ColoursButBlackAreThere) {
  EXPECT_THAT(MaskOfPixels<cv::Vec3b>(CV_8UC3, {{0, 0, 0}, {0, 0, 128}, {0, 128, 0}, {0, 0, 0}}),
              ElementsAre(0, 255, 255, 0));  // as DAVIS paints its objects
}

TEST(MaskPicture, WhereTransparentIsNothing) {
  EXPECT_THAT(
      MaskOfPixels<cv::Vec4b>(CV_8UC4, {{9, 8, 7, 0}, {9, 8, 7, 255}, {0, 0, 0, 255}, {1, 1, 1, 128}}),
      ElementsAre(0, 255, 255, 128));
  // Opaque everywhere: the alpha channel says nothing.
  EXPECT_THAT(MaskOfPixels<cv::Vec4b>(CV_8UC4,
                                      {{0, 0, 0, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}, {0, 0, 0, 255}}),
              ElementsAre(0, 255, 0, 0));
}

TEST(MaskPicture, WhatIsNoPictureIsNamed) {
  EXPECT_THAT([] { ReadMaskPicture("no/such/mask.png"); },
              ::testing::ThrowsMessage<FileError>(::testing::HasSubstr("no/such/mask.png: no such file")));
}

}  // namespace
}  // namespace wildrayzer
