// Seconds to fill the parameters of the full-size model (277 million numbers).
#include <benchmark/benchmark.h>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/tensor.h"

namespace {

void FillNormal(benchmark::State& state) {
  torch::Tensor tensor = torch::empty({state.range(0)});
  for (auto _ : state) wildrayzer::FillNormal(tensor, 0.02, 1, "benchmark");
  state.counters["numbers/s"] =
      benchmark::Counter(static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(FillNormal)->Arg(277'000'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::SetThreadsFromMachine();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
