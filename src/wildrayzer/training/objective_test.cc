// A batch that is not a number, through the loss and the optimizer.
#include "wildrayzer/training/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

TrainConfig TinyConfig() {
  TrainConfig config;
  config.model.height = config.model.width = 16;
  config.model.patch = 8;
  config.model.d = 32;
  config.model.d_head = 16;
  config.model.scene_tokens = 4;
  config.model.camera_estimator_layers = config.model.scene_encoder_layers = config.model.renderer_layers = 1;
  return config;
}

TrainingBatch RandomBatch() {
  torch::manual_seed(4);
  TrainingBatch batch;
  batch.inputs = 2;
  batch.images = batch.clean = torch::rand({2, 3, 3, 16, 16});
  batch.pasted = batch.dynamic = {false, false};
  return batch;
}

TEST(Objective, ABatchThatIsNotANumberIsSkippedAndCounted) {
  const TrainConfig config = TinyConfig();
  WildRayZer model(config.model);
  RandomInit(model, 1);
  model->train();
  Objective objective(config, model, FeatureSource());
  MasterWeights weights(*model, Precision::kFp32, [](const std::string&) { return true; });
  Optimizer optimizer(weights.masters(), config.optimizer);
  const auto step = [&](const TrainingBatch& batch) {
    const Outcome outcome = objective.Rooms(batch, 0);
    outcome.loss.backward();
    weights.CollectGradients();
    const StepResult result = optimizer.Step(1e-3, outcome.loss.item<double>());
    optimizer.ZeroGrad();
    return result.applied;
  };
  EXPECT_TRUE(step(RandomBatch()));
  std::vector<torch::Tensor> before;
  for (const auto& [name, tensor] : weights.masters()) before.push_back(tensor.detach().clone());

  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    TrainingBatch batch = RandomBatch();
    batch.images[1][0][2][3][4] = bad;
    EXPECT_FALSE(step(batch));
  }
  EXPECT_EQ(optimizer.counters().applied, 1);
  EXPECT_EQ(optimizer.counters().not_finite, 2);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(torch::equal(before[i], weights.masters()[i].second.detach()));
  }
  EXPECT_TRUE(step(RandomBatch()));
  EXPECT_EQ(optimizer.counters().applied, 2);
}

// The boxes of masked tokens are drawn from (seed, step): the same step again is the same loss.
TEST(Objective, MaskedReconstructionDependsOnTheStep) {
  TrainConfig config = TinyConfig();
  config.stage = Stage::kMaskedReconstruction;
  config.token_dropout = 0.25;
  config.seed = 8;
  WildRayZer model(config.model);
  RandomInit(model, 1);
  Objective objective(config, model, FeatureSource());
  const torch::NoGradGuard no_grad;
  const auto loss = [&](int64_t step) { return objective.Rooms(RandomBatch(), step).numbers.at("loss"); };
  const double first = loss(0);
  EXPECT_EQ(first, loss(0));
  bool differs = false;
  for (int64_t step = 1; step < 6; ++step) differs = differs || loss(step) != first;
  EXPECT_TRUE(differs);
}

// Known cameras teach the camera estimator, and only where there are some.
TEST(Objective, LearnsTheCamerasOfTheDataIfAsked) {
  TrainConfig config = TinyConfig();
  WildRayZer model(config.model);
  RandomInit(model, 1);
  TrainingBatch batch = RandomBatch();
  const double without = Objective(config, model, FeatureSource()).Rooms(batch, 0).numbers.at("loss");
  config.known_cameras = {0.5, 0.1};
  Objective objective(config, model, FeatureSource());
  EXPECT_THROW(objective.Rooms(batch, 0), UsageError);
  batch.c2w = torch::eye(4).repeat({2, 3, 1, 1});
  batch.c2w.slice(1, 1).select(2, 0).select(2, 3).fill_(0.7);
  batch.fxfycxcy = torch::full({2, 3, 4}, 0.8);
  const Outcome outcome = objective.Rooms(batch, 0);
  EXPECT_GT(outcome.numbers.at("known_camera_loss"), 0);
  EXPECT_NEAR(outcome.numbers.at("loss"), without + 0.5 * outcome.numbers.at("known_camera_loss"), 1e-5);
  EXPECT_NEAR(outcome.loss.item<double>(), outcome.numbers.at("loss"), 1e-5);
  objective.SetProgress(0.75);
  const Outcome later = objective.Rooms(batch, 0);
  EXPECT_NEAR(later.numbers.at("loss"), without + 0.2 * later.numbers.at("known_camera_loss"), 1e-5);
  EXPECT_NEAR(later.loss.item<double>(), later.numbers.at("loss"), 1e-5);
}

}  // namespace
}  // namespace wildrayzer
