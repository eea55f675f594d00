// Worlds a second: drawing them, and rendering pictures and truths, on one thread and on all cores.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

constexpr size_t kWorlds = 16;  // a batch

const TextureBank& Bank() {
  static const TextureBank bank = [] {
    TextureSources sources;
    sources.procedural = 96;  // a few, so that making them does not take longer than all else
    sources.procedural_cutouts = 32;
    return TextureBank::Make(sources, 1, AvailableCores());
  }();
  return bank;
}

// Something moves in every world; `side` pixels.
std::vector<World> DrawBatch(int side, int views, int threads, uint64_t first) {
  WorldOptions options;
  options.width = options.height = side;
  options.views = views;
  options.movers = 1;
  std::vector<World> worlds(kWorlds);
  RunParallel(static_cast<int>(kWorlds), threads, [&](int i) {
    Random random(first + static_cast<uint64_t>(i), "benchmark");
    worlds[static_cast<size_t>(i)] = DrawWorld(Bank(), options, random);
  });
  return worlds;
}

int Threads(const benchmark::State& state) {
  return state.range(2) == 0 ? AvailableCores() : static_cast<int>(state.range(2));
}

void Count(benchmark::State& state) {
  state.counters["worlds/s"] =
      benchmark::Counter(static_cast<double>(kWorlds), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_DrawWorlds(benchmark::State& state) {
  Bank();
  uint64_t first = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        DrawBatch(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)), Threads(state), first));
    first += kWorlds;
  }
  Count(state);
}

void BM_RenderWorlds(benchmark::State& state) {
  const auto side = static_cast<int>(state.range(0)), views = static_cast<int>(state.range(1));
  const std::vector<World> worlds = DrawBatch(side, views, AvailableCores(), 0);
  WorldFrames frames;
  frames.width = frames.height = side;
  frames.patch = side / 16;
  const size_t pixels = kWorlds * static_cast<size_t>(views * side * side);
  const size_t patches = kWorlds * static_cast<size_t>(views) * 256;
  std::vector<float> seen(3 * pixels), clean(3 * pixels), cover(pixels), matches(2 * patches),
      log_depth(patches), visible(patches);
  frames.seen = seen.data();
  frames.clean = clean.data();
  frames.cover = cover.data();
  frames.matches = matches.data();
  frames.log_depth = log_depth.data();
  frames.visible = visible.data();
  for (auto _ : state) {
    RenderWorlds(worlds, Bank(), Threads(state), frames);
    benchmark::ClobberMemory();
  }
  Count(state);
}

// Pixels a side, views, threads (0: all cores). Four samples a pixel.
void Sizes(benchmark::internal::Benchmark* bench) {
  for (const int threads : {1, 0}) {
    bench->Args({128, 7, threads});
    bench->Args({64, 5, threads});
  }
  bench->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
}
BENCHMARK(BM_DrawWorlds)->Apply(Sizes);
BENCHMARK(BM_RenderWorlds)->Apply(Sizes);

}  // namespace
}  // namespace wildrayzer

BENCHMARK_MAIN();
