// Seconds of every stage of the full-size model (d 768, 12/8/12 layers, 256 x 256, 768 scene tokens), with
// random weights, and of one view of an encoded scene in both layouts (model.scene: codes or tokens), also at
// the small model's size (d 192, 4 renderer layers, 128 x 128, 64 codes):
//   build/bench/bench_model
// The arguments are the precision (32 or 16 for bf16) and the number of views; of a render the precision, the
// width d, and 1 for tokens.
#include <benchmark/benchmark.h>

#include <map>
#include <string>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {
namespace {

constexpr int64_t kDinoWidth = 1024;

constexpr int64_t kFullWidth = 768, kSmallWidth = 192;

ModelConfig Full() {
  ModelConfig config;
  config.use_motion = true;
  config.motion.cross_view = false;
  config.motion.dino_width = kDinoWidth;
  return config;
}

// The width and numbers of layers of configs/small.yaml, without motion.
ModelConfig Small() {
  ModelConfig config;
  config.height = config.width = 128;
  config.d = kSmallWidth;
  config.d_head = 32;
  config.scene_tokens = 64;
  config.camera_estimator_layers = 6;
  config.scene_encoder_layers = 3;
  config.renderer_layers = 4;
  return config;
}

// One model at a time: it is large.
WildRayZer& Model(int64_t bits, const ModelConfig& config = Full()) {
  static std::map<std::string, WildRayZer> models;
  const std::string key = std::to_string(bits) + config.ToYaml();
  const auto found = models.find(key);
  if (found != models.end()) return found->second;
  models.clear();
  WildRayZer model(config);
  RandomInit(model, /*seed=*/1);
  if (bits == 16) CastWeights(*model, Precision::kBf16);
  return models.emplace(key, model).first->second;
}

torch::Tensor Images(int64_t views, int64_t side = 256) {
  torch::manual_seed(1);
  return torch::rand({1, views, 3, side, side});
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
  ModelConfig config = state.range(1) == kFullWidth ? Full() : Small();
  if (state.range(2) == 1) config.scene = SceneLayout::kTokens;
  WildRayZer& model = Model(state.range(0), config);
  const ViewTokens views = model->Tokenize(Images(2, config.height));
  const Cameras cameras = model->EstimateCameras(views);
  const torch::Tensor rays = model->ConditioningRayTokens(cameras, views.height, views.width);
  const SceneMemory scene = model->EncodeScene(views, rays).memory;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        model->Render(scene, cameras.Views(1, 1), config.height, config.width).data_ptr());
  }
  ReportMemory(state);
}

// One precision after the other, so that the model is converted once.
BENCHMARK(BM_Tokenize)->Args({32, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({32, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_PredictMotion)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EncodeScene)->Args({32, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_RenderOneView)
    ->ArgsProduct({{32}, {kFullWidth, kSmallWidth}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_Tokenize)->Args({16, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EstimateCameras)->Args({16, 8})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_PredictMotion)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_EncodeScene)->Args({16, 2})->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(BM_RenderOneView)
    ->ArgsProduct({{16}, {kFullWidth, kSmallWidth}, {0, 1}})
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
