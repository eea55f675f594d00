// Seconds of every stage of the full-size model (d 768, 12/8/12 layers, 256 x 256, 768 scene tokens), with
// random weights:
//   build/bench/bench_model
// The arguments are the precision (32 or 16 for bf16) and the number of views; a render is one target view.
#include <benchmark/benchmark.h>

#include <map>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {
namespace {

constexpr int64_t kDinoWidth = 1024;

WildRayZer& Model(int64_t bits) {
  static std::map<int64_t, WildRayZer> models;
  const auto found = models.find(bits);
  if (found != models.end()) return found->second;
  models.clear();
  ModelConfig config;
  config.use_motion = true;
  config.motion.cross_view = false;
  config.motion.dino_width = kDinoWidth;
  WildRayZer model(config);
  RandomInit(model, /*seed=*/1);
  if (bits == 16) CastWeights(*model, Precision::kBf16);
  return models.emplace(bits, model).first->second;
}

torch::Tensor Images(int64_t views) {
  torch::manual_seed(1);
  return torch::rand({1, views, 3, 256, 256});
}

void ReportMemory(benchmark::State& state) {
  state.counters["peak_GB"] = static_cast<double>(PeakResidentBytes()) / 1e9;
}

void BM_Tokenize(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  WildRayZer& model = Model(state.range(0));
  const torch::Tensor images = Images(state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(model->Tokenize(images).tokens.data_ptr());
  ReportMemory(state);
}

void BM_EstimateCameras(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  WildRayZer& model = Model(state.range(0));
  const ViewTokens views = model->Tokenize(Images(state.range(1)));
  for (auto _ : state) benchmark::DoNotOptimize(model->EstimateCameras(views).c2w.data_ptr());
  ReportMemory(state);
}

void BM_PredictMotion(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  WildRayZer& model = Model(state.range(0));
  const ViewTokens views = model->Tokenize(Images(state.range(1)));
  const Cameras cameras = model->EstimateCameras(views);
  const torch::Tensor features = torch::randn({1, state.range(1), kDinoWidth, 16, 16});
  for (auto _ : state) {
    const torch::Tensor rays = model->ConditioningRayTokens(cameras, views.height, views.width);
    benchmark::DoNotOptimize(model->PredictMotion(views, rays, features).data_ptr());
  }
  ReportMemory(state);
}

void BM_EncodeScene(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  WildRayZer& model = Model(state.range(0));
  const ViewTokens views = model->Tokenize(Images(state.range(1)));
  const Cameras cameras = model->EstimateCameras(views);
  for (auto _ : state) {
    const torch::Tensor rays = model->ConditioningRayTokens(cameras, views.height, views.width);
    benchmark::DoNotOptimize(model->EncodeScene(views, rays).tokens.data_ptr());
  }
  ReportMemory(state);
}

void BM_RenderOneView(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  WildRayZer& model = Model(state.range(0));
  const ViewTokens views = model->Tokenize(Images(state.range(1)));
  const Cameras cameras = model->EstimateCameras(views);
  const torch::Tensor rays = model->ConditioningRayTokens(cameras, views.height, views.width);
  const torch::Tensor scene = model->EncodeScene(views, rays).tokens;
  for (auto _ : state) {
    benchmark::DoNotOptimize(model->Render(scene, cameras.Views(1, 1), 256, 256).data_ptr());
  }
  ReportMemory(state);
}

// One precision after the other, so that the model is converted once.
BENCHMARK(BM_Tokenize)->Args({32, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({32, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_PredictMotion)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EncodeScene)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_RenderOneView)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_Tokenize)->Args({16, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({16, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_PredictMotion)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EncodeScene)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_RenderOneView)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace wildrayzer

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
