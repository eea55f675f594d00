#include "wildrayzer/training/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/testing/generator.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/training/muon.h"
#include "wildrayzer/training/schedule.h"
#include "wildrayzer/training/weight_average.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

using testing::GeneratedTensor;
using testing::GoldenFile;
using testing::RelativeError;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

torch::Tensor Parameter(const torch::Tensor& value) { return value.clone().set_requires_grad(true); }

// A block's matrices and vectors, small.
NamedParameters BlockParameters(const std::string& seed) {
  const auto make = [&](const std::string& name, const std::vector<int64_t>& shape) {
    return std::make_pair(name, Parameter(GeneratedTensor(seed + name, shape, 0.3)));
  };
  return {make("encoder.0.norm1.weight", {24}),         make("encoder.0.attn.to_qkv.weight", {72, 24}),
          make("encoder.0.attn.fc.weight", {24, 24}),   make("encoder.0.mlp.mlp.0.weight", {96, 24}),
          make("encoder.0.mlp.mlp.2.weight", {24, 96}), make("tokenizer.weight", {24, 12})};
}

void SetGradients(const NamedParameters& parameters, const std::string& key, double scale = 0.01) {
  for (const auto& [name, parameter] : parameters)
    parameter.mutable_grad() = GeneratedTensor(key + name, parameter.sizes().vec(), scale);
}

// The golden steps lie in the golden folder and, for machines without it, beside the tests.
GoldenFile OptimGolden() {
  const auto files = testing::GoldenFiles("optim");
  return GoldenFile(files.empty() ? testing::TestData("optim.safetensors") : files.front());
}

TEST(CosineSchedule, MatchesGolden) {
  const GoldenFile golden = OptimGolden();
  const std::map<std::string, CosineSchedule> schedules{
      {"stage1", {6000, 100000}}, {"stage2", {1000, 10000}}, {"stage3", {1000, 20000}}};
  for (const auto& [stage, schedule] : schedules) {
    const torch::Tensor steps = golden.Get("schedule/" + stage + "/steps");
    const torch::Tensor factors = golden.Get("schedule/" + stage + "/factor");
    for (int64_t i = 0; i < steps.numel(); ++i)
      EXPECT_NEAR(schedule.Factor(steps[i].item<int64_t>()), factors[i].item<double>(), 1e-14) << stage;
  }
}

TEST(CosineSchedule, StaysAtItsEnd) {
  const CosineSchedule schedule{2, 10, 0.1};
  EXPECT_EQ(schedule.Factor(0), 0.0);
  EXPECT_EQ(schedule.Factor(1), 0.5);
  EXPECT_EQ(schedule.Factor(2), 1.0);
  EXPECT_NEAR(schedule.Factor(6), 0.55, 1e-15);  // half way
  EXPECT_NEAR(schedule.Factor(10), 0.1, 1e-15);
  EXPECT_EQ(schedule.Factor(1000), schedule.Factor(10));
  EXPECT_EQ((CosineSchedule{0, 10}.Factor(0)), 1.0);
}

TEST(CosineSchedule, FollowsTheProgressOfATimedRun) {
  const CosineSchedule schedule{4, 1'000'000'000, 0.1};
  EXPECT_EQ(schedule.Factor(0, 0.0), 0.0);
  EXPECT_EQ(schedule.Factor(1, 0.0), 0.25);
  EXPECT_NEAR(schedule.Factor(2, 0.5), 0.5 * 0.55, 1e-15);
  EXPECT_NEAR(schedule.Factor(100, 0.5), 0.55, 1e-15);
  EXPECT_NEAR(schedule.Factor(100, 1.5), 0.1, 1e-15);
}

TEST(RunProgress, CountsStepsOrTime) {
  RunProgress steps(8, 0);
  EXPECT_EQ(steps.value(), 0);
  steps.Update(2, 1000);
  EXPECT_EQ(steps.value(), 0.25);
  EXPECT_EQ(steps.SecondsLeft(3), 18);
  EXPECT_FALSE(steps.over());
  steps.Update(8, 0);
  EXPECT_EQ(steps.value(), 1);
  EXPECT_TRUE(steps.over());
  RunProgress timed(8, 60);
  timed.Update(2, 45);
  EXPECT_EQ(timed.value(), 0.75);
  EXPECT_EQ(timed.SecondsLeft(3), 15);
  EXPECT_EQ(timed.SecondsLeft(1), 6);  // the steps end first
  EXPECT_FALSE(timed.over());
  timed.Update(3, 61);
  EXPECT_EQ(timed.value(), 1);
  EXPECT_EQ(timed.SecondsLeft(3), 0);
  EXPECT_TRUE(timed.over());
  timed.Update(8, 30);
  EXPECT_TRUE(timed.over());
}

TEST(Ramp, IsALine) {
  const Ramp falling{1.0, 0.3};
  EXPECT_EQ(falling.At(0), 1.0);
  EXPECT_NEAR(falling.At(0.5), 0.65, 1e-15);
  EXPECT_NEAR(falling.At(1), 0.3, 1e-15);
  EXPECT_EQ(Ramp::Constant(0.1).At(0.37), 0.1);  // to the bit
  EXPECT_FALSE(Ramp().IsEverPositive());
  EXPECT_TRUE((Ramp{0.0, 0.1}.IsEverPositive()));
  EXPECT_TRUE((Ramp{0.1, 0.0}.IsEverPositive()));
}

TEST(Optimizer, MatchesGoldenAdamWSteps) {
  const GoldenFile golden = OptimGolden();
  OptimizerOptions options;
  options.weight_decay = 0.05;
  options.skip_factor = kInfinity;  // the golden gradients are seven times the clip
  torch::Tensor w = Parameter(golden.Get("w0")), b = Parameter(golden.Get("b0"));
  Optimizer optimizer({{"w", w}, {"b", b}}, options);
  const torch::Tensor rates = golden.Get("lr_used");
  for (int64_t step = 0; step < rates.numel(); ++step) {
    const std::string n = std::to_string(step);
    w.mutable_grad() = GeneratedTensor(golden.Key("input/opt_gw" + n), golden.Shape("w0"), 2);
    b.mutable_grad() = GeneratedTensor(golden.Key("input/opt_gb" + n), golden.Shape("b0"), 2);
    const double rate = 0.01 * CosineSchedule{3, 10}.Factor(step);
    EXPECT_NEAR(rate, rates[step].item<double>(), 1e-14);
    const StepResult result = optimizer.Step(rate, 0.0);
    EXPECT_TRUE(result.applied);
    const double norm = golden.Get("step" + n + "/grad_norm_before_clip").item<double>();
    EXPECT_NEAR(result.gradient_norm, norm, 1e-6 * norm);
    // The weights themselves hide a wrong update: steps of 1e-2 on values of 0.5. Compare the changes; an ulp
    // of the weights is 6e-8, of a change of 1e-2 therefore 6e-6.
    EXPECT_LT(RelativeError(w - golden.Get("w0"), golden.Get("step" + n + "/w") - golden.Get("w0")), 2e-5)
        << n;
    EXPECT_LT(RelativeError(b - golden.Get("b0"), golden.Get("step" + n + "/b") - golden.Get("b0")), 2e-5)
        << n;
  }
}

TEST(Optimizer, GroupsAreTheReleases) {
  WRZ_NEED_GOLDEN();
  std::ifstream stream(testing::GoldenDir() / "tiny_checkpoint.expected.json");
  const nlohmann::json expected = nlohmann::json::parse(stream);
  const GoldenFile tensors(testing::GoldenDir() / "tiny_checkpoint.expected.safetensors");
  NamedParameters parameters;
  for (const std::string name : expected["model_key_order"]) {
    std::string key = name;
    for (const std::string& candidate : tensors.names()) {
      if (candidate == name || candidate.ends_with("/" + name)) key = candidate;
    }
    parameters.emplace_back(name, torch::zeros(tensors.Shape(key)));
  }
  const auto groups = Optimizer(parameters, {}).ReleaseGroups();
  std::vector<std::string> order = groups[0];
  order.insert(order.end(), groups[1].begin(), groups[1].end());
  EXPECT_EQ(order, expected["optimizer_index_to_parameter"].get<std::vector<std::string>>());
  EXPECT_EQ(groups[0].size(), expected["optimizer_param_groups"][0]["params"].size());
}

// p(x) = a x + b x^3 + c x^5 applied five times to singular values: what the iteration does, without
// matrices.
torch::Tensor ExactOrthogonalize(const torch::Tensor& matrix, int steps) {
  const auto [u, s, v] = torch::svd(matrix.to(torch::kFloat64));
  torch::Tensor values = s / s.norm();
  for (int i = 0; i < steps; ++i) values = 3.4445 * values - 4.7750 * values.pow(3) + 2.0315 * values.pow(5);
  return u.mm(torch::diag(values)).mm(v.t());
}

TEST(Muon, ActsOnSingularValuesAlone) {
  for (const auto& shape : std::vector<std::vector<int64_t>>{{32, 32}, {24, 96}, {96, 24}, {1, 7}}) {
    const torch::Tensor matrix = GeneratedTensor("muon/matrix", shape, 3.0);
    const torch::Tensor result = Orthogonalize(matrix);
    // Rounding of float32 products, amplified five times by up to a = 3.4 for small singular values.
    EXPECT_LT(RelativeError(result.to(torch::kFloat64), ExactOrthogonalize(matrix, 5)), 1e-4)
        << matrix.sizes();
    // bfloat16 has 8 bits; the published optimizer runs so. Where the processor does not multiply it (and
    // training takes fp32), its sums may be rounded to 8 bits, too: by half of their last for every term.
    EXPECT_LT(RelativeError(Orthogonalize(matrix, 5, torch::kBFloat16).to(torch::kFloat64),
                            ExactOrthogonalize(matrix, 5)),
              HasFastBf16(torch::kCPU) ? 0.1 : 0.4);
    EXPECT_TRUE(torch::equal(result, Orthogonalize(matrix)));
  }
  EXPECT_EQ(Orthogonalize(torch::zeros({4, 6})).abs().max().item<float>(), 0.0f);
}

TEST(Muon, SingularValuesLieInThePublishedBand) {
  // Condition numbers of up to 50 or so end in the band after five steps.
  const torch::Tensor noise = GeneratedTensor("muon/noise", {48, 64});
  const torch::Tensor values = std::get<1>(torch::svd(Orthogonalize(noise)));
  EXPECT_GT(values.min().item<float>(), 0.6f);
  EXPECT_LT(values.max().item<float>(), 1.2f);
}

// One Muon update of a matrix from a zero state in double precision: momentum = g, direction = g + 0.95 g.
torch::Tensor ExactMuonStep(const torch::Tensor& parameter, const torch::Tensor& gradient, double rate,
                            double decay, double scale) {
  return (1 - rate * decay) * parameter.to(torch::kFloat64) -
         rate * scale * ExactOrthogonalize(1.95 * gradient, 5);
}

TEST(Muon, StepSplitsQkvAndScales) {
  for (const MuonScale scale : {MuonScale::kRmsMatched, MuonScale::kSpectral}) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kMuon;
    options.muon_scale = scale;
    options.muon_rate_ratio = 2.0;
    options.clip_norm = kInfinity;
    options.skip_factor = 1;
    const NamedParameters parameters = BlockParameters("muon/"), before = BlockParameters("muon/");
    Optimizer optimizer(parameters, options);
    SetGradients(parameters, "muon/g/");
    ASSERT_TRUE(optimizer.Step(0.01, 1.0).applied);
    for (size_t i = 1; i <= 4; ++i) {
      const auto& [name, after] = parameters[i];
      ASSERT_TRUE(optimizer.UsesMuon(name));
      const int64_t matrices = i == 1 ? 3 : 1, rows = after.size(0) / matrices, columns = after.size(1);
      const double factor =
          scale == MuonScale::kRmsMatched
              ? 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)))
              : std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
      for (int64_t k = 0; k < matrices; ++k) {
        const torch::Tensor was = before[i].second.detach().narrow(0, k * rows, rows);
        const torch::Tensor exact =
            ExactMuonStep(was, after.grad().narrow(0, k * rows, rows), 0.02, 0.05, factor);
        const torch::Tensor is = after.detach().narrow(0, k * rows, rows);
        EXPECT_LT(RelativeError(is - was, exact - was), 2e-4) << name << " " << k;
      }
    }
    EXPECT_FALSE(optimizer.UsesMuon("tokenizer.weight"));
    EXPECT_FALSE(optimizer.UsesMuon("encoder.0.norm1.weight"));
  }
}

TEST(Muon, MomentumIsNesterovs) {
  OptimizerOptions options;
  options.kind = OptimizerKind::kMuon;
  options.weight_decay = 0;
  options.clip_norm = kInfinity;
  options.skip_factor = 1;
  const std::string name = "a.attn.fc.weight";
  torch::Tensor p = Parameter(torch::zeros({8, 8}));
  Optimizer optimizer({{name, p}}, options);
  const torch::Tensor g0 = GeneratedTensor("m/0", {8, 8}), g1 = GeneratedTensor("m/1", {8, 8});
  p.mutable_grad() = g0;
  optimizer.Step(1.0, 0.0);
  const torch::Tensor before = p.detach().clone();
  p.mutable_grad() = g1;
  optimizer.Step(1.0, 0.0);
  const torch::Tensor direction = g1 + 0.95 * (0.95 * g0 + g1);
  const torch::Tensor exact = -0.2 * std::sqrt(8.0) * ExactOrthogonalize(direction, 5);
  EXPECT_LT(RelativeError((p.detach() - before).to(torch::kFloat64), exact), 2e-4);
}

TEST(Optimizer, AdamWDecaysMatricesOnlyAndFollowsTheSign) {
  // With a zero state the first AdamW update is rate * sign(g), whatever the gradient's size.
  OptimizerOptions options;
  options.weight_decay = 0.1;
  torch::Tensor matrix = Parameter(torch::full({2, 2}, 3.0f)), vector = Parameter(torch::full({2}, 3.0f));
  torch::Tensor unused = Parameter(torch::full({2, 2}, 3.0f));
  Optimizer optimizer({{"m", matrix}, {"v", vector}, {"u", unused}}, options);
  matrix.mutable_grad() = torch::full({2, 2}, -0.01f);
  vector.mutable_grad() = torch::full({2}, 0.02f);
  optimizer.Step(0.5, 0.0);
  EXPECT_NEAR(matrix.detach()[1][1].item<float>(), 3.0 * (1 - 0.5 * 0.1) + 0.5, 1e-5);
  EXPECT_NEAR(vector.detach()[1].item<float>(), 3.0 - 0.5, 1e-5);
  EXPECT_EQ(unused.detach()[0][0].item<float>(), 3.0f) << "no gradient, no decay";
  EXPECT_EQ(optimizer.ExportState().at("step/u").item<int64_t>(), 0);
  optimizer.ZeroGrad();
  EXPECT_FALSE(matrix.grad().defined());
}

// By a branch on the processor, by selection on a GPU.
void ExpectSkipsAndCounts() {
  torch::Tensor p = Parameter(torch::ones({4, 4}));
  Optimizer optimizer({{"p", p}}, {});
  const auto attempt = [&](double gradient, double loss) {
    p.mutable_grad() = torch::full({4, 4}, static_cast<float>(gradient));
    return optimizer.Step(0.1, loss);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(attempt(0.1, nan).applied);
  EXPECT_FALSE(attempt(0.1, kInfinity).applied);
  EXPECT_FALSE(attempt(nan, 0.1).applied);
  EXPECT_FALSE(attempt(kInfinity, 0.1).applied);
  EXPECT_FALSE(attempt(1.26, 0.1).applied);  // norm 5.04 > 5 x 1
  EXPECT_TRUE(torch::equal(p.detach(), torch::ones({4, 4})));
  EXPECT_EQ(optimizer.ExportState().at("exp_avg/p").abs().max().item<float>(), 0.0f);
  EXPECT_TRUE(attempt(1.24, 0.1).applied);
  EXPECT_EQ(optimizer.counters().not_finite, 4);
  EXPECT_EQ(optimizer.counters().too_large, 1);
  EXPECT_EQ(optimizer.counters().skipped(), 5);
  EXPECT_EQ(optimizer.counters().applied, 1);
  // Nothing was taught: nothing moves, and it is no step that was skipped.
  const torch::Tensor before = p.detach().clone();
  EXPECT_FALSE(attempt(0.0, 0.1).applied);
  EXPECT_TRUE(torch::equal(p.detach(), before));
  EXPECT_EQ(optimizer.ExportState().at("step/p").item<int64_t>(), 1);
  EXPECT_EQ(optimizer.counters().skipped(), 5);
}

TEST(Optimizer, SkipsAndCounts) { ExpectSkipsAndCounts(); }

TEST(Optimizer, SkipsAndCountsOnGpusToo) {
  if (!kHasDeviceOperations) GTEST_SKIP() << "LibTorch 1 trains on the processor only";
  const AsOnGpu on_gpu;
  ExpectSkipsAndCounts();
}

// Three more steps with gradients of their own.
void Continue(Optimizer& optimizer, const std::string& key) {
  for (int step = 0; step < 3; ++step) {
    SetGradients(optimizer.parameters(), key + std::to_string(step));
    ASSERT_TRUE(optimizer.Step(0.01, 0.0).applied);
  }
}

TEST(Optimizer, StateContinuesBitForBit) {
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    OptimizerOptions options;
    options.kind = kind;
    Optimizer unbroken(BlockParameters("state/"), options);
    Continue(unbroken, "first");
    NamedParameters saved;
    for (const auto& [name, parameter] : unbroken.parameters())
      saved.emplace_back(name, Parameter(parameter.detach()));
    std::map<std::string, torch::Tensor> state;
    for (const auto& [name, tensor] : unbroken.ExportState()) state[name] = tensor.clone();
    Continue(unbroken, "second");

    Optimizer resumed(saved, options);
    resumed.ImportState(state, "state.pt");
    Continue(resumed, "second");
    for (size_t i = 0; i < saved.size(); ++i)
      EXPECT_TRUE(torch::equal(unbroken.parameters()[i].second, resumed.parameters()[i].second))
          << saved[i].first;
    const auto a = unbroken.ExportState(), b = resumed.ExportState();
    for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, b.at(name))) << name;
    EXPECT_EQ(resumed.counters().applied, 6);
  }
}

TEST(Optimizer, RefusesForeignStatesAndKeepsItsOwn) {
  Optimizer optimizer(BlockParameters("state/"), {});
  Continue(optimizer, "first");
  const torch::Tensor kept = optimizer.ExportState().at("exp_avg/tokenizer.weight").clone();
  const auto refused = [&](const std::function<void(std::map<std::string, torch::Tensor>&)>& change) {
    auto state = optimizer.ExportState();
    for (auto& [name, tensor] : state) tensor = torch::zeros_like(tensor);
    change(state);
    try {
      optimizer.ImportState(state, "run/state.pt");
    } catch (const FileError& error) {
      EXPECT_TRUE(torch::equal(kept, optimizer.ExportState().at("exp_avg/tokenizer.weight")));
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(
      refused([](auto& s) { s.erase("exp_avg_sq/tokenizer.weight"); }),
      ::testing::AllOf(HasSubstr("run/state.pt: "), HasSubstr("lacks 'exp_avg_sq/tokenizer.weight'")));
  EXPECT_THAT(refused([](auto& s) { s["exp_avg/other"] = torch::zeros({1}); }), HasSubstr("'exp_avg/other'"));
  EXPECT_THAT(refused([](auto& s) {
                s["exp_avg/tokenizer.weight"] = torch::zeros({12, 24});
              }),
              HasSubstr("another shape"));
  EXPECT_THAT(refused([](auto& s) { s["exp_avg/tokenizer.weight"].fill_(NAN); }), HasSubstr("not finite"));
  EXPECT_THAT(
      refused([](auto& s) { s["exp_avg/tokenizer.weight"] = s["exp_avg/tokenizer.weight"].to(torch::kInt); }),
      HasSubstr("number type"));
}

TEST(Optimizer, ThreadsDoNotChangeTheResult) {
  const auto run = [](int threads) {
    SetThreads(threads);
    torch::Tensor p = Parameter(GeneratedTensor("threads/p", {300, 401}, 0.3));
    Optimizer optimizer({{"p", p}}, {});
    p.mutable_grad() = GeneratedTensor("threads/g", {300, 401}, 0.01);
    const double norm = optimizer.Step(0.1, 0.0).gradient_norm;
    return std::make_pair(norm, p.detach().clone());
  };
  const int before = NumThreads();
  const auto one = run(1), two = run(2);
  SetThreads(before);
  EXPECT_EQ(one.first, two.first);
  EXPECT_TRUE(torch::equal(one.second, two.second));
}

TEST(Optimizer, ReadsStridedGradients) {
  torch::Tensor a = Parameter(torch::zeros({3, 2})), b = Parameter(torch::zeros({3, 2}));
  a.mutable_grad() = GeneratedTensor("strided", {2, 3}).t();
  b.mutable_grad() = GeneratedTensor("strided", {2, 3}).t().contiguous();
  Optimizer optimizer({{"a", a}, {"b", b}}, {});
  optimizer.Step(0.1, 0.0);
  EXPECT_TRUE(torch::equal(a.detach(), b.detach()));
}

TEST(Optimizer, RefusesWhatItCannotTrain) {
  EXPECT_THROW(Optimizer({{"p", torch::zeros({2}, torch::kBFloat16)}}, {}), Error);
  EXPECT_THROW(Optimizer({{"p", torch::zeros({2})}, {"p", torch::zeros({2})}}, {}), Error);
}

TEST(WeightAverage, IsExponentialAndSwaps) {
  torch::Tensor p = Parameter(torch::zeros({3}));
  WeightAverage average({{"p", p}}, 0.15);
  p.detach().fill_(1.0f);
  average.Update();  // weight 0.1: 0.9
  average.Update();  // weight 0.15 (2 / 11 is above the decay): 0.9 + 0.85 * 0.1
  average.Swap();
  EXPECT_NEAR(p.detach()[0].item<float>(), 0.985f, 1e-6);
  const auto state = average.ExportState();
  EXPECT_EQ(state.at("average/p")[0].item<float>(), 1.0f) << "the trained weights wait here";
  average.Swap();
  EXPECT_EQ(p.detach()[0].item<float>(), 1.0f);

  WeightAverage other({{"p", p}}, 0.15);
  other.ImportState(average.ExportState(), "state.pt");
  EXPECT_TRUE(torch::equal(other.ExportState().at("average/p"), average.ExportState().at("average/p")));
  EXPECT_EQ(other.ExportState().at("updates").item<int64_t>(), 2);
  EXPECT_THROW(other.ImportState({}, "state.pt"), FileError);
}

}  // namespace
}  // namespace wildrayzer
