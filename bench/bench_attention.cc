// Speed of attention at the sizes of the model, beside a matrix product of the BLAS in the same run.
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/tensor.h"

namespace {

using benchmark::Counter;

void Report(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] =
      Counter(operations * 1e-9, Counter::kIsIterationInvariantRate, Counter::OneK::kIs1000);
  state.SetLabel(wildrayzer::SimdName(wildrayzer::AvailableSimd()));
}

torch::Tensor Heads(int64_t heads, int64_t tokens, int64_t size, torch::ScalarType dtype) {
  return torch::randn({1, tokens, heads, size}).to(dtype).transpose(1, 2);
}

// The yardstick: C = A B, 2048 x 768 x 3072.
void MatrixProduct(benchmark::State& state) {
  const torch::NoGradGuard guard;
  const torch::Tensor a = torch::randn({2048, 768});
  const torch::Tensor b = torch::randn({768, 3072});
  for (auto _ : state) benchmark::DoNotOptimize(torch::matmul(a, b).data_ptr());
  Report(state, 2.0 * 2048 * 768 * 3072);
}
BENCHMARK(MatrixProduct)->UseRealTime()->Unit(benchmark::kMillisecond);

// Arguments: queries, keys, heads, head size.
void Forward(benchmark::State& state, torch::ScalarType dtype) {
  const torch::NoGradGuard guard;
  const int64_t size = state.range(3);
  const torch::Tensor q = Heads(state.range(2), state.range(0), size, dtype);
  const torch::Tensor k = Heads(state.range(2), state.range(1), size, dtype);
  const torch::Tensor v = Heads(state.range(2), state.range(1), size, dtype);
  const double scale = 1.0 / std::sqrt(static_cast<double>(size));
  for (auto _ : state) benchmark::DoNotOptimize(wildrayzer::Attention(q, k, v, scale).data_ptr());
  Report(state, 4.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2) * size));
}

// Backward alone needs five products; the forward pass that it repeats is not counted.
void ForwardAndBackward(benchmark::State& state, torch::ScalarType dtype) {
  const int64_t size = state.range(3);
  const torch::Tensor q = Heads(state.range(2), state.range(0), size, dtype).requires_grad_();
  const torch::Tensor k = Heads(state.range(2), state.range(1), size, dtype).requires_grad_();
  const torch::Tensor v = Heads(state.range(2), state.range(1), size, dtype).requires_grad_();
  const double scale = 1.0 / std::sqrt(static_cast<double>(size));
  const torch::Tensor grad =
      torch::randn({1, state.range(0), state.range(2), size}).to(dtype).transpose(1, 2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        torch::autograd::grad({wildrayzer::Attention(q, k, v, scale)}, {q, k, v}, {grad}));
  }
  Report(state, 14.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2) * size));
}

// Camera estimator (8 views), its last block (camera tokens only), renderer, scene encoder, DINOv3 S and 7B.
void ModelSizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2056, 2056, 12, 64})
      ->Args({8, 2056, 12, 64})
      ->Args({1024, 1024, 12, 64})
      ->Args({1280, 1280, 12, 64});
  bench->Args({261, 261, 6, 64})->Args({261, 261, 32, 128});
  bench->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(Forward, fp32, torch::kFloat32)->Apply(ModelSizes);
BENCHMARK_CAPTURE(Forward, bf16, torch::kBFloat16)->Apply(ModelSizes);
BENCHMARK_CAPTURE(ForwardAndBackward, fp32, torch::kFloat32)
    ->Args({2056, 2056, 12, 64})
    ->Args({1024, 1024, 12, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
