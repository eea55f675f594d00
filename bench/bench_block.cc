// Speed of whole transformer blocks and of DINOv3 layers.
#include <benchmark/benchmark.h>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/nn/module.h"

namespace {

using wildrayzer::Block;
using wildrayzer::Dinov3;
using wildrayzer::Dinov3Config;

void ConvertMatrices(torch::nn::Module& module, torch::ScalarType dtype) {
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 2 || parameter.dim() == 4) parameter.set_data(parameter.to(dtype));
  }
}

// Argument: tokens. Width 768, heads of 64, MLP 4 x; products and attention counted, nothing else.
void TransformerBlock(benchmark::State& state, torch::ScalarType dtype) {
  const torch::NoGradGuard guard;
  Block block(768, 64);
  wildrayzer::InitializeTransformerBlock(block, 0.02, 1, "block.");
  ConvertMatrices(*block, dtype);
  const int64_t tokens = state.range(0);
  const torch::Tensor x = torch::randn({1, tokens, 768});
  for (auto _ : state) benchmark::DoNotOptimize(block->forward(x).data_ptr());
  const double operations = 24.0 * tokens * 768 * 768 + 4.0 * tokens * tokens * 768;
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_CAPTURE(TransformerBlock, fp32, torch::kFloat32)
    ->Arg(2056)
    ->Arg(1024)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(TransformerBlock, bf16, torch::kBFloat16)
    ->Arg(2056)
    ->Arg(1024)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Argument: views of 256 x 256.
void Dinov3Small(benchmark::State& state) {
  Dinov3 model(Dinov3Config::Variant("vits16"));
  model->InitializeRandom(1);
  const torch::Tensor images = torch::rand({state.range(0), 3, 256, 256});
  for (auto _ : state) benchmark::DoNotOptimize(model->PatchFeatures(images).data_ptr());
}
BENCHMARK(Dinov3Small)->Arg(1)->Arg(8)->UseRealTime()->Unit(benchmark::kMillisecond);

// One of the 40 layers of the ViT-7B.
void Dinov3SevenBLayer(benchmark::State& state, torch::ScalarType dtype) {
  Dinov3Config config = Dinov3Config::Variant("vit7b16");
  config.layers = 1;
  Dinov3 model(config);
  model->InitializeRandom(1);
  ConvertMatrices(*model, dtype);
  const torch::Tensor images = torch::rand({state.range(0), 3, 256, 256});
  for (auto _ : state) benchmark::DoNotOptimize(model->PatchFeatures(images).data_ptr());
}
BENCHMARK_CAPTURE(Dinov3SevenBLayer, fp32, torch::kFloat32)
    ->Arg(1)
    ->Arg(8)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Dinov3SevenBLayer, bf16, torch::kBFloat16)
    ->Arg(1)
    ->Arg(8)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
