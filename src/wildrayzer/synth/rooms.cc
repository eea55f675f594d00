#include "wildrayzer/synth/rooms.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <tuple>

#include "wildrayzer/data/scene_writer.h"
#include "wildrayzer/synth/cutouts.h"
#include "wildrayzer/synth/render.h"
#include "wildrayzer/synth/scene_files.h"
#include "wildrayzer/synth/summary.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

int CountOf(const SplitCounts& counts, Split split) {
  return split == Split::kTrain ? counts.train : split == Split::kValidation ? counts.val : counts.test;
}

void Check(const RoomsOptions& o) {
  const auto range = [](const char* name, int value, int low, int high) {
    if (value < low || value > high) {
      throw UsageError(fmt::format("--{} must be between {} and {}, not {}", name, low, high, value));
    }
  };
  if (o.out.empty()) throw UsageError("--out must name a folder");
  range("size", o.size, 32, 1024);
  range("frames", o.frames, 8, 1000);
  if (o.aspects.empty()) throw UsageError("--aspect must name at least one shape");
  range("samples", o.samples, 1, 256);
  range("threads", o.threads, 0, 4096);
  int total = o.paired + o.paired_val;
  for (const SplitCounts& c : {o.still, o.dynamic, o.cutouts}) {
    for (const int n : {c.train, c.val, c.test}) {
      range("static, --dynamic and --cutouts", n, 0, 999999);
      total += n;
    }
  }
  range("paired", o.paired, 0, 999999);
  range("paired-val", o.paired_val, 0, 999999);
  if (total == 0) throw UsageError("nothing to make: ask for --static, --dynamic, --paired or --cutouts");
}

// Settings that decide the content of a scene. Counts may grow from run to run.
Json Settings(const RoomsOptions& o, const Catalogue& catalogue) {
  uint64_t models = 0;
  for (const ModelInfo& model : catalogue.models()) models = SplitMix64(models ^ Fnv1a64(model.id));
  Json size = o.size;
  if (o.aspects != std::vector<double>{1}) size = {{"side", o.size}, {"aspects", o.aspects}};
  return {{"format", 1},          {"seed", o.seed},
          {"size", size},         {"frames", o.frames},
          {"samples", o.samples}, {"mover_shadows", o.mover_shadows},
          {"depth", o.depth},     {"models", fmt::format("{:016x}", models)}};
}

class RoomsMaker {
 public:
  RoomsMaker(const RoomsOptions& options, const Catalogue& catalogue, Progress& progress)
      : options_(options),
        catalogue_(catalogue),
        progress_(progress),
        threads_(options.threads > 0 ? options.threads : AvailableCores()) {}

  void MakeScenes(const Subset& subset) {
    const fs::path root = options_.out / subset.folder;
    RemoveSceneLeftovers(root);
    std::vector<int> missing;
    for (int i = 0; i < subset.count; ++i) {
      if (!SceneIsComplete(root, SceneName(subset, i))) missing.push_back(i);
    }
    Run(subset.title, missing, subset.count, [&](int i) { MakeOne(subset, root, i); });
    frames_ += static_cast<int64_t>(missing.size()) * options_.frames;
  }

  void MakeCutouts(Split split) {
    const int count = CountOf(options_.cutouts, split);
    if (count == 0) return;
    const fs::path root = options_.out / "coco" / SplitName(split);
    std::vector<int> missing;
    for (int i = 0; i < count; ++i) {
      if (!CutoutIsComplete(root, i)) missing.push_back(i);
    }
    Run(fmt::format("cut-outs {}", SplitName(split)), missing, count, [&](int i) {
      WriteCutout(root, i, catalogue_,
                  {SceneSeed("cut-out", split, i), split, options_.size, options_.samples});
    });
    WriteInstances(root, count);
    WriteCutoutSheet(root, count);
  }

  RoomsReport report() const {
    RoomsReport r = report_;
    if (frames_ > 0) r.frame_seconds = scene_seconds_ / static_cast<double>(frames_);
    return r;
  }

 private:
  // Seeds of different lists, splits and places never meet: each is a hash of all four.
  uint64_t SceneSeed(const std::string& list, Split split, int index) const {
    return SplitMix64(SplitMix64(options_.seed) ^
                      Fnv1a64(fmt::format("{}/{}/{}", list, SplitName(split), index)));
  }

  void Run(const std::string& title, const std::vector<int>& missing, int count,
           const std::function<void(int)>& job) {
    report_.found += count - static_cast<int>(missing.size());
    if (missing.empty()) return;
    progress_.Stage(title, static_cast<int>(missing.size()));
    const auto start = std::chrono::steady_clock::now();
    std::mutex mutex;
    RunParallel(static_cast<int>(missing.size()), threads_, [&](int i) {
      ThrowIfInterrupted();
      job(missing[static_cast<size_t>(i)]);
      const std::lock_guard lock(mutex);
      progress_.Step();
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_.made += static_cast<int>(missing.size());
    report_.seconds += seconds;
    if (!title.starts_with("cut-outs")) scene_seconds_ += seconds;
  }

  void MakeOne(const Subset& subset, const fs::path& root, int index) {
    SceneOptions made;
    made.seed = SceneSeed(subset.pairs    ? "paired"
                          : subset.movers ? "dynamic"
                                          : "static",
                          subset.split, index);
    made.split = subset.split;
    made.frames = options_.frames;
    made.movers = subset.movers;
    const double aspect = options_.aspects[static_cast<size_t>(index) % options_.aspects.size()];
    made.aspect = static_cast<float>(aspect);
    const Scene scene = MakeScene(catalogue_, made);
    RenderOptions render;
    render.width = static_cast<int>(std::lround(options_.size * std::sqrt(aspect)));
    render.height = static_cast<int>(std::lround(options_.size / std::sqrt(aspect)));
    render.samples = options_.samples;
    render.mover_shadows = options_.mover_shadows;
    Renderer renderer(scene, catalogue_, render, made.seed);
    std::vector<Frame> frames;
    for (size_t f = 0; f < scene.views.size(); ++f) frames.push_back(renderer.Render(f));
    WriteSceneFiles(root, SceneName(subset, index), scene, catalogue_, made, frames,
                    {subset.movers, subset.pairs || made.split == Split::kTrain, options_.depth});
  }

  const RoomsOptions& options_;
  const Catalogue& catalogue_;
  Progress& progress_;
  int threads_;
  RoomsReport report_;
  int64_t frames_ = 0;
  double scene_seconds_ = 0;
};

// The catalogues when they are installed, else the built-in models, and the log says which.
bool FillCatalogue(const RoomsOptions& options, Catalogue& catalogue) {
  const int found = options.built_in ? 0 : AddSweetHomeModels(catalogue, options.models);
  if (found == 0) {
    AddBuiltInModels(catalogue);
    if (options.built_in) {
      LogInfo("furnishing with the built-in models");
    } else {
      LogInfo(
          "no model catalogues (*.sh3f) in {}; furnishing with the built-in models. Install the Debian "
          "package "
          "sweethome3d-furniture for real furniture and people",
          options.models.string());
    }
  }
  catalogue.AssignSplits();
  return found == 0;
}

}  // namespace

std::vector<Subset> Subsets(const RoomsOptions& o) {
  std::vector<Subset> all;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const std::string name = SplitName(split);
    all.push_back({"static " + name, fs::path("re10k") / name, "room_" + name, "full_list", split,
                   CountOf(o.still, split), false, false});
    const std::string list = split == Split::kTest ? "dre10k_final_context" : "full_list";
    all.push_back({"dynamic " + name, fs::path("dynamic_re10k") / name, "moving_" + name, list, split,
                   CountOf(o.dynamic, split), true, false});
  }
  for (const auto& [split, prefix, count] : {std::tuple{Split::kValidation, "wildrayzer_val", o.paired_val},
                                             std::tuple{Split::kTest, "wildrayzer", o.paired}}) {
    const std::string name = SplitName(split);
    all.push_back({"paired " + name, fs::path("dynamic_re10k") / name, prefix, "wildrayzer_final_context",
                   split, count, true, true});
  }
  std::erase_if(all, [](const Subset& s) { return s.count == 0; });
  return all;
}

RoomsReport MakeRooms(const RoomsOptions& options, Progress& progress) {
  Check(options);
  Catalogue catalogue(std::make_shared<const RayDevice>());
  const bool built_in = FillCatalogue(options, catalogue);
  OpenMadeFolder(options.out, "rooms.json", "rooms", Settings(options, catalogue));
  RoomsMaker maker(options, catalogue, progress);
  for (const Subset& subset : Subsets(options)) {
    maker.MakeScenes(subset);
    WriteLists(options.out, subset);
    WriteSceneSheet(options.out, subset);
  }
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) maker.MakeCutouts(split);
  WriteAttribution(options.out, catalogue);
  progress.Finish();
  RoomsReport report = maker.report();
  report.models = catalogue.models().size();
  report.built_in = built_in;
  return report;
}

}  // namespace wildrayzer::synth
