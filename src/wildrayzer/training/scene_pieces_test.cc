#include "wildrayzer/training/scene_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace wildrayzer {
namespace {

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
  config.model.camera_estimator_layers = 2;
  config.model.scene_encoder_layers = config.model.renderer_layers = 1;
  config.model.use_motion = StageNeedsMotion(stage);
  config.model.motion.features = MotionFeatures::kOwn;
  config.model.motion.dino_width = 32;
  config.model.motion.layers = config.model.motion.feature_layer = 1;
  return config;
}

constexpr int64_t kAllScenes = 5;

// Five scenes, two of which move and one of which has something pasted.
TrainingBatch FiveScenes(const std::vector<Sample>& samples) {
  TrainingBatch batch;
  batch.inputs = 2;
  torch::manual_seed(4);
  batch.clean = torch::rand({kAllScenes, 4, 3, 16, 16});
  batch.pasted_masks = torch::zeros({kAllScenes, 4, 1, 16, 16});
  batch.pasted_masks[2].slice(2, 3, 9).slice(3, 5, 12).fill_(1);
  batch.images = torch::where(batch.pasted_masks.gt(0), torch::rand({kAllScenes, 4, 3, 16, 16}), batch.clean);
  batch.pasted = {false, false, true, false, false};
  batch.dynamic = {true, false, false, false, true};
  for (const Sample& sample : samples) batch.samples.push_back(&sample);
  return batch;
}

// Labels and PSNRs that differ from scene to scene; the gate at 15 dB lets one of four dynamic targets pass.
TargetLabels LabelsOfScene(const Pass& pass, const LabelScene& scene) {
  TargetLabels labels{torch::zeros({pass.targets(), 1, 16, 16}), torch::tensor({14.0F, 12.0F})};
  if (scene.name == "4") labels.psnr[1] = 18.0F;
  labels.masks.slice(2, 0, scene.name == "4" ? 8 : 3).fill_(1);
  return labels;
}

using PieceFunction = std::function<Outcome(const ScenePiece&, const SumOverPieces&)>;

// Loss, numbers and gradients of the five scenes in any number of pieces are those of all together.
void ComparePiecesWithWhole(torch::nn::Module& model, const PieceFunction& pass) {
  // A direct backward pass of the whole batch, without any of this.
  const Outcome whole = pass({0, kAllScenes}, {});
  (0.5 * whole.loss).backward();
  std::vector<torch::Tensor> wanted;
  for (torch::Tensor& parameter : model.parameters()) {
    wanted.push_back(parameter.grad().defined() ? parameter.grad().clone() : torch::zeros_like(parameter));
    parameter.mutable_grad() = torch::Tensor();
  }
  double total = 0;
  for (const torch::Tensor& gradient : wanted) total += gradient.square().sum().item<double>();
  total = std::sqrt(total);
  for (const int64_t threads : {1, 2, 3, 5}) {
    SCOPED_TRACE(threads);
    const Outcome outcome =
        LearnFromPieces(SplitScenes(kAllScenes, threads), 0.5, model.parameters(), pass, [] {});
    EXPECT_NEAR(outcome.loss.item<double>(), whole.loss.item<double>(), 1e-5);
    ASSERT_EQ(outcome.numbers.size(), whole.numbers.size());
    for (const auto& [name, value] : whole.numbers)
      EXPECT_NEAR(outcome.numbers.at(name), value, 1e-4 * std::max(1.0, std::abs(value))) << name;
    auto parameters = model.parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor grad = parameters[i].grad();
      const torch::Tensor got = grad.defined() ? grad : torch::zeros_like(parameters[i]);
      // float32 sums in another order, through a few layers; a millionth of the whole is rounding alone, such
      // as the gradient of a bias in front of a normalisation, which is zero
      EXPECT_LT((got - wanted[i]).norm().item<double>(),
                2e-4 * wanted[i].norm().item<double>() + 1e-6 * total)
          << "tensor " << i;
      parameters[i].mutable_grad() = torch::Tensor();
    }
  }
}

void CompareStage(const TrainConfig& config) {
  WildRayZer model(config.model);
  RandomInit(model, 1);
  Objective objective(config, model, FeatureSource(), LabelsOfScene);
  std::vector<Sample> samples(kAllScenes);
  for (int64_t i = 0; i < kAllScenes; ++i) samples[static_cast<size_t>(i)].scene = std::to_string(i);
  const TrainingBatch batch = FiveScenes(samples);
  ComparePiecesWithWhole(*model, [&](const ScenePiece& piece, const SumOverPieces& sum) {
    return objective.Rooms(batch.Scenes(piece.first, piece.count), 3, sum);
  });
}

TEST(LearnFromPieces, GivesTheGradientOfTheWholeBatch) { CompareStage(TinyConfig(Stage::kPretraining)); }

// Also: the masked boxes of a scene do not depend on the piece that it is in.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeMaskedBatch) {
  CompareStage(TinyConfig(Stage::kMaskedReconstruction));
}

// Views that the gate keeps out are counted in the batch, not in the piece.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeBatchOfMasks) {
  TrainConfig config = TinyConfig(Stage::kMotionMasks);
  config.loss.psnr_gate = 15;
  config.loss.masks_as_inputs = 0.5;
  CompareStage(config);
}

// So are static pixels, and whether there are too few of them.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeJointBatch) {
  TrainConfig config = TinyConfig(Stage::kJoint);
  config.loss.static_pixels_only = true;
  config.loss.motion_threshold = 0.5;
  for (const double minimum : {0.1, 0.99}) {
    config.loss.minimum_static = minimum;
    CompareStage(config);
  }
}

void CompareWorlds(TrainConfig config) {
  config.worlds.true_cameras = config.worlds.true_masks = Ramp::Constant(0.5);
  WildRayZer model(config.model);
  RandomInit(model, 1);
  Objective objective(config, model, FeatureSource());
  torch::manual_seed(6);
  WorldBatch batch;
  batch.images = torch::rand({kAllScenes, 3, 3, 16, 16});
  batch.c2w = torch::eye(4).repeat({kAllScenes, 3, 1, 1});
  batch.c2w.slice(2, 0, 3).select(3, 3).copy_(torch::randn({kAllScenes, 3, 3}) * 0.3);
  batch.fxfycxcy = torch::full({kAllScenes, 3, 4}, 0.5);
  batch.fxfycxcy.slice(2, 0, 2).add_(0.6);
  batch.matches = torch::rand({kAllScenes, 3, 4, 2});
  batch.log_depth = torch::randn({kAllScenes, 3, 4});
  batch.visible = torch::rand({kAllScenes, 3, 4}).gt(0.4).to(torch::kFloat32);
  batch.visible[0].fill_(0);
  batch.clean = torch::rand({kAllScenes, 3, 3, 16, 16});
  batch.cover = torch::rand({kAllScenes, 3, 1, 16, 16});
  batch.draws = torch::rand({kAllScenes, 2});
  batch.patch = 8;
  ComparePiecesWithWhole(*model, [&](const ScenePiece& piece, const SumOverPieces& sum) {
    return objective.Worlds(batch.Scenes(piece.first, piece.count), sum);
  });
}

// And the patches of worlds that are visible in both views; and what moves.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeBatchOfWorlds) {
  for (const Stage stage : {Stage::kCameraWarmup, Stage::kMotionMasks, Stage::kJoint})
    CompareWorlds(TinyConfig(stage));
}

// And those whose attention and view matcher are taught, of scenes that tokens leave: another number of them
// in every piece.
TEST(LearnFromPieces, GivesTheGradientOfTheWholeBatchOfTaughtAttention) {
  for (const Stage stage : {Stage::kPretraining, Stage::kJoint}) {
    TrainConfig config = TinyConfig(stage);
    config.model.scene = SceneLayout::kTokens;
    config.model.token_masking = TokenMasking::kDrop;
    config.model.match_views = true;
    config.model.motion.threshold = 0.5;
    config.worlds.match_attention = config.worlds.look_attention = Ramp::Constant(0.5);
    CompareWorlds(config);
  }
}

TEST(LearnFromPieces, AddsWhatThePiecesTeach) {
  const torch::Tensor parameter = torch::ones({1}).set_requires_grad(true);
  const std::vector<ScenePiece> pieces = {{0, 1}, {1, 3}};
  const Outcome outcome = LearnFromPieces(
      pieces, 0.5, {parameter},
      [&](const ScenePiece& piece, const SumOverPieces& sum) {
        const double scenes = sum({static_cast<double>(piece.count)})[0];
        Outcome one;
        one.numbers["scenes"] = scenes;
        if (piece.first > 0) one.loss = 8 * parameter.sum() / scenes;  // the other piece has nothing to teach
        return one;
      },
      [] {});
  EXPECT_FLOAT_EQ(parameter.grad().item<float>(), 1.0f);
  EXPECT_FLOAT_EQ(outcome.loss.item<float>(), 2.0f);
  EXPECT_DOUBLE_EQ(outcome.numbers.at("scenes"), 4);
}

TEST(LearnFromPieces, PassesOnWhatIsThrownInAPiece) {
  const torch::Tensor parameter = torch::ones({1}).set_requires_grad(true);
  const auto fail = [&](const ScenePiece& piece, const SumOverPieces& sum) -> Outcome {
    if (piece.first == 1) throw std::runtime_error("in a piece");
    sum({1.0});  // for which the other piece must not be waited for
    Outcome one;
    one.loss = parameter.sum();
    return one;
  };
  EXPECT_THROW(LearnFromPieces({{0, 1}, {1, 1}}, 1.0, {parameter}, fail, [] {}), std::runtime_error);
  EXPECT_FALSE(parameter.grad().defined());
}

}  // namespace
}  // namespace wildrayzer
