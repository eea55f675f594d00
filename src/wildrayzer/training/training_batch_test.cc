#include "wildrayzer/training/training_batch.h"

#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <set>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kWidth = 6, kHeight = 4;

Image Noise(uint64_t seed, int width = kWidth, int height = kHeight) {
  Image image(width, height);
  Random random(seed, "training batch test");
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.Below(256));
  return image;
}

// Two inputs and a target; the first scene with pasted objects, the second from the dynamic set.
Batch TwoScenes(bool pasted) {
  Batch batch;
  batch.inputs = 2;
  for (uint64_t s = 0; s < 2; ++s) {
    Sample sample;
    sample.scene = "scene" + std::to_string(s);
    sample.dynamic = s == 1;
    sample.pasted = pasted && s == 0;
    for (uint64_t v = 0; v < 3; ++v) {
      View view;
      view.image = Noise(10 * s + v);
      if (sample.pasted) {
        view.clean = Noise(100 + v);
        GrayImage overlay(kWidth, kHeight);
        overlay.At(static_cast<int>(v), 2) = 255;
        overlay.At(5, 3) = 1;  // any value above 0
        sample.overlays.push_back(overlay);
      }
      sample.views.push_back(std::move(view));
    }
    batch.samples.push_back(std::move(sample));
  }
  return batch;
}

void ExpectPlanes(const torch::Tensor& planes, const Image& image) {
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < 3; ++c) {
        ASSERT_FLOAT_EQ(planes[c][y][x].item<float>(), static_cast<float>(image.Pixel(x, y)[c]) / 255.0F);
      }
    }
  }
}

TEST(TrainingBatch, HasPicturesCleanOnesAndPastedMasks) {
  const Batch batch = TwoScenes(true);
  const TrainingBatch tensors = ToTensors(batch);
  EXPECT_EQ(tensors.inputs, 2);
  EXPECT_EQ(tensors.targets(), 1);
  EXPECT_EQ(tensors.images.sizes(), (std::vector<int64_t>{2, 3, 3, kHeight, kWidth}));
  EXPECT_EQ(tensors.pasted_masks.sizes(), (std::vector<int64_t>{2, 3, 1, kHeight, kWidth}));
  EXPECT_EQ(tensors.pasted, (std::vector<bool>{true, false}));
  EXPECT_EQ(tensors.dynamic, (std::vector<bool>{false, true}));
  for (int64_t s = 0; s < 2; ++s) {
    const Sample& sample = batch.samples[static_cast<size_t>(s)];
    EXPECT_EQ(tensors.samples[static_cast<size_t>(s)], &sample);
    for (int64_t v = 0; v < 3; ++v) {
      const View& view = sample.views[static_cast<size_t>(v)];
      ExpectPlanes(tensors.images[s][v], view.image);
      ExpectPlanes(tensors.clean[s][v], s == 0 ? view.clean : view.image);
      const torch::Tensor mask = tensors.pasted_masks[s][v][0];
      EXPECT_EQ(mask.sum().item<float>(), s == 0 ? 2 : 0);
      if (s == 1) continue;
      EXPECT_EQ(mask[2][v].item<float>(), 1);
      EXPECT_EQ(mask[3][5].item<float>(), 1);
    }
  }
}

TEST(TrainingBatch, SharesMemoryWhenNothingWasPasted) {
  const Batch batch = TwoScenes(false);
  const TrainingBatch tensors = ToTensors(batch);
  EXPECT_TRUE(tensors.clean.is_same(tensors.images));
  EXPECT_FALSE(tensors.pasted_masks.defined());
  ExpectPlanes(tensors.images[1][2], batch.samples[1].views[2].image);
}

TEST(TrainingBatch, NamesASceneOfAnotherSize) {
  Batch batch = TwoScenes(false);
  batch.samples[1].views[1].image = Noise(1, kWidth, kHeight + 1);
  try {
    ToTensors(batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("scene1"), std::string::npos) << error.what();
  }
}

// Connected parts (4 neighbours) of a grid; each as the set of its cells.
std::vector<std::set<std::pair<int64_t, int64_t>>> Parts(const torch::Tensor& grid) {
  std::vector<std::set<std::pair<int64_t, int64_t>>> parts;
  torch::Tensor left = grid.clone();
  auto cells = left.accessor<float, 2>();
  for (int64_t r = 0; r < left.size(0); ++r) {
    for (int64_t c = 0; c < left.size(1); ++c) {
      if (cells[r][c] == 0) continue;
      auto& part = parts.emplace_back();
      std::vector<std::pair<int64_t, int64_t>> open = {{r, c}};
      while (!open.empty()) {
        const auto [y, x] = open.back();
        open.pop_back();
        if (y < 0 || x < 0 || y >= left.size(0) || x >= left.size(1) || cells[y][x] == 0) continue;
        cells[y][x] = 0;
        part.emplace(y, x);
        for (const auto& [dy, dx] : {std::pair{0, 1}, std::pair{1, 0}, std::pair{0, -1}, std::pair{-1, 0}}) {
          open.emplace_back(y + dy, x + dx);
        }
      }
    }
  }
  return parts;
}

TEST(RandomBoxes, CoverTheirShareInOneToThreeBoxes) {
  constexpr int64_t kViews = 600, kRows = 16, kColumns = 16, kPatch = 2;
  Random random(1, "boxes");
  const torch::Tensor masks = RandomBoxes(kViews, kRows, kColumns, kPatch, 0.1, random);
  ASSERT_EQ(masks.sizes(), (std::vector<int64_t>{kViews, 1, kRows * kPatch, kColumns * kPatch}));
  const torch::Tensor grid = torch::avg_pool2d(masks, kPatch);
  // Whole patches only.
  EXPECT_TRUE(grid.eq(0).logical_or(grid.eq(1)).all().item<bool>());
  // Boxes may lie upon each other, which costs some of the share, and sides are rounded.
  const double share = grid.mean().item<double>();
  EXPECT_GT(share, 0.085);
  EXPECT_LT(share, 0.105);
  std::vector<int64_t> counts(4);
  for (int64_t view = 0; view < kViews; ++view) {
    const auto parts = Parts(grid[view][0]);
    ASSERT_TRUE(!parts.empty() && parts.size() <= 3) << parts.size();
    ++counts[parts.size()];
    if (parts.size() < 3) continue;
    for (const auto& part : parts) {  // none touch, so each is one box
      int64_t top = kRows, bottom = 0, left = kColumns, right = 0;
      for (const auto& [r, c] : part) {
        top = std::min(top, r), bottom = std::max(bottom, r + 1);
        left = std::min(left, c), right = std::max(right, c + 1);
      }
      EXPECT_EQ(static_cast<int64_t>(part.size()), (bottom - top) * (right - left));
      EXPECT_LE(bottom - top, 2 * (right - left));
      EXPECT_LE(right - left, 2 * (bottom - top));
    }
  }
  // A third of the views each, minus boxes that touch.
  EXPECT_GT(counts[1], kViews / 4);
  EXPECT_GT(counts[2], kViews / 8);
  EXPECT_GT(counts[3], kViews / 16);
}

TEST(RandomBoxes, MaskAtLeastOnePatchAndAreReproducible) {
  Random random(5, "few");
  const torch::Tensor few = torch::avg_pool2d(RandomBoxes(50, 4, 6, 3, 1e-9, random), 3);
  const torch::Tensor patches = few.sum({1, 2, 3});
  EXPECT_GE(patches.min().item<float>(), 1);
  EXPECT_LE(patches.max().item<float>(), 3);
  // A share that no box of the wanted shape can have stays within the grid.
  const torch::Tensor many = RandomBoxes(50, 2, 9, 1, 0.9, random);
  EXPECT_LE(many.mean().item<double>(), 1.0);

  Random a(9, "same"), b(9, "same"), c(10, "same");
  const torch::Tensor first = RandomBoxes(8, 8, 8, 2, 0.2, a);
  EXPECT_TRUE(torch::equal(first, RandomBoxes(8, 8, 8, 2, 0.2, b)));
  EXPECT_FALSE(torch::equal(first, RandomBoxes(8, 8, 8, 2, 0.2, c)));
}

TEST(TrainingBatch, HasTheCamerasOfTheData) {
  Batch batch = TwoScenes(false);
  EXPECT_FALSE(ToTensors(batch).c2w.defined());
  for (Sample& sample : batch.samples) {
    for (size_t v = 0; v < sample.views.size(); ++v) {
      Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();
      w2c.topLeftCorner<3, 3>() =
          Eigen::AngleAxisd(0.1 + 0.2 * static_cast<double>(v), Eigen::Vector3d::UnitY()).toRotationMatrix();
      w2c.topRightCorner<3, 1>() = Eigen::Vector3d(0.5, -1.0, 2.0 + static_cast<double>(v));
      sample.views[v].w2c = w2c;
      sample.views[v].intrinsics = PixelIntrinsics{4.5, 4.0, 3.0, 2.0};
    }
  }
  const TrainingBatch tensors = ToTensors(batch);
  EXPECT_TRUE(torch::allclose(tensors.c2w.select(1, 0), torch::eye(4).expand({2, 4, 4}), 0, 1e-6));
  // A point keeps its place: from the third view's frame into the first's, or through the world.
  const Eigen::Vector4d point(0.3, 0.2, 1.5, 1.0);
  const View& third = batch.samples[1].views[2];
  const Eigen::Vector4d expected = *batch.samples[1].views[0].w2c * third.w2c->inverse() * point;
  for (int row = 0; row < 3; ++row) {
    double value = 0;
    for (int column = 0; column < 4; ++column)
      value += tensors.c2w[1][2][row][column].item<double>() * point[column];
    EXPECT_NEAR(value, expected[row], 1e-5);
  }
  EXPECT_FLOAT_EQ(tensors.fxfycxcy[0][1][0].item<float>(), 4.5F / kWidth);
  EXPECT_FLOAT_EQ(tensors.fxfycxcy[0][1][1].item<float>(), 4.0F / kHeight);
  EXPECT_FLOAT_EQ(tensors.fxfycxcy[0][1][3].item<float>(), 0.5F);
  EXPECT_EQ(tensors.Scenes(1, 1).c2w.size(0), 1);

  batch.samples[1].views[2].w2c.reset();
  EXPECT_FALSE(ToTensors(batch).c2w.defined());
}

}  // namespace
}  // namespace wildrayzer
