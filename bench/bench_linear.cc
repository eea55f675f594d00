// Speed of the linear layers of the model in both precisions.
#include <benchmark/benchmark.h>

#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/tensor.h"

namespace {

using benchmark::Counter;

// Arguments: tokens, in, out.
void Product(benchmark::State& state, torch::ScalarType dtype) {
  const torch::NoGradGuard guard;
  const torch::Tensor x = torch::randn({1, state.range(0), state.range(1)});
  const torch::Tensor weight = torch::randn({state.range(2), state.range(1)}).to(dtype);
  for (auto _ : state) benchmark::DoNotOptimize(wildrayzer::LinearProduct(x, weight).data_ptr());
  state.counters["GFLOP/s"] =
      Counter(2e-9 * static_cast<double>(state.range(0) * state.range(1) * state.range(2)),
              Counter::kIsIterationInvariantRate, Counter::OneK::kIs1000);
}

// qkv, projection and MLP of a block with 2056 tokens; the MLP of DINOv3 7B with the 261 tokens of one view.
void ModelSizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2056, 768, 2304})->Args({2056, 768, 768})->Args({2056, 768, 3072})->Args({2056, 3072, 768});
  bench->Args({1024, 768, 3072})->Args({261, 4096, 8192})->Args({8, 768, 3072});
  bench->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(Product, fp32, torch::kFloat32)->Apply(ModelSizes);
BENCHMARK_CAPTURE(Product, bf16, torch::kBFloat16)->Apply(ModelSizes);

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
