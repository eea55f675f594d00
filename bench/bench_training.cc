// Speed of one training pass (forward and backward, no optimiser) of the small model: scenes a second and the
// share of arithmetic, beside the machine's peak in matrix products:
//   build/bench/bench_training
// The arguments of a pass are the precision of the products (32 or 16 for bf16), the width d, the scenes of a
// batch and in how many pieces at once they are worked on (training/scene_pieces.h); 2 input and 3 target
// views of 128 x 128, 4/4/4 layers, 64 scene tokens.
#include <benchmark/benchmark.h>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/training/scene_pieces.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {
namespace {

constexpr int64_t kInputs = 2;
constexpr int64_t kTargets = 3;
constexpr int64_t kLayers = 4;
constexpr int64_t kTokens = 64;  // of a view, and of the scene

// Multiply-adds of the matrix products and of attention, forward and backward, times 2.
double Operations(int64_t d, int64_t scenes) {
  const auto stack = [&](double tokens, double sequences) {
    return sequences * kLayers * (24.0 * tokens * d * d + 4.0 * tokens * tokens * d);
  };
  const double views = kInputs + kTargets;
  const double forward = stack(views * (kTokens + 1), 1) + stack((kInputs + 1) * kTokens, 1) +
                         stack(2 * kTokens, kTargets) + 2.0 * views * kTokens * 768 * d +  // image tokens
                         2.0 * views * kTokens * 1536 * d + 2.0 * kTargets * kTokens * 768 * d;
  return 3.0 * forward * scenes;
}

void BM_TrainingPass(benchmark::State& state) {
  ModelConfig config;
  config.height = config.width = 128;
  config.d = state.range(1);
  config.scene_tokens = kTokens;
  config.camera_estimator_layers = config.scene_encoder_layers = config.renderer_layers = kLayers;
  config.init_scale = InitScale::kFanIn;
  WildRayZer model(config);
  RandomInit(model, 1);
  if (state.range(0) == 16) CastWeights(*model, Precision::kBf16);
  torch::manual_seed(1);
  const int64_t scenes = state.range(2);
  const torch::Tensor images = torch::rand({scenes, kInputs + kTargets, 3, 128, 128});
  const auto pieces = SplitScenes(scenes, state.range(3));
  const auto pass = [&](const ScenePiece& piece, const SumOverPieces&) {
    const torch::Tensor part = images.narrow(0, piece.first, piece.count);
    const Prediction prediction = Predict(model, part, kInputs);
    Outcome outcome;
    outcome.loss = torch::mse_loss(prediction.images, part.narrow(1, kInputs, kTargets)) *
                   (static_cast<double>(piece.count) / static_cast<double>(scenes));
    return outcome;
  };
  for (auto _ : state) {
    model->zero_grad();
    LearnFromPieces(pieces, 1.0, model->parameters(), pass, [] {});
  }
  using benchmark::Counter;
  state.counters["scenes/s"] = Counter(static_cast<double>(scenes), Counter::kIsIterationInvariantRate);
  state.counters["GFLOP/s"] =
      Counter(Operations(config.d, scenes) * 1e-9, Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_TrainingPass)
    ->Args({32, 192, 8, 2})
    ->Args({16, 192, 8, 1})
    ->Args({16, 192, 8, 2})
    ->Args({16, 192, 16, 2})
    ->Args({16, 256, 8, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// One large product in bf16 (32: fp32), the best that a pass could do.
void BM_Peak(benchmark::State& state) {
  constexpr int64_t kRows = 2056, kIn = 768, kOut = 3072;
  const auto type = state.range(0) == 16 ? torch::kBFloat16 : torch::kFloat32;
  torch::manual_seed(1);
  const torch::Tensor x = torch::randn({kRows, kIn}).to(type), weight = torch::randn({kOut, kIn}).to(type);
  const torch::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(torch::linear(x, weight));
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * kRows * kIn * kOut, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Peak)->Arg(32)->Arg(16)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace wildrayzer

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
