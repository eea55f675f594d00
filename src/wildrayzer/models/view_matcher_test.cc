#include "wildrayzer/models/view_matcher.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/models/testing/small_model.h"
#include "wildrayzer/models/weights.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Images;
using testing::kRounding;
using testing::NoiseImage;
using testing::SmallConfig;
using torch::Tensor;

constexpr int64_t kPatch = 8;

// sharpness: factor on the weights of both norms, so that logits grow by its square.
ViewMatcher Untaught(double sharpness = 1.0) {
  const torch::NoGradGuard no_grad;
  ViewMatcher matcher(kPatch, 32);
  for (auto& item : matcher->named_parameters()) {
    const bool weight = item.key().ends_with("weight");
    if (item.value().dim() == 1) {
      item.value().fill_(item.key().find("_norm") != std::string::npos ? sharpness : weight ? 1.0 : 0.0);
    } else {
      item.value().copy_(testing::GeneratedTensor(item.key(), item.value().sizes().vec(), 0.2));
    }
  }
  return matcher;
}

// Two frames of one plane of noise, the second moved by whole cells. What convolutions see is the same in
// both away from the margins, whatever their weights, so the place is known in closed form.
TEST(ViewMatcher, FindsWhatMoved) {
  const int64_t height = 112, width = 128, down = 8, right = 16;
  const Tensor plane = NoiseImage("plane", {1, 3, height + down, width + right}) * 2.0 - 1.0;
  const auto frame = [&](int64_t y, int64_t x) { return plane.narrow(2, y, height).narrow(3, x, width); };
  const ViewMatches found =
      Untaught(8.0)->forward(torch::stack({frame(0, 0), frame(down, right)}, 1).detach());
  const int64_t rows = height / kPatch, columns = width / kPatch, margin = 5;  // patches: 39 pixels are seen
  double lean_u = 0, lean_v = 0, count = 0;
  for (int64_t r = margin; r < rows - margin; ++r) {
    for (int64_t c = margin; c < columns - margin; ++c) {
      const Tensor place = found.place[0][1][r * columns + c];
      const double u = (kPatch * (static_cast<double>(c) + 0.5) + right) / width;
      const double v = (kPatch * (static_cast<double>(r) + 0.5) + down) / height;
      // The likeliest cell is one of the four that meet at the centre: at most a cell away.
      EXPECT_NEAR(place[0].item<double>(), u, 4.0 / width) << r << " " << c;
      EXPECT_NEAR(place[1].item<double>(), v, 4.0 / height) << r << " " << c;
      EXPECT_GT(found.confidence[0][1][r * columns + c].item<double>(), 0.5);
      lean_u += (place[0].item<double>() - u) * width;
      lean_v += (place[1].item<double>() - v) * height;
      ++count;
    }
  }
  // It is any of the four: 2 pixels to either side, so the mean of 24 is within three times 0.4 pixels.
  // Asking for another place than the centre leans to one side.
  EXPECT_EQ(count, 24);
  EXPECT_NEAR(lean_u / count, 0, 1.2);
  EXPECT_NEAR(lean_v / count, 0, 1.2);
}

// Against the definition, number by number.
TEST(ViewMatcher, ReadsThePlaceOffThePeak) {
  const ViewMatches found = Untaught()->forward(Images("peak", 2, 3, 32, 48) * 2.0 - 1.0);
  const int64_t rows = 8, columns = 12, patches = 24;
  ASSERT_EQ(found.logits.sizes(), (torch::IntArrayRef{2, 2, patches, rows * columns}));
  ASSERT_EQ(found.place.sizes(), (torch::IntArrayRef{2, 3, patches, 2}));
  const Tensor logits = found.logits.detach().to(torch::kFloat64);
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t v = 0; v < 2; ++v) {
      for (const int64_t i : {0, 13, 23}) {
        const auto at = [&](int64_t r, int64_t c) { return logits[b][v][i][r * columns + c].item<double>(); };
        double all = 0, top = -1e9;
        int64_t row = 0, column = 0;
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < columns; ++c) {
            all += std::exp(at(r, c));
            if (at(r, c) > top) top = at(r, c), row = r, column = c;
          }
        }
        double near = 0, x = 0, y = 0;
        for (int64_t r = std::max<int64_t>(0, row - 1); r <= std::min(rows - 1, row + 1); ++r) {
          for (int64_t c = std::max<int64_t>(0, column - 1); c <= std::min(columns - 1, column + 1); ++c) {
            const double p = std::exp(at(r, c)) / all;
            near += p;
            x += p * (static_cast<double>(c) + 0.5) / columns;
            y += p * (static_cast<double>(r) + 0.5) / rows;
          }
        }
        EXPECT_NEAR(found.confidence[b][v + 1][i].item<double>(), near, 1e-5);
        EXPECT_NEAR(found.place[b][v + 1][i][0].item<double>(), x / near, 1e-5);
        EXPECT_NEAR(found.place[b][v + 1][i][1].item<double>(), y / near, 1e-5);
      }
    }
  }
}

// Photos of many cells are searched some patches at a time when nothing learns.
TEST(ViewMatcher, FindsTheSameInParts) {
  ViewMatcher matcher = Untaught();
  const Tensor images = Images("parts", 1, 2, 256, 320);  // 1,280 patches, 5,120 cells: two parts
  const ViewMatches whole = matcher->forward(images);
  const torch::NoGradGuard no_grad;
  const ViewMatches parts = matcher->forward(images);
  // Products of other sizes are rounded in another way, and of two cells that are alike to the last bit
  // either may be the likeliest.
  const Tensor away = (parts.place - whole.place.detach()).abs().amax(-1);
  EXPECT_LT(away.gt(1e-5).to(torch::kFloat32).mean().item<double>(), 2e-3);
  EXPECT_LT((parts.confidence - whole.confidence.detach()).abs().median().item<double>(), 1e-6);
}

// What the second view says of the first is what the first says of the second when they change places.
TEST(ViewMatcher, LooksForTheFirstViewInTheSecond) {
  ViewMatcher matcher = Untaught();
  const Tensor images = Images("back", 1, 2, 32, 48);
  const torch::NoGradGuard no_grad;
  const ViewMatches found = matcher->forward(images), turned = matcher->forward(images.flip(1));
  EXPECT_LT(Difference(found.place, turned.place.flip(1)), kRounding);
  EXPECT_LT(Difference(found.confidence, turned.confidence.flip(1)), kRounding);
}

TEST(ViewMatcher, FindsThePointsOfEachViewInAllOthers) {
  ViewMatcher matcher = Untaught();
  const Tensor images = Images("points", 2, 3, 32, 48);
  const torch::NoGradGuard no_grad;
  const PointMatches found = matcher->forward(images, /*of_points=*/true).of_points;
  ASSERT_EQ(found.seen.sizes(), (torch::IntArrayRef{2, 3, 3, 24, 2}));
  // Those of the third view are those of the first when they change places.
  const PointMatches turned = matcher->forward(images.flip(1), true).of_points;
  EXPECT_LT(Difference(found.seen.select(1, 2), turned.seen.select(1, 0).flip(1)), kRounding);
  EXPECT_LT(Difference(found.weight.select(1, 2), turned.weight.select(1, 0).flip(1)), kRounding);
  EXPECT_EQ(found.weight.select(1, 1).select(1, 1).max().item<double>(), 0.0);
}

TEST(ViewMatcher, AsksEachViewAlone) {
  ViewMatcher matcher = Untaught();
  const Tensor images = Images("alone", 2, 4, 32, 48);
  const torch::NoGradGuard no_grad;
  const ViewMatches all = matcher->forward(images);
  EXPECT_FALSE(all.logits.defined());
  const ViewMatches some = matcher->forward(torch::stack({images.select(1, 0), images.select(1, 3)}, 1));
  EXPECT_LT(Difference(all.confidence.select(1, 3), some.confidence.select(1, 1)), kRounding);
  EXPECT_LT(Difference(all.place.select(1, 3), some.place.select(1, 1)), kRounding);
  EXPECT_EQ(matcher->forward(images.narrow(1, 0, 1)).place.size(1), 1);
}

ModelConfig Matched(bool match) {
  ModelConfig config = SmallConfig();
  config.use_motion = false;
  config.match_views = match;
  return config;
}

// A model that is given a matcher is the model that it was until the matcher has learnt.
TEST(MatchViews, SaysNothingBeforeItIsTaught) {
  const auto cameras = [](bool match) {
    WildRayZer model(Matched(match));
    RandomInit(model, 3);
    return model->EstimateCameras(model->Tokenize(Images("untaught", 2, 3, 32, 48)));
  };
  const Cameras with = cameras(true), without = cameras(false);
  EXPECT_TRUE(torch::equal(with.camera_tokens, without.camera_tokens));
  EXPECT_TRUE(with.match_logits.defined());
  EXPECT_FALSE(without.match_logits.defined());
}

TEST(MatchViews, LearnsFromTheCameras) {
  WildRayZer model = testing::SmallModel(Matched(true));
  model->EstimateCameras(model->Tokenize(Images("taught", 1, 2, 32, 48))).c2w.square().sum().backward();
  for (const auto& item : model->named_parameters()) {
    if (!item.key().starts_with("view_matcher.")) continue;
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

// Kernels in bfloat16 are what makes it fast; displacements stay exact.
TEST(MatchViews, RunsInMixedPrecision) {
  WildRayZer model = testing::SmallModel(Matched(true));
  const ViewTokens views = model->Tokenize(Images("mixed", 1, 3, 32, 48));
  const Tensor exact = model->EstimateCameras(views).camera_tokens.detach();
  CastWeights(*model, Precision::kBf16);
  const auto parameters = model->named_parameters();
  EXPECT_EQ(parameters["view_matcher.halve0.0.weight"].scalar_type(), torch::kBFloat16);
  EXPECT_EQ(parameters["view_matcher.embedding.weight"].scalar_type(), torch::kFloat32);
  // 8 bits through a dozen layers; a likeliest cell may be another one.
  EXPECT_LT(Difference(model->EstimateCameras(views).camera_tokens, exact), 0.2);
}

}  // namespace
}  // namespace wildrayzer
