#include "wildrayzer/data/augment.h"

#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <cmath>

#include "wildrayzer/data/testing/small_scenes.h"

namespace wildrayzer {
namespace {

using testing::Plain;

constexpr int kWidth = 64, kHeight = 48;

Eigen::Vector2d Project(const View& view, const Eigen::Vector3d& point) {
  const Eigen::Vector3d seen = (*view.w2c * point.homogeneous()).head<3>();
  const PixelIntrinsics& k = *view.intrinsics;
  return {k.fx * seen.x() / seen.z() + k.cx, k.fy * seen.y() / seen.z() + k.cy};
}

// A view that shows the point as a soft white spot on black, marked in its mask.
View ViewOf(const Eigen::Vector3d& point, const Eigen::Vector3d& turn, const Eigen::Vector3d& move) {
  View view;
  view.image = Image(kWidth, kHeight);
  view.mask = GrayImage(kWidth, kHeight);
  view.intrinsics = PixelIntrinsics{50, 55, 30, 26};
  Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();
  w2c.topLeftCorner<3, 3>() = Eigen::AngleAxisd(turn.norm(), turn.normalized()).toRotationMatrix();
  w2c.topRightCorner<3, 1>() = move;
  view.w2c = w2c;
  const Eigen::Vector2d at = Project(view, point);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const double square = (Eigen::Vector2d(x + 0.5, y + 0.5) - at).squaredNorm();
      const auto value = static_cast<uint8_t>(std::lround(200 * std::exp(-square / 8)));
      for (int channel = 0; channel < 3; ++channel) view.image.Pixel(x, y)[channel] = value;
      view.mask.At(x, y) = square < 9 ? 255 : 0;
    }
  }
  view.clean = view.image;
  return view;
}

// The middle of what is bright.
Eigen::Vector2d SpotOf(const Image& image) {
  Eigen::Vector2d sum = Eigen::Vector2d::Zero();
  double total = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      sum += image.Pixel(x, y)[0] * Eigen::Vector2d(x + 0.5, y + 0.5);
      total += image.Pixel(x, y)[0];
    }
  }
  return sum / total;
}

Eigen::Vector2d SpotOf(const GrayImage& mask) {
  Image image(mask.width, mask.height);
  for (size_t i = 0; i < mask.values.size(); ++i) image.rgb[3 * i] = mask.values[i];
  return SpotOf(image);
}

// A point of the world is where the cameras say: the mirrored point in mirrored views, of which there are two
// with different poses, so that a wrong pose cannot hide behind a wrong place.
TEST(Augment, CamerasFollowThePictures) {
  const Eigen::Vector3d point(0.3, -0.2, 4);
  for (const bool flip : {false, true}) {
    for (const double zoom : {1.0, 1.3}) {
      Augmentation drawn;
      drawn.flip = flip;
      drawn.zoom = zoom;
      Eigen::Vector3d there = point;
      if (flip) there.x() *= -1;
      for (const auto& [turn, move] :
           {std::pair<Eigen::Vector3d, Eigen::Vector3d>{{0.1, 0.05, -0.1}, {0.2, 0.1, 0}},
            {{-0.1, -0.1, 0.2}, {-0.3, 0.2, 0.5}}}) {
        View view = ViewOf(point, turn, move);
        EXPECT_LT((SpotOf(view.image) - Project(view, point)).norm(), 0.05);
        Augment(drawn, view);
        const Eigen::Vector2d expected = Project(view, there);
        EXPECT_LT((SpotOf(view.image) - expected).norm(), 0.05) << flip << " " << zoom;
        EXPECT_LT((SpotOf(view.mask) - expected).norm(), 0.4) << flip << " " << zoom;
        EXPECT_EQ(view.clean, view.image);
        EXPECT_EQ(view.image.width, kWidth);
        EXPECT_EQ(view.image.height, kHeight);
        const Eigen::Matrix3d rotation = view.w2c->topLeftCorner<3, 3>();
        EXPECT_NEAR(rotation.determinant(), 1, 1e-12);
        EXPECT_LT((rotation * rotation.transpose() - Eigen::Matrix3d::Identity()).norm(), 1e-12);
        for (const uint8_t value : view.mask.values) EXPECT_TRUE(value == 0 || value == 255);
      }
    }
  }
}

TEST(Augment, MirroringTwiceChangesNothing) {
  const View before = ViewOf({0.3, -0.2, 4}, {0.1, 0.05, -0.1}, {0.2, 0.1, 0});
  Augmentation drawn;
  drawn.flip = true;
  View view = before;
  Augment(drawn, view);
  EXPECT_NE(view.image, before.image);
  Augment(drawn, view);
  EXPECT_EQ(view.image, before.image);
  EXPECT_EQ(view.mask, before.mask);
  EXPECT_EQ(*view.w2c, *before.w2c);
  EXPECT_EQ(view.intrinsics->cx, before.intrinsics->cx);
}

TEST(Augment, GainsAreOfTheChannels) {
  Augmentation drawn;
  drawn.gains = {1.1, 0.9, 2.0};
  View view;
  view.image = Plain(8, 8, 100, 50, 200);
  Augment(drawn, view);
  EXPECT_EQ(view.image, Plain(8, 8, 110, 45, 255));
  EXPECT_TRUE(view.clean.empty());
}

TEST(Augment, DrawsWhatIsAskedFor) {
  Random random(3, "augment");
  const Augmentation none = DrawAugmentation({}, random);
  EXPECT_FALSE(none.flip || none.reverse);
  EXPECT_EQ(none.zoom, 1.0);
  EXPECT_EQ(none.gains, Augmentation().gains);
  EXPECT_FALSE(AugmentOptions().Any());
  const AugmentOptions options{0.5, 0.25, 0.1, 1.3};
  constexpr int kDraws = 4000;
  double flips = 0, reversed = 0, log_zoom = 0, least = 9, most = 0, least_gain = 9, most_gain = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Augmentation drawn = DrawAugmentation(options, random);
    flips += drawn.flip;
    reversed += drawn.reverse;
    log_zoom += std::log(drawn.zoom) / kDraws;
    least = std::min(least, drawn.zoom);
    most = std::max(most, drawn.zoom);
    least_gain = std::min(least_gain, *std::min_element(drawn.gains.begin(), drawn.gains.end()));
    most_gain = std::max(most_gain, *std::max_element(drawn.gains.begin(), drawn.gains.end()));
  }
  EXPECT_NEAR(flips / kDraws, 0.5, 0.03);
  EXPECT_NEAR(reversed / kDraws, 0.25, 0.03);
  EXPECT_NEAR(log_zoom, std::log(1.3) / 2, 0.005);
  EXPECT_GE(least, 1.0);
  EXPECT_LT(least, 1.01);
  EXPECT_LE(most, 1.3);
  EXPECT_GT(most, 1.29);
  EXPECT_GE(least_gain, 0.9 * 0.9);
  EXPECT_LT(least_gain, 0.85);
  EXPECT_LE(most_gain, 1.1 * 1.1);
  EXPECT_GT(most_gain, 1.15);
}

}  // namespace
}  // namespace wildrayzer
