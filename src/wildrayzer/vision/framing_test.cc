#include "wildrayzer/vision/framing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

// A smooth picture, so that resampling there and back loses little.
Image SmoothPhoto(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double u = (x + 0.5) / width;
      const double v = (y + 0.5) / height;
      const double values[3] = {u, v, 0.5 + 0.5 * std::sin(5 * u + 3 * v)};
      for (int c = 0; c < 3; ++c) image.Pixel(x, y)[c] = static_cast<uint8_t>(std::lrint(255 * values[c]));
    }
  }
  return image;
}

TEST(ReleaseFraming, TheExamplesOfTheSpecification) {
  EXPECT_EQ(ReleaseFraming(640, 360, 256, 16, false).resized_width, 448);
  EXPECT_EQ(ReleaseFraming(640, 360, 256, 8, false).resized_width, 456);
  const Framing square = ReleaseFraming(640, 360, 256, 16, true);
  EXPECT_EQ(square.crop_x, 96);
  EXPECT_EQ(square.crop_y, 0);
  EXPECT_EQ(square.width, 256);
  EXPECT_EQ(square.height, 256);
}

TEST(ReleaseFraming, TiesGoToEven) {
  // w = trunc(256 / 100 * 103) = 263, 263 / 2 = 131.5 -> 132; w = trunc(256 / 100 * 102) = 261, 130.5 -> 130.
  EXPECT_EQ(ReleaseFraming(103, 100, 256, 2, false).resized_width, 264);
  EXPECT_EQ(ReleaseFraming(102, 100, 256, 2, false).resized_width, 260);
}

TEST(ReleaseFraming, PortraitGivesASmallerSquare) {
  const Framing portrait = ReleaseFraming(360, 640, 256, 16, true);  // w = 144 = 9 patches
  EXPECT_EQ(portrait.width, 144);
  EXPECT_EQ(portrait.height, 144);
  EXPECT_EQ(portrait.crop_x, 0);
  EXPECT_EQ(portrait.crop_y, 56);
}

TEST(CoverFraming, EqualsTheReleaseForLandscape) {
  for (int width = 16; width < 1200; width += 37) {
    for (int height = 16; height <= width; height += 29) {
      ASSERT_EQ(CoverFraming(width, height, 256, 256, 16), ReleaseFraming(width, height, 256, 16, true))
          << width << "x" << height;
    }
  }
}

TEST(CoverFraming, PortraitFitsTheWidth) {
  const Framing portrait = CoverFraming(540, 960, 256, 256, 16);  // h = trunc(256 / 540 * 960) = 455 -> 448
  EXPECT_EQ(portrait.resized_width, 256);
  EXPECT_EQ(portrait.resized_height, 448);
  EXPECT_EQ(portrait.crop_y, 96);
  EXPECT_EQ(portrait.width, 256);
  EXPECT_EQ(portrait.height, 256);
}

TEST(CoverFraming, RefusesSizesThatAreNotWholePatches) {
  EXPECT_THROW(CoverFraming(640, 480, 250, 256, 16), UsageError);
  EXPECT_THROW(CoverFraming(640, 480, 256, 0, 16), UsageError);
  EXPECT_THROW(CoverFraming(0, 480, 256, 256, 16), Error);
}

// Photo width and height, model width and height.
using Sizes = std::tuple<int, int, int, int>;
class AnySize : public testing::TestWithParam<Sizes> {
 protected:
  Framing Make() const {
    const auto& [w, h, mw, mh] = GetParam();
    return CoverFraming(w, h, mw, mh, 16);
  }
};

TEST_P(AnySize, CropLiesInsideAndShapeIsKept) {
  const Framing f = Make();
  EXPECT_GE(f.crop_x, 0);
  EXPECT_GE(f.crop_y, 0);
  EXPECT_LE(f.crop_x + f.width, f.resized_width);
  EXPECT_LE(f.crop_y + f.height, f.resized_height);
  EXPECT_TRUE(f.resized_width == f.width || f.resized_height == f.height);
  const Rectangle seen = f.VisiblePhoto();
  EXPECT_GE(seen.left, -1e-9);
  EXPECT_GE(seen.top, -1e-9);
  EXPECT_LE(seen.right, f.photo_width + 1e-9);
  EXPECT_LE(seen.bottom, f.photo_height + 1e-9);
  // Rounding to whole patches moves the shape by at most half a patch of the followed side (plus the
  // truncated pixel).
  const double followed = static_cast<double>(std::max(f.resized_width * (f.resized_height == f.height),
                                                       f.resized_height * (f.resized_width == f.width)));
  EXPECT_NEAR(f.scale_x() / f.scale_y(), 1.0, 10.0 / followed);
}

TEST_P(AnySize, RoundTripsAreExact) {
  const Framing f = Make();
  for (const Point p :
       {Point{0, 0}, Point{0.5, 0.5}, Point{17.25, 3.75}, Point{f.photo_width * 0.7, f.photo_height * 0.9}}) {
    const Point back = f.ModelToPhoto(f.PhotoToModel(p));
    EXPECT_NEAR(back.x, p.x, 1e-9 * std::max(1, f.photo_width));
    EXPECT_NEAR(back.y, p.y, 1e-9 * std::max(1, f.photo_height));
  }
  const PixelIntrinsics k{521.5, 519.25, 0.47 * f.photo_width, 0.52 * f.photo_height};
  const PixelIntrinsics back = f.ToPhoto(f.ToModel(k));
  EXPECT_NEAR(back.fx, k.fx, 1e-9);
  EXPECT_NEAR(back.fy, k.fy, 1e-9);
  EXPECT_NEAR(back.cx, k.cx, 1e-9 * std::max(1, f.photo_width));
  EXPECT_NEAR(back.cy, k.cy, 1e-9 * std::max(1, f.photo_height));
}

TEST_P(AnySize, ProjectionCommutesWithTheMapping) {
  const Framing f = Make();
  const PixelIntrinsics photo{600, 610, 0.5 * f.photo_width, 0.5 * f.photo_height};
  const PixelIntrinsics model = f.ToModel(photo);
  for (const auto& [x, y, z] : {std::tuple{0.1, -0.2, 1.0}, std::tuple{-0.7, 0.4, 2.5}}) {
    const Point in_photo = f.PhotoToModel({photo.fx * x / z + photo.cx, photo.fy * y / z + photo.cy});
    EXPECT_NEAR(model.fx * x / z + model.cx, in_photo.x,
                1e-6);  // coordinates reach 1e6 in the extreme shapes
    EXPECT_NEAR(model.fy * y / z + model.cy, in_photo.y, 1e-6);
  }
}

TEST_P(AnySize, PicturesThereAndBack) {
  const Framing f = Make();
  const Image photo = SmoothPhoto(f.photo_width, f.photo_height);
  const Image model = ApplyFraming(photo, f);
  ASSERT_EQ(model.width, f.width);
  ASSERT_EQ(model.height, f.height);
  const UncroppedImage back = UncropImage(model, f);
  ASSERT_FALSE(back.image.empty());
  ASSERT_LE(back.x + back.image.width, f.photo_width);
  ASSERT_LE(back.y + back.image.height, f.photo_height);
  const UncroppedMask mask = UncropMask(GrayImage(f.width, f.height, 200), f);
  int64_t known = 0;
  for (size_t i = 0; i < mask.known.values.size(); ++i) {
    known += mask.known.values[i] == 255;
    ASSERT_EQ(mask.mask.values[i], mask.known.values[i] == 255 ? 200 : 0);
  }
  EXPECT_EQ(known, static_cast<int64_t>(back.image.width) * back.image.height);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AnySize,
                         testing::Values(Sizes{640, 360, 256, 256}, Sizes{360, 640, 256, 256},
                                         Sizes{256, 256, 256, 256}, Sizes{16, 16, 256, 256},
                                         Sizes{4000, 31, 256, 256}, Sizes{31, 4000, 256, 256},
                                         Sizes{1, 1, 64, 64}, Sizes{1, 5000, 64, 32}, Sizes{5000, 1, 32, 64},
                                         Sizes{960, 540, 448, 256}, Sizes{960, 540, 256, 448},
                                         Sizes{257, 255, 256, 256}, Sizes{255, 257, 256, 256},
                                         Sizes{272, 454, 512, 128}));

TEST(ApplyFraming, EqualsResizeThenCrop) {
  const Image photo = SmoothPhoto(200, 120);
  const FramedImage framed = FrameToModel(photo, 64, 64, 16);
  const Image whole = Resize(photo, static_cast<int>(framed.framing.resized_width), 64, Filter::kLanczos);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const uint8_t* expected = whole.Pixel(x + static_cast<int>(framed.framing.crop_x), y);
      for (int c = 0; c < 3; ++c) ASSERT_EQ(framed.image.Pixel(x, y)[c], expected[c]);
    }
  }
}

TEST(UncropImage, ReturnsTheSmoothPhotoItself) {
  const Image photo = SmoothPhoto(640, 360);
  const FramedImage framed = FrameToModel(photo, 256, 256, 16);
  const UncroppedImage back = UncropImage(framed.image, framed.framing);
  double worst = 0;
  for (int y = 4; y < back.image.height - 4; ++y) {
    for (int x = 4; x < back.image.width - 4; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int expected = photo.Pixel(x + back.x, y + back.y)[c];
        worst = std::max(worst, std::abs(static_cast<double>(back.image.Pixel(x, y)[c] - expected)));
      }
    }
  }
  // Two 8-bit roundings in each direction; a shift of half a photo pixel would already cost a grey level on
  // average and is excluded by the mean below.
  EXPECT_LE(worst, 2.0);
}

// The same part of the photo, at any number of pixels.
TEST(Framing, TimesKeepsThePart) {
  const Framing framing = CoverFraming(333, 250, 64, 48, 16), large = framing.Times(3);
  EXPECT_EQ(large.width, 192);
  EXPECT_EQ(large.height, 144);
  const Rectangle a = framing.VisiblePhoto(), b = large.VisiblePhoto();
  EXPECT_DOUBLE_EQ(a.left, b.left);
  EXPECT_DOUBLE_EQ(a.top, b.top);
  EXPECT_DOUBLE_EQ(a.right, b.right);
  EXPECT_DOUBLE_EQ(a.bottom, b.bottom);
}

TEST(UncropMask, AnEdgeStaysWhereItWas) {
  // Left half of a 640 x 360 photo moving: the mask's half crossing must come back at x = 320 within a photo
  // pixel.
  GrayImage mask(640, 360);
  for (int y = 0; y < 360; ++y) {
    for (int x = 0; x < 320; ++x) mask.At(x, y) = 255;
  }
  const Framing framing = CoverFraming(640, 360, 256, 256, 16);
  const UncroppedMask back = UncropMask(ApplyFraming(mask, framing), framing);
  for (int y = 0; y < 360; ++y) {
    EXPECT_GE(back.mask.At(318, y), 128);
    EXPECT_LT(back.mask.At(321, y), 128);
    EXPECT_EQ(back.known.At(0, y), 0);  // 16:9 into a square: the sides are not seen
    EXPECT_EQ(back.known.At(320, y), 255);
  }
}

TEST(UncropImage, RefusesAnotherSize) {
  const Framing framing = CoverFraming(640, 360, 256, 256, 16);
  EXPECT_THROW(UncropImage(Image(128, 128), framing), Error);
  EXPECT_THROW(ApplyFraming(Image(640, 361), framing), Error);
}

}  // namespace
}  // namespace wildrayzer
