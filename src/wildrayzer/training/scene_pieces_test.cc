#include "wildrayzer/training/scene_pieces.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <vector>

#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

using testing::RelativeError;

TEST(SplitScenes, CoversEverySceneOnceInPiecesOfNearlyEqualSize) {
  for (int64_t scenes = 1; scenes < 20; ++scenes) {
    for (int64_t threads = 1; threads < 9; ++threads) {
      const auto pieces = SplitScenes(scenes, threads);
      EXPECT_EQ(static_cast<int64_t>(pieces.size()), scenes < threads ? 1 : threads);
      int64_t next = 0;
      for (const ScenePiece& piece : pieces) {
        EXPECT_EQ(piece.first, next);
        EXPECT_GE(piece.count, scenes / static_cast<int64_t>(pieces.size()));
        EXPECT_LE(piece.count, scenes / static_cast<int64_t>(pieces.size()) + 1);
        next += piece.count;
      }
      EXPECT_EQ(next, scenes);
    }
  }
}

TrainConfig TinyConfig(Stage stage) {
  TrainConfig config;
  config.stage = stage;
  config.seed = 8;
  config.token_dropout = stage == Stage::kMaskedReconstruction ? 0.25 : 0;
  config.model.height = config.model.width = 16;
  config.model.patch = 8;
  config.model.d = 32;
  config.model.d_head = 16;
  config.model.scene_tokens = 4;
  config.model.camera_estimator_layers = config.model.scene_encoder_layers = config.model.renderer_layers = 1;
  return config;
}

// Gradients of a batch of five scenes in pieces and as one, by parameter.
void ComparePiecesWithWhole(Stage stage) {
  const TrainConfig config = TinyConfig(stage);
  WildRayZer model(config.model);
  RandomInit(model, 1);
  Objective objective(config, model, Dinov3(nullptr));
  TrainingBatch batch;
  batch.inputs = 2;
  torch::manual_seed(4);
  batch.images = batch.clean = torch::rand({5, 3, 3, 16, 16});
  batch.pasted = batch.dynamic = std::vector<bool>(5, false);

  std::map<int64_t, std::vector<torch::Tensor>> gradients;
  std::map<int64_t, Outcome> outcomes;
  for (const int64_t threads : {1, 2, 3, 5}) {
    model->zero_grad();
    const auto pieces = SplitScenes(5, threads);
    outcomes[threads] = LearnFromPieces(
        pieces, 0.5, model->parameters(),
        [&](const ScenePiece& piece) { return objective.Rooms(batch.Scenes(piece.first, piece.count), 3); },
        [] {});
    for (const torch::Tensor& parameter : model->parameters()) {
      gradients[threads].push_back(parameter.grad().defined() ? parameter.grad().clone()
                                                              : torch::zeros_like(parameter));
    }
  }
  // A direct backward pass of the whole batch, without any of this.
  model->zero_grad();
  const Outcome whole = objective.Rooms(batch, 3);
  (0.5 * whole.loss).backward();
  const auto parameters = model->parameters();
  for (const auto& [threads, of_parameters] : gradients) {
    EXPECT_NEAR(outcomes[threads].loss.item<double>(), whole.loss.item<double>(), 1e-6);
    EXPECT_NEAR(outcomes[threads].numbers.at("loss"), whole.numbers.at("loss"), 1e-6);
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!parameters[i].grad().defined() || parameters[i].grad().norm().item<double>() < 1e-7) continue;
      // float32 sums in another order, through a few layers
      EXPECT_LT(RelativeError(of_parameters[i], parameters[i].grad()), 1e-4)
          << threads << " threads, tensor " << i;
    }
  }
}

TEST(LearnFromPieces, GivesTheGradientOfTheWholeBatch) { ComparePiecesWithWhole(Stage::kPretraining); }

// Also: the masked boxes of a scene do not depend on the piece that it is in.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeMaskedBatch) {
  ComparePiecesWithWhole(Stage::kMaskedReconstruction);
}

TEST(LearnFromPieces, PassesOverWhatTeachesNothingAndAveragesTheRest) {
  const torch::Tensor parameter = torch::ones({1}).set_requires_grad(true);
  const std::vector<ScenePiece> pieces = {{0, 1}, {1, 3}};
  const Outcome outcome = LearnFromPieces(
      pieces, 1.0, {parameter},
      [&](const ScenePiece& piece) {
        Outcome one;
        one.numbers["count"] = static_cast<double>(piece.count);
        if (piece.first == 0) {
          one.numbers["only_first"] = 7;
        } else {
          one.loss = 4 * parameter.sum();
        }
        return one;
      },
      [] {});
  EXPECT_FLOAT_EQ(parameter.grad().item<float>(), 3.0f);  // 4 times the share of three scenes in four
  EXPECT_FLOAT_EQ(outcome.loss.item<float>(), 3.0f);
  EXPECT_DOUBLE_EQ(outcome.numbers.at("count"), (1 * 1 + 3 * 3) / 4.0);
  EXPECT_DOUBLE_EQ(outcome.numbers.at("only_first"), 7);
}

TEST(LearnFromPieces, PassesOnWhatIsThrownInAPiece) {
  const torch::Tensor parameter = torch::ones({1}).set_requires_grad(true);
  const auto fail = [&](const ScenePiece& piece) -> Outcome {
    if (piece.first == 1) throw std::runtime_error("in a piece");
    Outcome one;
    one.loss = parameter.sum();
    return one;
  };
  EXPECT_THROW(LearnFromPieces({{0, 1}, {1, 1}}, 1.0, {parameter}, fail, [] {}), std::runtime_error);
  EXPECT_FALSE(parameter.grad().defined());
}

}  // namespace
}  // namespace wildrayzer
