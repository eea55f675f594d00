#include "wildrayzer/labels/cosegmentation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

constexpr int kGrid = 12, kPatch = 8, kSide = kGrid * kPatch, kChannels = 24;
// Where the moving thing stands in every view.
constexpr int kLeft[] = {4, 8, 1, 6, 2, 7}, kTop[] = {5, 1, 7, 3, 8, 4};
constexpr LabelShape kShape{kSide, kSide, kGrid, kGrid, kChannels};

// Every place of a large wall has its own random feature and colour. The camera sees kGrid x kGrid of it and
// shifts by whole patches; a thing of 3 x 3 patches with features of its own stands elsewhere in every view.
struct Wall {
  explicit Wall(int views, bool moves) {
    Random random(4);
    std::vector<float> wall(64 * 64 * kChannels), thing(kChannels);
    for (float& v : wall) v = static_cast<float>(random.Normal());
    for (float& v : thing) v = static_cast<float>(2 * random.Normal());
    for (int v = 0; v < views; ++v) {
      const int dx = 5 + v, dy = 8 - v;
      const int left = moves ? kLeft[v] : 10 - dx, top = moves ? kTop[v] : 12 - dy;
      std::vector<float> grid, image(3 * kSide * kSide);
      std::vector<uint8_t> is_thing;
      for (int r = 0; r < kGrid; ++r) {
        for (int c = 0; c < kGrid; ++c) {
          const bool inside = r >= top && r < top + 3 && c >= left && c < left + 3;
          is_thing.push_back(inside);
          const float* place = inside ? thing.data() : wall.data() + ((r + dy) * 64 + c + dx) * kChannels;
          for (int k = 0; k < kChannels; ++k) {
            grid.push_back(place[k] + static_cast<float>(0.05 * random.Normal()));
          }
          for (int p = 0; p < 3 * kPatch * kPatch; ++p) {
            const int plane = p / (kPatch * kPatch), y = r * kPatch + p / kPatch % kPatch;
            image[(plane * kSide + y) * kSide + c * kPatch + p % kPatch] =
                std::clamp(0.5f + 0.2f * place[plane], 0.0f, 1.0f);
          }
        }
      }
      features.push_back(std::move(grid));
      images.push_back(std::move(image));
      truth.push_back(std::move(is_thing));
    }
    for (int v = 0; v < views; ++v) frames.push_back({images[v], {}, features[v], {}});
  }

  std::vector<std::vector<float>> features, images;
  std::vector<std::vector<uint8_t>> truth;
  std::vector<LabelFrame> frames;
};

TEST(CoSegmentation, WhatMovesIsUnexplainedByTheOtherViews) {
  const Wall wall(5, /*moves=*/true);
  const auto dissimilarity = CrossViewDissimilarity(wall.frames, kShape);
  ASSERT_EQ(dissimilarity.size(), 5u);
  for (size_t v = 0; v < dissimilarity.size(); ++v) {
    double moving = 0, still = 0;
    for (size_t i = 0; i < kShape.patches(); ++i) {
      (wall.truth[v][i] ? moving : still) += dissimilarity[v][i];
    }
    // Random features of 24 channels: the best of nine has a cosine of 0.3 to 0.6; the wall itself is found,
    // except where the thing hides it in another view.
    EXPECT_GT(moving / 9, 0.3) << v;
    EXPECT_LT(still / (kGrid * kGrid - 9), 0.15) << v;
  }
}

TEST(CoSegmentation, ACameraThatMovesExplainsStillThings) {
  const Wall wall(4, /*moves=*/false);
  for (const auto& view : CrossViewDissimilarity(wall.frames, kShape)) {
    // Cosines of features of length 5 with noise of 0.05 a channel are within 0.01 of 1.
    for (const float v : view) EXPECT_LT(v, 0.02f);
  }
}

TEST(CoSegmentation, FindsTheThing) {
  const Wall wall(6, /*moves=*/true);
  LabelOptions options;  // a thing of one feature is one cluster, so the strict choice of the labels will do
  options.grabcut = false;  // patches of one colour each leave nothing to refine
  const PseudoLabels labels = CoSegment(wall.frames, kShape, options);
  int both = 0, either = 0;
  for (size_t v = 0; v < labels.frames.size(); ++v) {
    EXPECT_TRUE(labels.frames[v].ssim.empty());
    for (size_t i = 0; i < kShape.patches(); ++i) {
      both += wall.truth[v][i] && labels.frames[v].selected[i];
      either += wall.truth[v][i] || labels.frames[v].selected[i];
    }
  }
  EXPECT_GT(both, either / 2);
  const PseudoLabels again = CoSegment(wall.frames, kShape, options);
  for (size_t v = 0; v < labels.frames.size(); ++v) EXPECT_EQ(labels.frames[v].mask, again.frames[v].mask);
}

TEST(CoSegmentation, NeedsTwoViewsOfOneSize) {
  Wall wall(2, true);
  EXPECT_THROW(CoSegment(std::span(wall.frames).first(1), kShape), UsageError);
  wall.features[1].pop_back();
  wall.frames[1].features = wall.features[1];
  EXPECT_THROW(CoSegment(wall.frames, kShape), Error);
}

}  // namespace
}  // namespace wildrayzer
