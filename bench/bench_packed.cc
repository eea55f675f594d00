// Speed of reading data sets: frames a second of LoadViews over all frames of all scenes, on one thread, with
// clean pictures and masks where there are some.
//   build/bench/bench_packed SIDE PATCH DATA... [--masks=FOLDER] [--benchmark_...]
// DATA is what OpenScenes takes: a list of scenes, and packed files of the same frames. Files that were read
// lately are in memory; drop the system's cache first to time the disk.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/views.h"

namespace wildrayzer {
namespace {

void ReadEverything(benchmark::State& state, const SceneDataset& scenes, const ViewOptions& options) {
  int64_t frames = 0;
  for (auto _ : state) {
    for (size_t s = 0; s < scenes.size(); ++s) {
      const SceneRecord scene = scenes.Read(s);
      for (int i = 0; i < static_cast<int>(scene.frames.size()); ++i) {
        const std::vector<View> views = LoadViews(scene, std::span(&i, 1), options);
        benchmark::DoNotOptimize(views.front().image.rgb.data());
        ++frames;
      }
    }
  }
  state.SetItemsProcessed(frames);
}

int Run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  ViewOptions options;
  options.clean = options.masks = true;
  ListedScenesOptions listed;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("--masks=")) {
      listed.masks.roots["default"] = word.substr(8);
    } else {
      words.push_back(word);
    }
  }
  if (words.size() < 3) {
    std::fprintf(stderr, "bench_packed SIDE PATCH DATA... [--masks=FOLDER]\n");
    return 2;
  }
  options.width = options.height = std::atoi(words[0].c_str());
  options.patch = std::atoi(words[1].c_str());
  std::vector<std::unique_ptr<SceneDataset>> opened;
  for (size_t i = 2; i < words.size(); ++i) {
    opened.push_back(OpenScenes(words[i], listed));
    benchmark::RegisterBenchmark(words[i].c_str(), [&options,
                                                    scenes = opened.back().get()](benchmark::State& state) {
      ReadEverything(state, *scenes, options);
    })->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace wildrayzer

int main(int argc, char** argv) { return wildrayzer::Run(argc, argv); }
