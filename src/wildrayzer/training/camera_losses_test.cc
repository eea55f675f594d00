// The loss of cameras and measurements against closed forms and finite differences.
#include "wildrayzer/training/camera_losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "wildrayzer/nn/init.h"
#include "wildrayzer/worlds/draw_world.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

// Two scenes of three views, 3 x 4 patches: not square, so that rows and columns cannot be mixed up.
constexpr int64_t kScenes = 2, kViews = 3, kRows = 3, kColumns = 4, kPatches = kRows * kColumns;
constexpr double kHuber = 0.05;

// Two worlds; a bank of few textures is drawn at once.
WorldBatch Truth() {
  TextureSources sources;
  sources.procedural = 4;
  sources.procedural_cutouts = 2;
  static const TextureBank bank = TextureBank::Make(sources, 1, 1);
  WorldOptions options;
  options.width = 32;
  options.height = 24;
  options.views = kViews;
  options.movers = 0;
  std::vector<World> worlds;
  for (uint64_t seed = 0; seed < kScenes; ++seed) {
    Random random(seed, "camera losses test");
    worlds.push_back(DrawWorld(bank, options, random));
  }
  WorldBatch batch;
  static_cast<WorldTensors&>(batch) = WorldRenderer(bank, torch::kCPU, 1).Render(worlds, {32, 24, 8});
  batch.draws = torch::zeros({kScenes, 2});
  batch.patch = 8;
  return batch;
}

// The cameras and readings that make no error.
Cameras TrueCameras(const WorldBatch& truth) {
  Cameras cameras;
  cameras.c2w = truth.c2w.clone();
  cameras.fxfycxcy = truth.fxfycxcy.clone();
  return cameras;
}

Tensor TrueReadings(const WorldBatch& truth) {
  Tensor readings = torch::zeros({kScenes, kViews, kPatches, 16});
  for (int64_t b = 0; b < kScenes; ++b) {
    for (int64_t v = 0; v < kViews; ++v) {
      for (int64_t i = 0; i < kPatches; ++i) {
        const Tensor token = readings[b][v][i];
        const double u = (static_cast<double>(i % kColumns) + 0.5) / kColumns;
        const double w = (static_cast<double>(i / kColumns) + 0.5) / kRows;
        token[0] = truth.matches[b][v][i][0] - u;
        token[1] = truth.matches[b][v][i][1] - w;
        token[2] = truth.log_depth[b][v][i];
        for (int64_t k = 0; k < 9; ++k) token[3 + k] = truth.c2w[b][v][k / 3][k % 3] - (k % 4 == 0 ? 1 : 0);
        for (int64_t k = 0; k < 3; ++k) token[12 + k] = truth.c2w[b][v][k][3];
        token[15] = 0.5 * torch::log(truth.fxfycxcy[b][v][0] * truth.fxfycxcy[b][v][1]);
      }
    }
  }
  return readings;
}

TEST(WorldCameraLoss, IsZeroForTheTruth) {
  const WorldBatch truth = Truth();
  const CameraTerms terms = WorldCameraLoss(TrueCameras(truth), TrueReadings(truth), truth, kHuber);
  EXPECT_LT(terms.loss.item<double>(), 1e-9);
  EXPECT_LT(terms.rotation_degrees, 0.05);  // arc cosine of 1 minus float32's last bit
  EXPECT_NEAR(terms.translation_r2, 1, 1e-9);
  EXPECT_LT(terms.focal_error, 1e-6);
  EXPECT_LT(terms.match_error, 1e-6);
  EXPECT_NEAR(terms.match_r2, 1, 1e-9);
}

// The smaller the parabola, the more a small error weighs: 0.02 is beyond that of 0.01.
TEST(WorldCameraLoss, IsLinearBeyondTheSizeOfHuber) {
  const WorldBatch truth = Truth();
  Cameras shifted = TrueCameras(truth);
  shifted.c2w.narrow(1, 1, kViews - 1).select(2, 0).select(2, 3) += 0.02;
  EXPECT_NEAR(WorldCameraLoss(shifted, TrueReadings(truth), truth, 0.01).loss.item<double>(), 0.02 - 0.005,
              2e-5);
  EXPECT_NEAR(WorldCameraLoss(shifted, TrueReadings(truth), truth, 0.05).loss.item<double>(), 0.004, 2e-5);
}

// What one kind of error adds to a loss of zero. Huber: e^2 / 0.1 below 0.05, |e| - 0.025 above.
TEST(WorldCameraLoss, OfOneErrorAtATime) {
  const WorldBatch truth = Truth();
  const Tensor right = TrueReadings(truth);
  const auto loss = [&](const Cameras& cameras, const Tensor& readings) {
    return WorldCameraLoss(cameras, readings, truth, kHuber).loss.item<double>();
  };
  const auto tolerance = 2e-5;  // float32 matrix entries of size 1
  for (const auto& [error, huber] : {std::pair{0.02, 0.004}, std::pair{-0.5, 0.475}}) {
    Cameras shifted = TrueCameras(truth);
    shifted.c2w.narrow(1, 1, kViews - 1).select(2, 0).select(2, 3) += error;
    EXPECT_NEAR(loss(shifted, right), huber, tolerance);
    Cameras turned = TrueCameras(truth);
    turned.c2w.narrow(1, 1, kViews - 1).select(2, 2).select(2, 1) += error;
    EXPECT_NEAR(loss(turned, right), huber / 3, tolerance);
    Cameras zoomed = TrueCameras(truth);
    zoomed.fxfycxcy.narrow(2, 0, 2) *= std::exp(error);
    EXPECT_NEAR(loss(zoomed, right), huber, tolerance);
    // Of the readings: channel -> weight in the loss. All but depth and focal length leave out the first
    // view.
    for (const auto& [channel, weight] : {std::pair{0, 2.0}, std::pair{1, 2.0}, std::pair{2, 0.2},
                                          std::pair{7, 1.0 / 3}, std::pair{13, 1.0}, std::pair{15, 1.0}}) {
      Tensor readings = right.clone();
      readings.select(3, channel) += error;
      EXPECT_NEAR(loss(TrueCameras(truth), readings), weight * huber, tolerance) << channel;
    }
  }
  Tensor readings = right.clone();
  readings.select(1, 0).narrow(2, 0, 2) += 0.3;                         // matches of the first view
  readings.select(1, 0).narrow(2, 3, 12) += 0.3;                        // its camera
  readings.narrow(3, 0, 2) += (1 - truth.visible.unsqueeze(-1)) * 0.3;  // matches that are hidden
  EXPECT_LT((truth.visible.mean().item<double>()), 0.999);
  EXPECT_LT(loss(TrueCameras(truth), readings), 1e-9);
}

// Cameras whose unit of length is not the model's: right when they are right up to it, within bounds.
TEST(KnownCameraLoss, FitsTheUnitOfLengthWithinBounds) {
  const WorldBatch truth = Truth();
  const auto loss = [&](double predicted, double known) {
    Cameras cameras = TrueCameras(truth);
    cameras.c2w.narrow(2, 0, 3).select(3, 3) *= predicted;
    Tensor metres = truth.c2w.clone();
    metres.narrow(2, 0, 3).select(3, 3) *= known;
    return KnownCameraLoss(cameras, {}, metres, truth.fxfycxcy, kHuber).item<double>();
  };
  EXPECT_LT(loss(1, 1), 1e-6);
  EXPECT_LT(loss(1, 3), 1e-6);
  EXPECT_LT(loss(0.3, 2), 1e-6);
  EXPECT_GT(loss(1, 0.5), 1e-3);  // units larger than the median depth
  EXPECT_GT(loss(0, 3), 1e-3);    // standing still explains nothing
  EXPECT_GT(loss(-1, 3), 1e-3);
  Cameras turned = TrueCameras(truth);
  turned.c2w.narrow(1, 1, kViews - 1).select(2, 2).select(2, 1) += 0.5;
  EXPECT_NEAR(KnownCameraLoss(turned, {}, truth.c2w, truth.fxfycxcy, kHuber).item<double>(), 0.475 / 3, 2e-5);
  // And what every token reads.
  Tensor readings = TrueReadings(truth);
  EXPECT_LT(KnownCameraLoss(TrueCameras(truth), readings, truth.c2w, truth.fxfycxcy, kHuber).item<double>(),
            1e-6);
  readings.select(3, 13) += 0.5;
  EXPECT_NEAR(KnownCameraLoss(TrueCameras(truth), readings, truth.c2w, truth.fxfycxcy, kHuber).item<double>(),
              0.475, 2e-5);
}

TEST(WorldCameraLoss, MeasuresAgainstClosedForms) {
  WorldBatch truth = Truth();
  const Tensor right = TrueReadings(truth);
  const double angle = 10 * std::numbers::pi / 180;
  const Tensor turn = torch::tensor({std::cos(angle), 0.0, std::sin(angle), 0.0, 1.0, 0.0, -std::sin(angle),
                                     0.0, std::cos(angle)})
                          .view({3, 3})
                          .to(torch::kFloat32);
  Cameras cameras = TrueCameras(truth);
  const Tensor rotations = truth.c2w.narrow(2, 0, 3).narrow(3, 0, 3);
  cameras.c2w.narrow(2, 0, 3).narrow(3, 0, 3).copy_(torch::matmul(rotations, turn));
  cameras.c2w.narrow(2, 0, 3).select(3, 3) *= 0.5;
  cameras.fxfycxcy.narrow(2, 0, 2) *= 1.2;
  Tensor readings = right.clone();
  readings.narrow(3, 0, 2) *= 0.25;
  const CameraTerms terms = WorldCameraLoss(cameras, readings, truth, kHuber);
  EXPECT_NEAR(terms.rotation_degrees, 10, 1e-3);
  EXPECT_NEAR(terms.translation_r2, 1 - 0.5 * 0.5, 1e-5);
  EXPECT_NEAR(terms.focal_error, std::log(1.2), 1e-5);
  EXPECT_NEAR(terms.match_r2, 1 - 0.75 * 0.75, 1e-5);
  double distance = 0, count = 0;
  for (int64_t b = 0; b < kScenes; ++b) {
    for (int64_t v = 1; v < kViews; ++v) {
      for (int64_t i = 0; i < kPatches; ++i) {
        if (truth.visible[b][v][i].item<float>() == 0) continue;
        distance += 0.75 * right[b][v][i].narrow(0, 0, 2).norm().item<double>();
        count += 1;
      }
    }
  }
  EXPECT_NEAR(terms.match_error, distance / count, 1e-5);
  // Nothing moved and nothing was explained: no division by zero.
  truth.c2w.narrow(2, 0, 3).select(3, 3).zero_();
  EXPECT_EQ(WorldCameraLoss(cameras, readings, truth, kHuber).translation_r2, 0);
}

TEST(WorldCameraLoss, GradientsEqualFiniteDifferences) {
  const WorldBatch truth = Truth();
  torch::manual_seed(1);
  // Errors of many sizes, in double precision.
  Cameras cameras;
  cameras.c2w = truth.c2w.to(torch::kFloat64) + 0.1 * torch::randn({kScenes, kViews, 4, 4}, torch::kFloat64);
  cameras.fxfycxcy = truth.fxfycxcy.to(torch::kFloat64) * 1.3;
  Tensor readings = TrueReadings(truth).to(torch::kFloat64);
  readings += 0.1 * torch::randn(readings.sizes(), torch::kFloat64);
  for (Tensor* input : {&cameras.c2w, &cameras.fxfycxcy, &readings}) input->set_requires_grad(true);
  WorldCameraLoss(cameras, readings, truth, kHuber).loss.backward();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (Tensor* input : {&cameras.c2w, &cameras.fxfycxcy, &readings}) {
    const Tensor flat = input->detach().view({-1});
    const Tensor gradient = input->grad().view({-1});
    EXPECT_GT(gradient.abs().max().item<double>(), 0);
    for (int64_t i = 3; i < flat.numel(); i += std::max<int64_t>(1, flat.numel() / 40)) {
      const double value = flat[i].item<double>();
      const auto at = [&](double x) {
        flat[i] = x;
        return WorldCameraLoss(cameras, readings, truth, kHuber).loss.item<double>();
      };
      const double slope = (at(value + kStep) - at(value - kStep)) / (2 * kStep);
      flat[i] = value;
      // Steps of 1e-6 on a loss of about 1 in double precision leave some 1e-9 of rounding; where a step
      // crosses the kink of second derivative the difference is below 1e-5.
      EXPECT_NEAR(gradient[i].item<double>(), slope, 1e-6) << i;
    }
  }
}

TEST(MatchAttentionLoss, IsTheCrossEntropyWithTheMatches) {
  // One view of 2 x 3 patches; its matches lie on a patch's centre, halfway between two, and out of the
  // frame.
  Tensor matches = torch::zeros({1, 1, 6, 2}), weight = torch::zeros({1, 1, 6});
  const auto match = [&](int64_t token, double u, double v) {
    matches[0][0][token][0] = u;
    matches[0][0][token][1] = v;
    weight[0][0][token] = 1;
  };
  match(0, 2.5 / 3, 0.5 / 2);  // patch 2
  match(1, 1.0 / 3, 1.5 / 2);  // between patches 3 and 4
  match(2, -0.2, 1.2);         // nearest: patch 3
  Tensor logits = torch::zeros({1, 1, 2, 6, 6});
  Tensor hidden = torch::zeros({1, 6}, torch::kBool);
  const auto terms = [&] { return MatchAttentionLoss(logits, matches, weight, 2, 3, hidden); };
  const double even = std::log(6.0);
  EXPECT_NEAR(terms().loss.item<double>(), even, 1e-6);
  EXPECT_NEAR(terms().attended, 1.0 / 6, 1e-6);
  EXPECT_NEAR(MatchAttentionLoss(logits, matches, weight, 2, 3).loss.item<double>(), even, 1e-6);
  logits[0][0][0][0][2] = 1;  // the first head looks at the match of token 0
  const double better = std::log(5 + std::exp(1)) - 1;
  EXPECT_NEAR(terms().loss.item<double>(), (better + 5 * even) / 6, 1e-6);
  logits.zero_();
  logits[0][0].select(1, 1).select(1, 4).fill_(2);  // both heads look at one of the two patches of token 1
  const double sum = 5 + std::exp(2);
  EXPECT_NEAR(terms().loss.item<double>(), (2 * even + std::log(sum) - 1) / 3, 1e-6);
  EXPECT_NEAR(terms().attended, (2.0 / 6 + 0.5 * (std::exp(2) + 1) / sum) / 3, 1e-6);
  // Patch 2 is hidden: token 0 has nowhere to look, and the others five patches.
  logits.zero_();
  hidden[0][2] = true;
  EXPECT_NEAR(terms().loss.item<double>(), std::log(5.0), 1e-6);
  EXPECT_NEAR(terms().attended, 0.2, 1e-6);
  // Nothing is visible.
  weight.zero_();
  EXPECT_EQ(terms().loss.item<double>(), 0);
}

TEST(MatchHead, ReadsEveryTokenOnItsOwn) {
  MatchHead head(32);
  InitializeParameters(*head, 0.1, /*seed=*/3, "head.");
  const Tensor features = torch::zeros({1, 2, 32, kRows, kColumns});
  torch::manual_seed(2);
  features[0][1].select(1, 2).select(1, 1).copy_(torch::randn({32}));  // row 2, column 1
  const Tensor readings = head->forward(features);
  ASSERT_EQ(readings.sizes(), (std::vector<int64_t>{1, 2, kPatches, 16}));
  const Tensor plain = readings[0][0][0];
  for (int64_t i = 0; i < kPatches; ++i) {
    EXPECT_TRUE(torch::equal(readings[0][0][i], plain));
    EXPECT_EQ(torch::equal(readings[0][1][i], plain), i != 2 * kColumns + 1) << i;
  }
}

}  // namespace
}  // namespace wildrayzer
