#include "wildrayzer/check/device_checks.h"

#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "wildrayzer/check/small_models.h"
#include "wildrayzer/check/timings.h"
#include "wildrayzer/kernels/attention_paths.h"
#include "wildrayzer/testing/test_device.h"
#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/training/objective.h"
#include "wildrayzer/training/scene_pieces.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

TEST(DeviceChecks, AllPassHere) {
  std::set<std::string> names;
  for (const CheckResult& result : CheckDevice(testing::TestDevice(), [](const CheckResult&) {})) {
    EXPECT_TRUE(result.passed()) << result.name << ": " << result.error << " > " << result.allowed << " "
                                 << result.failure;
    EXPECT_TRUE(names.insert(result.name).second) << result.name;
  }
  EXPECT_GE(names.size(), 35U);
}

TEST(DeviceChecks, SayWhatIsWrong) {
  CheckResult result{"a check", 1e-3, 1e-4, ""};
  EXPECT_FALSE(result.passed());
  result.error = NAN;
  EXPECT_FALSE(result.passed());
  result.error = 0;
  EXPECT_TRUE(result.passed());
  result.failure = "what was thrown";
  EXPECT_FALSE(result.passed());
}

// softmax(scale q k^T) v written out in float64, keys from the count on left out.
torch::Tensor PlainAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             double scale, int64_t count) {
  const auto first = [&](const torch::Tensor& all) { return all.narrow(2, 0, count).to(torch::kFloat64); };
  return torch::matmul(
      torch::softmax(torch::matmul(q.to(torch::kFloat64), first(k).transpose(2, 3)) * scale, -1), first(v));
}

TEST(AttentionFused, IsItsDefinition) {
  if (!kHasDeviceOperations) GTEST_SKIP() << "LibTorch 1 has no fused attention";
  const auto operand = [](int64_t tokens, uint64_t seed) {
    return RandomValues({2, 3, tokens, 16}, seed).sub_(0.5).mul_(4.0);
  };
  const torch::Tensor q = operand(9, 1), k = operand(11, 2), v = operand(11, 3);
  const torch::Device device = testing::TestDevice();
  const torch::Tensor counts = torch::tensor({11, 4}, torch::kInt64);
  const torch::Tensor found =
      AttentionFused(q.to(device), k.to(device), v.to(device), 0.3, counts.to(device)).to(torch::kCPU);
  for (int64_t b = 0; b < 2; ++b) {
    const auto of = [&](const torch::Tensor& all) { return all.narrow(0, b, 1); };
    const torch::Tensor wanted = PlainAttention(of(q), of(k), of(v), 0.3, counts[b].item<int64_t>());
    EXPECT_LT((found.narrow(0, b, 1) - wanted).abs().max().item<double>(), 1e-5);
  }
}

// Reading a number makes the processor wait for a GPU. On the processor two are read in a step, whatever the
// batch: how many tokens stay (kDrop), and the loss, by which the optimizer decides; both are selected on a
// GPU (NoWaiting in device_checks.cc proves that there).
TEST(TrainingStep, ReadsNoNumberOfAView) {
  static std::atomic<int> reads;
  const auto count = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    static const std::set<std::string> kReading{"aten::item", "aten::is_nonzero", "aten::nonzero",
                                                "aten::equal", "aten::masked_select"};
    if (kReading.count(function.name()) > 0) ++reads;
    return nullptr;
  };
  for (const auto& [name, config] : SmallLayouts()) {
    for (const Stage stage : {Stage::kCameraWarmup, Stage::kPretraining, Stage::kMotionMasks,
                              Stage::kMaskedReconstruction, Stage::kJoint}) {
      const TrainConfig train = SmallStage(stage, config, torch::kCPU);
      WildRayZer model = LivelyModel(config);
      Objective objective(train, model, FeatureSource());
      MasterWeights weights(*model, Precision::kFp32, [&, stage = stage](const std::string& parameter) {
        return StageTrains(stage, parameter);
      });
      Optimizer optimizer(weights.masters(), train.optimizer);
      const TrainingBatch batch = RandomBatch(config, 4, 2, 6, torch::kCPU);
      const auto handle =
          at::addGlobalCallback(at::RecordFunctionCallback(count).scopes({at::RecordScope::FUNCTION}));
      reads = 0;
      const Outcome outcome = LearnFromPieces(
          {{0, 4}}, 1.0, weights.used(),
          [&](const ScenePiece&, const SumOverPieces& sum) { return objective.Rooms(batch, 0, sum); },
          [&] { weights.CollectGradients(); });
      optimizer.Step(1e-3, Number(outcome.loss));
      at::removeCallback(handle);
      EXPECT_LE(reads, 2) << name << ", " << StageName(stage);
      reads = 0;
    }
  }
}

// The formula against what LibTorch says it multiplied: every product of matrices of a pass, by its sizes.
TEST(PassOperations, CountsTheProductsOfAPass) {
  static std::atomic<int64_t> counted;
  const auto count = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    if (std::string(function.name()) != "aten::linear") return nullptr;
    const auto inputs = function.inputs();
    const at::Tensor x = inputs[0].toTensor(), weight = inputs[1].toTensor();
    counted += 2 * x.numel() * weight.size(0);
    return nullptr;
  };
  for (auto [name, config] : SmallLayouts()) {
    config.use_motion = false;
    WildRayZer model = LivelyModel(config);
    const torch::Tensor images = RandomValues({1, 5, 3, config.height, config.width}, 1);
    const torch::NoGradGuard no_grad;
    const auto handle = at::addGlobalCallback(
        at::RecordFunctionCallback(count).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
    counted = 0;
    Pass pass(model, FeatureSource(), images, 2);
    pass.Encode();
    pass.RenderTargets();
    at::removeCallback(handle);
    // Attention is not a linear layer: 4 tokens^2 d a block, of which the formula makes no secret.
    const double n = 64, d = 64, codes = config.scene == SceneLayout::kCodes ? 24 : 0;
    const double whole = 5 * (n + 1);
    double attention =
        config.scene == SceneLayout::kCodes ? 3 * whole * whole : 2 * whole * whole + 5 * (n + 1) * (n + 1);
    attention += 2 * (2 * n + codes) * (2 * n + codes) + 2 * 3 * (n + codes) * (n + codes);
    if (codes == 0) attention += 2 * 3 * n * 2 * n;
    const double formula = PassOperations(config, 1, 2, 3).total() - 4 * attention * d;
    // The formula counts the last block of a stack in full, of which the program computes what is read: with
    // three blocks that is a quarter. The heads of single tokens are not in it.
    EXPECT_GE(formula, 0.97 * static_cast<double>(counted)) << name;
    EXPECT_LE(formula, 1.25 * static_cast<double>(counted)) << name;
  }
}

}  // namespace
}  // namespace wildrayzer
