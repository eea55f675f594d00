// Speed of one training pass (forward and backward, no optimiser) of the small model: scenes a second and the
// share of arithmetic:
//   build/bench/bench_training
// The arguments are the precision of the products (32 or 16 for bf16), the width d and the scenes of a batch;
// 2 input and 3 target views of 128 x 128, 4/4/4 layers, 64 scene tokens.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/models/wildrayzer.h"

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
  for (auto _ : state) {
    model->zero_grad();
    const Prediction prediction = model->forward(images, kInputs);
    torch::mse_loss(prediction.images, images.narrow(1, kInputs, kTargets)).backward();
  }
  using benchmark::Counter;
  state.counters["scenes/s"] = Counter(static_cast<double>(scenes), Counter::kIsIterationInvariantRate);
  state.counters["GFLOP/s"] =
      Counter(Operations(config.d, scenes) * 1e-9, Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_TrainingPass)
    ->Args({32, 192, 8})
    ->Args({16, 192, 8})
    ->Args({16, 192, 16})
    ->Args({16, 256, 8})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace wildrayzer

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
