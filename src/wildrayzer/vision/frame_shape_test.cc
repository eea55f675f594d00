#include "wildrayzer/vision/frame_shape.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

TEST(ShapesAbout, LieBetweenTheRatiosOfPhotographs) {
  for (const int side : {5, 8, 16}) {
    bool square = false, wide = false, tall = false;
    double last = INFINITY;
    for (const FrameShape& shape : ShapesAbout(side, side)) {
      EXPECT_LE(shape.columns - 0.5, shape.rows * 16.0 / 9);
      EXPECT_LE(shape.rows - 0.5, shape.columns * 16.0 / 9);
      EXPECT_NEAR(shape.columns * shape.rows, side * side, 0.08 * side * side);
      const double ratio = static_cast<double>(shape.columns) / shape.rows;
      EXPECT_LT(ratio, last);  // widest first
      last = ratio;
      square = square || shape.columns == shape.rows;
      wide = wide || ratio > 1.6;
      tall = tall || ratio < 0.65;
    }
    EXPECT_TRUE(square && ((wide && tall) || side == 5)) << side;  // so few have no shape as wide
  }
}

// What a photo of a usual shape loses when its frame is filled is less than 4 %.
TEST(FrameShape, NearlyTheWholePhotoFitsInto) {
  for (const int side : {8, 16}) {
    for (const double ratio : {1.0, 4.0 / 3, 1.5, 16.0 / 9, 2.0}) {
      for (const double of_photo : {ratio, 1 / ratio}) {
        const FrameShape shape = ShapeOfRatio(of_photo, side, side);
        EXPECT_NEAR(shape.columns * shape.rows, side * side, 0.2 * side * side);
        EXPECT_LT(std::abs(std::log(shape.columns / (of_photo * shape.rows))), 0.04) << of_photo;
      }
    }
  }
  EXPECT_EQ(ShapeOfRatio(1, 8, 8).columns, 8);
  EXPECT_EQ(ShapeOfRatio(1, 8, 8).rows, 8);
  EXPECT_EQ(ShapeOfRatio(1.5, 8, 8).rows, 6);
  EXPECT_EQ(ShapeOfRatio(1000, 8, 8).rows,
            1);  // no shape comes near: 8 times the root of 1000, or its inverse
  EXPECT_EQ(ShapeOfRatio(1000, 8, 8).columns, 253);
}

TEST(FrameShape, AspectsAreRead) {
  EXPECT_DOUBLE_EQ(ParseAspect("4:3"), 4.0 / 3);
  EXPECT_DOUBLE_EQ(ParseAspect("1:1.5"), 1 / 1.5);
  for (const char* text : {"", "4", "4:", ":3", "4:3:2", "4x3", "nan:1", "1:0", "5:1", "1:5", "-4:-3"})
    EXPECT_THROW(ParseAspect(text), UsageError) << text;
}

}  // namespace
}  // namespace wildrayzer
