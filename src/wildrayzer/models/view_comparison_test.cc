#include "wildrayzer/models/view_comparison.h"

#include <gtest/gtest.h>

#include <string>

#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/testing/small_model.h"
#include "wildrayzer/models/weights.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Images;
using testing::kRounding;
using testing::SmallConfig;
using testing::SmallModel;
using torch::Tensor;

constexpr char kPrefix[] = "motion_mask_predictor.comparison.";

ModelConfig Comparing(bool compare) {
  ModelConfig config = SmallConfig();
  config.scene = SceneLayout::kTokens;
  config.token_masking = TokenMasking::kDrop;
  config.match_views = config.adjust_poses = true;
  config.motion.features = MotionFeatures::kOwn;
  config.motion.dino_width = config.d;
  config.motion.compare = compare;
  return config;
}

Pass Seen(WildRayZer model, const Tensor& images) {
  return Pass(std::move(model), FeatureSource(), images, 2);
}

// `view` [1, 1, 3, H, W] of one colour and what others show there, of another.
WarpedInputs AllOf(const Tensor& view, double colour, double sure) {
  const Tensor one = torch::ones_like(view.narrow(2, 0, 1));
  return {torch::full_like(view, colour), sure * one, 0.0 * one, one};
}

TEST(ViewComparison, SaysNothingBeforeItIsTaught) {
  const torch::NoGradGuard no_grad;
  const auto untaught = [](bool compare) {
    WildRayZer model(Comparing(compare));
    RandomInit(model, 5);
    return model;
  };
  const Tensor images = Images("compared", 2, 4, 32, 48);
  Pass with = Seen(untaught(true), images), without = Seen(untaught(false), images);
  EXPECT_TRUE(torch::equal(with.InputMotion(), without.InputMotion()));
  EXPECT_TRUE(torch::equal(with.TargetMotion(), without.TargetMotion()));
}

// A place that no other view shows says nothing of what the others' picture is like there.
TEST(ViewComparison, LooksAtWhatOthersShowAndOnlyWhereTheyDo) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(Comparing(true));
  ViewComparison comparison(8, 64);
  for (const auto& item : comparison->named_parameters()) {
    Tensor weight = item.value();
    weight.copy_(model->named_parameters()[kPrefix + item.key()]);
  }
  const Tensor view = torch::full({1, 1, 3, 16, 24}, 0.2);
  const auto features = [&](const WarpedInputs& others) { return comparison->forward(view, others); };
  EXPECT_EQ(features({}).sizes(), (torch::IntArrayRef{1, 64, 4, 6}));
  EXPECT_GT(Difference(features(AllOf(view, 0.9, 1.0)), features(AllOf(view, 0.6, 1.0))), 0.01);
  EXPECT_TRUE(torch::equal(features(AllOf(view, 0.9, 0.0)), features(AllOf(view, 0.6, 0.0))));
  // The same grey, 0.2 of [-1, 1] and 0.6 of [0, 1], is no difference.
  WarpedInputs same = AllOf(view, 0.6, 1.0);
  same.sure = same.sure * 0.0;
  same.support = same.support * 0.0;
  EXPECT_TRUE(torch::equal(features(same), features({})));
  EXPECT_EQ(comparison->Tell(features({})).sizes(), (torch::IntArrayRef{1, 6, 64}));
}

// Cells come first by rows, and pixels of a cell by rows, too: with weights that let a pixel through, where a
// view is bright the logits are.
TEST(ViewComparison, OutlinesWhereThingsAre) {
  const torch::NoGradGuard no_grad;
  ViewComparison comparison(8, 32);
  for (auto& item : comparison->named_parameters()) item.value().zero_();
  auto weights = comparison->named_parameters();
  for (int64_t pixel = 0; pixel < 16; ++pixel) {
    weights["tokenizer.1.weight"][pixel][12 * pixel] = 1.0;  // its red
    weights["logits.weight"][pixel][pixel] = 2.0;
  }
  Tensor view = torch::full({1, 2, 3, 16, 24}, -1.0);
  view[0][1][0][5][19] = 0.75;
  const Tensor features = comparison->forward(view, {});
  const Tensor logits = comparison->Outline(features, torch::zeros({2, 32, 2, 3}));
  ASSERT_EQ(logits.sizes(), (torch::IntArrayRef{2, 1, 16, 24}));
  EXPECT_TRUE(torch::equal(logits.view({1, 2, 16, 24}), 2.0 * view.select(2, 0)));
}

// With weights that let the size of the difference in red through, logits grow by it: an input is compared
// with the other input, a view to be rendered with both.
TEST(ViewComparison, ComparesAViewWithTheInputsButItself) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(Comparing(true));
  for (auto& item : model->named_parameters()) {
    if (item.key().starts_with(kPrefix)) item.value().zero_();
  }
  const Tensor images = Images("compared", 1, 3, 32, 48);
  Tensor c2w = torch::eye(4).expand({1, 3, 4, 4}).clone();
  c2w[0][1][0][3] = 0.1;
  c2w[0][2][1][3] = 0.1;
  const Cameras cameras = Cameras::Given(c2w, torch::tensor({0.9F, 0.9F, 0.5F, 0.5F}).expand({1, 3, 4}));
  Pass before = Seen(model, images);
  before.UseCameras(cameras);
  const Tensor inputs = before.InputMotion(), target = before.TargetMotion();
  auto weights = model->named_parameters();
  for (int64_t pixel = 0; pixel < 16; ++pixel) {
    weights[std::string(kPrefix) + "tokenizer.1.weight"][pixel][12 * pixel + 6] = 1.0;
    weights[std::string(kPrefix) + "logits.weight"][pixel][pixel] = 1.0;
  }
  Pass after = Seen(model, images);
  const PointMatches matches = after.cameras().of_points;
  after.UseCameras(cameras);
  const Cameras two = cameras.Views(0, 2);
  const InputSurface surface =
      SurfaceOf(images.narrow(1, 0, 2), two.c2w, two.fxfycxcy, matches, /*masks=*/{});
  const auto difference = [&](int64_t view, const InputSurface& others) {
    const Cameras one = cameras.Views(view, 1);
    const WarpedInputs warped = WarpInputs(others, one.c2w, one.fxfycxcy);
    return 2.0 * ((warped.image - images.narrow(1, view, 1)) * warped.sure).abs().narrow(2, 0, 1);
  };
  const Tensor of_inputs =
      torch::cat({difference(0, surface.Without(0)), difference(1, surface.Without(1))}, 1);
  EXPECT_LT(Difference(after.InputMotion() - inputs, of_inputs), kRounding);
  EXPECT_LT(Difference(after.TargetMotion() - target, difference(2, surface)), kRounding);
  EXPECT_GT(of_inputs.max().item<double>(), 0.05);
}

TEST(ViewComparison, LearnsAndTakesEverySceneForItself) {
  WildRayZer model = SmallModel(Comparing(true));
  const Tensor images = Images("compared", 2, 4, 32, 48);
  Pass both = Seen(model, images);
  const Tensor inputs = both.InputMotion(), targets = both.TargetMotion();
  (inputs.square().mean() + targets.square().mean()).backward();
  for (const auto& item : model->named_parameters()) {
    if (!item.key().starts_with(kPrefix)) continue;
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
  Pass second = Seen(model, images.narrow(0, 1, 1));
  EXPECT_LT(Difference(inputs.narrow(0, 1, 1), second.InputMotion()), kRounding);
  EXPECT_LT(Difference(targets.narrow(0, 1, 1), second.TargetMotion()), kRounding);
  Pass untouched = Seen(model, images);
  untouched.cameras();
  Pass part = untouched.Scene(1);  // from the matches that it took along
  EXPECT_LT(Difference(part.InputMotion(), second.InputMotion()), kRounding);
  // Other cameras warp otherwise.
  Pass given = Seen(model, images);
  const Cameras& told = both.cameras();
  given.UseCameras(Cameras::Given(told.c2w.detach(), told.fxfycxcy.detach()));
  EXPECT_LT(Difference(given.InputMotion(), inputs), kRounding);
  Tensor aside = told.c2w.detach().clone();
  aside.select(1, 1).select(1, 0).select(1, 3).add_(0.5);
  given = Seen(model, images);
  given.UseCameras(Cameras::Given(aside, told.fxfycxcy.detach()));
  EXPECT_GT(Difference(given.InputMotion(), inputs), 10 * kRounding);
}

}  // namespace
}  // namespace wildrayzer
