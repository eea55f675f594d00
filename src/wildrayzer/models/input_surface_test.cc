#include "wildrayzer/models/input_surface.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>

#include "wildrayzer/models/copy_head.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/testing/small_model.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/nn/grid.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Images;
using testing::kRounding;
using testing::SmallConfig;
using torch::Tensor;

constexpr int64_t kWallHigh = 48, kWallWide = 64;
constexpr float kFx = 0.8F, kFy = 0.8F * kWallWide / kWallHigh;

// Cameras that look straight ahead from places (x, y, 0).
Tensor LookingAhead(std::vector<std::pair<double, double>> places) {
  Tensor c2w = torch::eye(4).expand({1, static_cast<int64_t>(places.size()), 4, 4}).clone();
  for (size_t i = 0; i < places.size(); ++i) {
    c2w[0][static_cast<int64_t>(i)][0][3] = places[i].first;
    c2w[0][static_cast<int64_t>(i)][1][3] = places[i].second;
  }
  return c2w;
}

Tensor Intrinsics(int64_t views) { return torch::tensor({kFx, kFy, 0.5F, 0.5F}).expand({1, views, 4}); }

// What those cameras see of a wall at z = depth that is painted with slow waves: [1, V, 3, s H, s W].
Tensor Wall(const Tensor& c2w, double depth, int64_t s = 1) {
  std::vector<Tensor> views;
  const Tensor centres =
      GridCentres(s * kWallHigh, s * kWallWide, torch::kCPU).view({s * kWallHigh, s * kWallWide, 2});
  for (int64_t v = 0; v < c2w.size(1); ++v) {
    const Tensor x = (centres.select(-1, 0) - 0.5) / kFx * depth + c2w[0][v][0][3];
    const Tensor y = (centres.select(-1, 1) - 0.5) / kFy * depth + c2w[0][v][1][3];
    views.push_back(
        0.5 + 0.4 * torch::stack({torch::sin(5.0 * x), torch::cos(4.0 * y), torch::sin(3.0 * (x + y))}));
  }
  return torch::stack(views).unsqueeze(0);
}

// On that wall, [1, 192, 3].
Tensor PointsOfWall(double depth) {
  const Tensor slopes = (GridCentres(12, 16, torch::kCPU) - 0.5) / torch::tensor({kFx, kFy});
  return torch::cat({slopes, torch::ones({192, 1})}, 1).unsqueeze(0) * depth;
}

InputSurface WallSurface(const Tensor& c2w, double depth) {
  InputSurface surface;
  surface.points = PointsOfWall(depth);
  surface.weight = torch::ones({1, 192});
  surface.images = Wall(c2w, depth);
  surface.still = torch::ones_like(surface.images.narrow(2, 0, 1));
  surface.c2w = c2w;
  surface.fxfycxcy = Intrinsics(c2w.size(1));
  return surface;
}

// What both inputs show.
Tensor Middle(const Tensor& maps) { return maps.narrow(3, 12, kWallHigh - 24).narrow(4, 16, kWallWide - 32); }

// Interpolation of waves of 50 pixels, bilinear: an eighth of the squared step times the second derivative,
// 1e-3.
TEST(WarpInputs, ShowsAWallFromBetweenAndBeyondTheInputs) {
  const InputSurface surface = WallSurface(LookingAhead({{0, 0}, {0.2, 0.05}}), 1.5);
  const Tensor targets = LookingAhead({{0.1, 0.0}, {-0.05, 0.1}, {0.2, 0.05}});
  const WarpedInputs warped = WarpInputs(surface, targets, Intrinsics(3));
  EXPECT_LT(Middle(warped.image - Wall(targets, 1.5)).abs().max().item<double>(), 3e-3);
  EXPECT_GT(Middle(warped.sure).min().item<double>(), 0.999);
  EXPECT_LT(Middle(warped.spread).max().item<double>(), 3e-3);
  // 192 points on a frame of area 1, each of which counts with a Gaussian of 0.03; over a lattice of 0.072
  // that sum wavers by 4 exp(-2 pi^2 0.03^2 / 0.072^2), an eighth, and this function of it by 0.05.
  const double support = 1.0 - std::exp(-192 * 2.0 * std::numbers::pi * 0.03 * 0.03);
  EXPECT_LT((Middle(warped.support) - support).abs().max().item<double>(), 0.05);
  // With the wrong depth the inputs disagree.
  InputSurface wrong = surface;
  wrong.points = surface.points * std::exp(0.5);
  EXPECT_GT(Middle(WarpInputs(wrong, targets.narrow(1, 0, 1), Intrinsics(1)).spread).mean().item<double>(),
            0.01);
}

TEST(WarpInputs, TellsWhatNoInputShows) {
  InputSurface surface = WallSurface(LookingAhead({{0, 0}, {0.1, 0}}), 1.5);
  const Tensor aside = LookingAhead({{1.0, 0.0}});  // half a frame further
  const WarpedInputs warped = WarpInputs(surface, aside, Intrinsics(1));
  EXPECT_LT(warped.sure.narrow(4, kWallWide - 16, 16).max().item<double>(), 1e-6);
  EXPECT_GT(Middle(warped.sure.narrow(4, 0, kWallWide)).narrow(4, 0, 4).min().item<double>(), 0.9);
  // Where one input shows what moves the other is taken, where both do neither is.
  surface.still.select(1, 0).narrow(-1, 0, kWallWide / 2).zero_();
  surface.images.select(1, 0).narrow(-1, 0, kWallWide / 2).fill_(1.0);
  const Tensor here = LookingAhead({{0, 0}});
  const WarpedInputs one = WarpInputs(surface, here, Intrinsics(1));
  const Tensor error = (one.image - Wall(here, 1.5)).abs();
  EXPECT_LT(Middle(error).max().item<double>(), 5e-3);
  EXPECT_GT(Middle(one.sure).min().item<double>(), 0.99);
  surface.still.zero_();
  EXPECT_EQ(WarpInputs(surface, here, Intrinsics(1)).sure.max().item<double>(), 0.0);
}

// Somebody stands before the second input. Told what the other inputs show there, a comparison finds him, and
// nothing else; a view has no say in what is in its own place.
TEST(InputSurface, WithoutAnInputShowsWhatTheOthersDo) {
  InputSurface surface = WallSurface(LookingAhead({{0, 0}, {0.1, 0.0}, {0.2, 0.05}}), 1.5);
  surface.images.select(1, 1).narrow(-1, 30, 6).fill_(1.0);
  const Tensor own = LookingAhead({{0.1, 0.0}});
  const WarpedInputs others = WarpInputs(surface.Without(1), own, Intrinsics(1));
  EXPECT_LT(Middle(others.image - Wall(own, 1.5)).abs().max().item<double>(), 3e-3);
  EXPECT_GT(Middle(others.sure).min().item<double>(), 0.999);
  const WarpedInputs all = WarpInputs(surface, own, Intrinsics(1));
  EXPECT_GT(Middle(all.image - Wall(own, 1.5)).abs().max().item<double>(), 0.1);
  const WarpedInputs first = WarpInputs(surface.Without(1), LookingAhead({{0, 0}}), Intrinsics(1));
  const WarpedInputs both = Concatenate({first, others});
  EXPECT_TRUE(torch::equal(both.image, torch::cat({first.image, others.image}, 1)));
  EXPECT_TRUE(torch::equal(both.support, torch::cat({first.support, others.support}, 1)));
}

// The wall at four times the pixels: of a gate that is half open all detail is shown, of a shut one none, and
// of one between as much as it says. The detail is what is lost where pictures are made small: of a line of
// one pixel nearly all.
TEST(AddDetail, ShowsWhatThePhotosHaveBeyondThePicture) {
  const Tensor c2w = LookingAhead({{0, 0}, {0.1, 0.0}}), here = LookingAhead({{0.05, 0.0}});
  InputSurface surface = WallSurface(c2w, 1.5);
  surface.detail = Wall(c2w, 1.5, 4);
  const auto line = [](const Tensor& wall, int64_t column) {
    wall.select(-1, column).fill_(1.0);
    return wall;
  };
  // A line on the wall at x = 0, which every camera sees at another place: columns of 256 pixels.
  const double of_units = 256.0 * kFx / 1.5;
  line(surface.detail.select(1, 0), 128);
  line(surface.detail.select(1, 1), 128 - static_cast<int64_t>(std::lround(0.1 * of_units)));
  const WarpedInputs small = WarpInputs(surface, here, Intrinsics(1)),
                     large = WarpInputs(surface, here, Intrinsics(1), /*detail=*/true);
  ASSERT_EQ(large.image.sizes(), (torch::IntArrayRef{1, 1, 3, 4 * kWallHigh, 4 * kWallWide}));
  const Tensor mixed = Wall(here, 1.5);
  const auto with_gate = [&](double gate) {
    return AddDetail(mixed, torch::full_like(small.sure, gate), small, large);
  };
  const auto middle = [](const Tensor& maps) {
    return maps.narrow(3, 48, 4 * kWallHigh - 96).narrow(4, 64, 4 * kWallWide - 128);
  };
  const Tensor none = with_gate(0.0), all = with_gate(0.5), part = with_gate(0.2);
  EXPECT_LT(middle(none - Wall(here, 1.5, 4)).abs().max().item<double>(), 3e-3);
  // Off the line nothing is added: there is nothing finer.
  const Tensor off_line = middle(all - none).abs().amax({0, 1, 2, 3});
  EXPECT_LT(off_line.narrow(0, 0, 40).max().item<double>(), 6e-3);
  // On it, where the lines of both inputs meet, to a pixel: 120 is a third of a pixel beside.
  const int64_t column = 128 - static_cast<int64_t>(std::lround(0.05 * of_units));
  const Tensor bright = middle(all).mean({0, 1, 2, 3});
  EXPECT_LE(std::abs(64 + bright.argmax().item<int64_t>() - column), 1);
  EXPECT_LT(Difference(with_gate(1.0), all), 1e-6);
  EXPECT_LT(Difference(part - none, 0.4 * (all - none)), 1e-2);
}

// A place that the only input sees a hundred frames away is not seen, which is no reason for NaN.
TEST(WarpInputs, IsANumberHoweverFarItIsFromTheInputs) {
  InputSurface surface = WallSurface(LookingAhead({{0, 0}, {0.1, 0.0}}), 1.5).Without(0);
  surface.c2w = LookingAhead({{200.0, 0.0}});
  const WarpedInputs warped = WarpInputs(surface, LookingAhead({{0, 0}}), Intrinsics(1));
  EXPECT_TRUE(torch::isfinite(warped.image).all().item<bool>());
  EXPECT_TRUE(torch::isfinite(warped.spread).all().item<bool>());
  EXPECT_EQ(warped.sure.max().item<double>(), 0.0);
}

TEST(SurfaceOf, PutsTheWallWhereMatchesTell) {
  const Tensor c2w = LookingAhead({{0, 0}, {0.2, 0.05}}), images = Wall(c2w, 1.5);
  PointMatches matches;
  matches.points = GridCentres(12, 16, torch::kCPU);
  const Tensor shift = torch::tensor({0.2F * kFx / 1.5F, 0.05F * kFy / 1.5F});
  const Tensor in_second = matches.points - shift;
  // A view that is to be rendered has no say, whatever it matches.
  matches.seen = torch::stack({matches.points, in_second, 1.0 - in_second}, 0).view({1, 1, 3, 192, 2});
  matches.weight = torch::tensor({0.0F, 0.4F, 0.4F}).view({1, 1, 3, 1}).repeat({1, 1, 1, 192});
  Tensor masks = torch::zeros({1, 2, 1, kWallHigh, kWallWide});
  masks.select(1, 0).narrow(-1, 0, kWallWide / 2).fill_(1.0);
  const InputSurface surface = SurfaceOf(images, c2w, Intrinsics(2), matches, masks);
  const Tensor off = (surface.points - PointsOfWall(1.5)).abs().amax(-1).view({12, 16}),
               weight = surface.weight.view({12, 16});
  EXPECT_LT(off.narrow(1, 9, 7).max().item<double>(), 0.015);
  EXPECT_NEAR(weight.narrow(1, 9, 7).min().item<double>(), 0.4, 0.01);
  // Of what moves nothing is known, and it is not copied.
  EXPECT_LT(weight.narrow(1, 0, 7).max().item<double>(), 0.01);
  EXPECT_EQ(surface.still.select(1, 0).narrow(-1, 0, kWallWide / 2).max().item<double>(), 0.0);
  EXPECT_EQ(surface.still.select(1, 1).min().item<double>(), 1.0);
  // Nor where the second view shows what moves.
  const Tensor hidden = SurfaceOf(images, c2w, Intrinsics(2), matches, masks.flip(1)).weight.view({12, 16});
  EXPECT_LT(hidden.narrow(1, 0, 8).max().item<double>(), 0.01);
  EXPECT_NEAR(hidden.narrow(1, 12, 4).min().item<double>(), 0.4, 0.01);
}

TEST(SurfaceOf, HasThePointsOfTheSecondInputToo) {
  const Tensor c2w = LookingAhead({{0, 0}, {0.2, 0.05}}), images = Wall(c2w, 1.5);
  PointMatches matches;
  matches.points = GridCentres(12, 16, torch::kCPU);
  const Tensor shift = torch::tensor({0.2F * kFx / 1.5F, 0.05F * kFy / 1.5F});
  const Tensor own = matches.points;
  matches.seen =
      torch::stack({torch::stack({own, own - shift}), torch::stack({own + shift, own})}).unsqueeze(0);
  matches.weight = torch::tensor({0.0F, 0.4F, 0.4F, 0.0F}).view({1, 2, 2, 1}).repeat({1, 1, 1, 192});
  const InputSurface surface = SurfaceOf(images, c2w, Intrinsics(2), matches, {});
  ASSERT_EQ(surface.points.sizes(), (torch::IntArrayRef{1, 2 * 192, 3}));
  const Tensor from_second = PointsOfWall(1.5) + torch::tensor({0.2F, 0.05F, 0.0F});
  EXPECT_LT((surface.points.narrow(1, 0, 192) - PointsOfWall(1.5)).abs().max().item<double>(), 0.015);
  EXPECT_LT((surface.points.narrow(1, 192, 192) - from_second).abs().max().item<double>(), 0.015);
}

ModelConfig Copying(bool copy) {
  ModelConfig config = SmallConfig();
  config.use_motion = false;
  config.scene = SceneLayout::kTokens;
  config.token_masking = TokenMasking::kDrop;
  config.match_views = config.adjust_poses = true;
  config.copy_inputs = copy;
  return config;
}

Pass RenderedPass(WildRayZer model, const Tensor& images, const Tensor& masks = {}) {
  Pass pass(std::move(model), FeatureSource(), images, 2);
  pass.Encode(masks);
  return pass;
}

// A copy head that has learnt nothing takes half of its pixels from the inputs where these are sure.
TEST(CopyInputs, IsHalfAndHalfBeforeItIsTaught) {
  const torch::NoGradGuard no_grad;
  const auto untaught = [](bool copy) {
    WildRayZer model(Copying(copy));
    RandomInit(model, 3);
    return model;
  };
  const Tensor images = Images("copied", 2, 4, 32, 48);
  Pass with = RenderedPass(untaught(true), images), without = RenderedPass(untaught(false), images);
  const Tensor own = without.RenderTargets(), mixed = with.RenderTargets();
  const Cameras inputs = with.cameras().Views(0, 2), targets = with.cameras().Views(2, 2);
  const InputSurface surface =
      SurfaceOf(images.narrow(1, 0, 2), inputs.c2w, inputs.fxfycxcy, with.cameras().of_points, {});
  const WarpedInputs warped = WarpInputs(surface, targets.c2w, targets.fxfycxcy);
  EXPECT_LT(Difference(mixed, own + 0.5 * warped.sure * (warped.image - own)), kRounding);
  EXPECT_GT(Difference(mixed, own), 0.01);
  // Nothing is copied from what is hidden.
  const Tensor all = torch::ones({2, 2, 1, 32, 48});
  EXPECT_LT(Difference(RenderedPass(untaught(true), images, all).RenderTargets(),
                       RenderedPass(untaught(false), images, all).RenderTargets()),
            kRounding);
}

TEST(CopyInputs, LearnsAndTakesEverySceneForItself) {
  WildRayZer model = testing::SmallModel(Copying(true));
  const Tensor images = Images("copied", 2, 4, 32, 48);
  Pass both = RenderedPass(model, images);
  const Tensor pictures = both.RenderTargets();
  pictures.square().mean().backward();
  for (const auto& item : model->named_parameters()) {
    if (!item.key().starts_with("copy_head.")) continue;
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
  Pass second = RenderedPass(model, images.narrow(0, 1, 1));
  EXPECT_LT(Difference(pictures.narrow(0, 1, 1), second.RenderTargets()), kRounding);
  Pass part = both.Scene(1);
  EXPECT_LT(Difference(part.RenderTargets(), second.RenderTargets()), kRounding);
  part.Encode();  // from the matches that it took along
  EXPECT_LT(Difference(part.RenderTargets(), second.RenderTargets()), kRounding);
  // Cameras that are given are copied by, too.
  Pass given = RenderedPass(model, images);
  given.UseCameras(Cameras::Given(both.cameras().c2w.detach(), both.cameras().fxfycxcy.detach()));
  given.Encode();
  EXPECT_LT(Difference(given.RenderTargets(), pictures), kRounding);
}

// What adjusts poses stands outside of the gradient, which reaches the camera head as if it were not there.
TEST(AdjustPoses, LetsTheGradientThrough) {
  ModelConfig config = Copying(false);
  WildRayZer model = testing::SmallModel(config);
  const Cameras cameras = model->EstimateCameras(model->Tokenize(Images("through", 1, 3, 32, 48)));
  ASSERT_TRUE(cameras.told_c2w.defined());
  const Tensor outer = testing::GeneratedTensor("outer", cameras.c2w.sizes().vec(), 1.0);
  const Tensor weight = model->named_parameters()["pose_predictor.rel_head.2.weight"];
  const auto gradient = [&](const Tensor& c2w) {
    return torch::autograd::grad({(c2w * outer).sum()}, {weight}, {}, /*retain_graph=*/true)[0];
  };
  EXPECT_LT(Difference(gradient(cameras.c2w), gradient(cameras.told_c2w)), 1e-6);
}

}  // namespace
}  // namespace wildrayzer
