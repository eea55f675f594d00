#include "wildrayzer/worlds/world_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>

#include "wildrayzer/data/scene_writer.h"
#include "wildrayzer/util/append_file.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/output_folder.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/worlds/world_scene_files.h"
#include "wildrayzer/worlds/world_sheet.h"
#include "wildrayzer/worlds/world_statistics.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using SetJson = nlohmann::ordered_json;
using SetClock = std::chrono::steady_clock;

constexpr int kPatchesOfASide = 16;  // of a square frame
constexpr int kWorldsOfASheet = 8, kMostSheets = 6;
// Worlds whose facts are kept together; a run that is stopped loses no more.
constexpr int kWorldsAtATime = 32;

double SecondsSince(SetClock::time_point start) {
  return std::chrono::duration<double>(SetClock::now() - start).count();
}

void CheckWorldSet(const WorldSetOptions& o) {
  const auto whole = [](const char* name, int value, int low, int high) {
    if (value < low || value > high)
      throw UsageError(fmt::format("--{} must be between {} and {}, not {}", name, low, high, value));
  };
  const auto part = [](const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      throw UsageError(fmt::format("--{} must be between {} and {}, not {}", name, low, high, value));
  };
  if (o.out.empty()) throw UsageError("--out must name a folder");
  whole("scenes", o.scenes, 1, 1000000);
  whole("size", o.size, 32, 512);
  if (o.size % kPatchesOfASide != 0)
    throw UsageError(fmt::format("--size must be a multiple of {}, not {}", kPatchesOfASide, o.size));
  whole("views", o.drawn.views, 2, 64);
  whole("inputs", o.drawn.inputs, 1, o.drawn.views - 1);
  whole("threads", o.threads, 0, 1024);
  whole("textures", o.textures.procedural, 1, 100000);
  whole("figures", o.textures.procedural_cutouts, 1, 100000);
  part("min-overlap", o.drawn.min_overlap, 0, 0.9);
  part("motion", o.drawn.motion, 0.01, 1);
  part("movers", o.drawn.movers, 0, 1);
}

std::vector<FrameShape> ShapesOfAspects(const std::vector<std::string>& aspects) {
  if (aspects == std::vector<std::string>{"mixed"}) return ShapesAbout(kPatchesOfASide, kPatchesOfASide);
  std::vector<FrameShape> shapes;
  for (const std::string& aspect : aspects)
    shapes.push_back(ShapeOfRatio(ParseAspect(aspect), kPatchesOfASide, kPatchesOfASide));
  if (shapes.empty()) throw UsageError("--aspect must name at least one shape");
  return shapes;
}

// Of the numbers of a world: another version of the program may draw others.
uint64_t FingerprintOf(const World& world) {
  std::string numbers;
  const auto add = [&numbers](Float3 v) { numbers += fmt::format("{} {} {} ", v.x, v.y, v.z); };
  for (const Primitive& thing : world.primitives) add(thing.centre), add(thing.half);
  for (const Paper& paper : world.papers) add(paper.base), add(paper.gain);
  for (const WorldView& view : world.views) add(view.position), add(view.axes.z), add(view.gain);
  for (const Light& light : world.lights) add(light.colour);
  return Fnv1a64(numbers);
}

// What decides the content of a world.
SetJson SettingsOf(const WorldSetOptions& o, const TextureBank& bank, const World& first) {
  const std::string_view texels(reinterpret_cast<const char*>(bank.texels().data()), bank.texels().size());
  const WorldOptions& d = o.drawn;
  return {{"format", 1},
          {"seed", o.seed},
          {"size", o.size},
          {"aspect", o.aspects},
          {"views", d.views},
          {"inputs", d.inputs},
          {"min_overlap", d.min_overlap},
          {"motion", d.motion},
          {"movers", d.movers},
          {"textures", fmt::format("{:016x}", Fnv1a64(texels))},
          {"first_world", fmt::format("{:016x}", FingerprintOf(first))}};
}

class WorldSetMaker {
 public:
  WorldSetMaker(const WorldSetOptions& options, const TextureBank& bank, RenderWorldFunction render,
                Progress& progress)
      : options_(options),
        bank_(bank),
        render_(std::move(render)),
        progress_(progress),
        shapes_(ShapesOfAspects(options.aspects)),
        threads_(options.threads > 0 ? options.threads : AvailableCores()) {}

  World Draw(int index, FrameShape& shape) const {
    Random random(options_.seed, fmt::format("world {}", index));
    shape = shapes_[random.Below(shapes_.size())];
    WorldOptions drawn = options_.drawn;
    drawn.width = options_.size / kPatchesOfASide * shape.columns;
    drawn.height = options_.size / kPatchesOfASide * shape.rows;
    return DrawWorld(bank_, drawn, random);
  }

  // Measures the worlds that `facts` lacks, and writes the scenes that are missing.
  void MakeWorlds(WorldSetReport& report) {
    ReadFacts();
    report.found = std::min(static_cast<int>(facts_.size()), options_.scenes);
    MakeScenesOfFound();
    const int begin = static_cast<int>(facts_.size());
    if (begin >= options_.scenes) return;
    progress_.Stage("worlds", options_.scenes - begin);
    const auto start = SetClock::now();
    for (int first = begin; first < options_.scenes; first += kWorldsAtATime) {
      MeasureSome(first, std::min(kWorldsAtATime, options_.scenes - first));
    }
    report.made = options_.scenes - begin;
    report.world_seconds = SecondsSince(start) / report.made;
  }

  void WriteSummaries() const {
    const std::vector<MeasuredWorld> worlds(facts_.begin(), facts_.begin() + options_.scenes);
    SetJson statistics = {{"seed", options_.seed},
                          {"size", options_.size},
                          {"aspect", options_.aspects},
                          {"inputs", options_.drawn.inputs},
                          {"min_overlap", options_.drawn.min_overlap},
                          {"motion", options_.drawn.motion},
                          {"textures",
                           {{"procedural", bank_.procedural().count()},
                            {"crops", bank_.crops().count()},
                            {"cutouts", bank_.cutouts().count()}}}};
    statistics.update(WorldStatistics(worlds, options_.drawn));
    WriteFileAtomically(options_.out / "statistics.json", statistics.dump(1) + "\n");
    WriteFileAtomically(options_.out / "histograms.svg", WorldHistograms(worlds, options_.drawn));
    if (options_.layout) WriteLists();
  }

  void WriteSheets() {
    rows_.resize(static_cast<size_t>(Shown()));
    std::vector<int> missing;
    for (int i = 0; i < Shown(); ++i) {
      if (rows_[static_cast<size_t>(i)].empty()) missing.push_back(i);
    }
    progress_.Stage("sheets", static_cast<int>(missing.size()));
    RunParallel(static_cast<int>(missing.size()), threads_, [&](int i) {
      const int index = missing[static_cast<size_t>(i)];
      rows_[static_cast<size_t>(index)] = SheetRow(Make(index).second, options_.drawn.inputs);
      Step();
    });
    for (int first = 0; first < Shown(); first += kWorldsOfASheet) {
      const int last = std::min(first + kWorldsOfASheet, Shown());
      WritePng(options_.out / fmt::format("sheet_{:03d}.png", first / kWorldsOfASheet),
               Sheet({rows_.begin() + first, rows_.begin() + last}, std::min(options_.size, 160)));
    }
  }

 private:
  fs::path scenes() const { return options_.out / "scenes"; }
  // How many worlds are on sheets: the first ones.
  int Shown() const { return std::min(options_.scenes, kWorldsOfASheet * kMostSheets); }

  std::pair<World, RenderedWorld> Make(int index) const {
    ThrowIfInterrupted();
    FrameShape shape;
    World world = Draw(index, shape);
    RenderedWorld rendered = render_(world, shape, options_.size / kPatchesOfASide);
    return {std::move(world), std::move(rendered)};
  }

  void MeasureSome(int first, int count) {
    rows_.resize(static_cast<size_t>(Shown()));
    std::vector<MeasuredWorld> measured(static_cast<size_t>(count));
    RunParallel(count, threads_, [&](int i) {
      const auto [world, rendered] = Make(first + i);
      measured[static_cast<size_t>(i)] = MeasureWorld(first + i, world, bank_, rendered);
      if (options_.layout) WriteWorldScene(scenes(), first + i, world, rendered);
      if (first + i < Shown())
        rows_[static_cast<size_t>(first + i)] = SheetRow(rendered, options_.drawn.inputs);
      Step();
    });
    std::string lines;
    for (const MeasuredWorld& world : measured) lines += FactsLine(world);
    AppendFile file(options_.out / "facts.jsonl");
    file.Append(lines);
    // As a later run would read them.
    for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
      facts_.push_back(
          ParseFactsLine(lines.substr(at, lines.find('\n', at) - at), options_.out / "facts.jsonl"));
  }

  // Keeps the whole lines of the file: a run may have been killed within one.
  void ReadFacts() {
    const fs::path path = options_.out / "facts.jsonl";
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    size_t begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      facts_.push_back(ParseFactsLine(text.substr(begin, end - begin), path));
      if (facts_.back().index + 1 != static_cast<int>(facts_.size()) ||
          facts_.back().views.size() != static_cast<size_t>(options_.drawn.views)) {
        throw FileError(path.string(), "is damaged; remove it to have the worlds made again");
      }
      begin = end + 1;
    }
    if (begin < text.size()) WriteFileAtomically(path, text.substr(0, begin));
  }

  void MakeScenesOfFound() {
    if (!options_.layout) return;
    RemoveSceneLeftovers(scenes());
    std::vector<int> missing;
    for (int i = 0; i < std::min(static_cast<int>(facts_.size()), options_.scenes); ++i) {
      if (!SceneIsComplete(scenes(), WorldName(i))) missing.push_back(i);
    }
    if (missing.empty()) return;
    progress_.Stage("scenes", static_cast<int>(missing.size()));
    RunParallel(static_cast<int>(missing.size()), threads_, [&](int i) {
      const int index = missing[static_cast<size_t>(i)];
      const auto [world, rendered] = Make(index);
      WriteWorldScene(scenes(), index, world, rendered);
      Step();
    });
  }

  void WriteLists() const {
    std::vector<std::string> names;
    std::vector<ListedViews> judged;
    for (int i = 0; i < options_.scenes; ++i) {
      ListedViews views{WorldName(i), {}, {}};
      for (int view = 0; view < options_.drawn.views; ++view)
        (view < options_.drawn.inputs ? views.inputs : views.targets).push_back(view);
      names.push_back(views.scene);
      judged.push_back(std::move(views));
    }
    WriteSceneList(scenes() / "full_list.txt", "scenes", names);
    WriteViewIndex(scenes() / fmt::format("full_list_context_{}_view_idx.json", options_.drawn.inputs),
                   judged);
  }

  void Step() const {
    const std::lock_guard lock(mutex_);
    progress_.Step();
  }

  const WorldSetOptions& options_;
  const TextureBank& bank_;
  RenderWorldFunction render_;
  Progress& progress_;
  std::vector<FrameShape> shapes_;
  int threads_;
  std::vector<MeasuredWorld> facts_;      // of worlds 0, 1, ...
  std::vector<std::vector<Image>> rows_;  // of sheets, by world; empty: not made yet
  mutable std::mutex mutex_;
};

}  // namespace

RenderWorldFunction RenderOnProcessor(const TextureBank& bank) {
  return [&bank](const World& world, const FrameShape& shape, int patch) {
    RenderedWorld rendered(shape, patch, static_cast<int>(world.views.size()));
    RenderWorlds({&world, 1}, bank, 1, rendered.frames());
    return rendered;
  };
}

WorldSetReport MakeWorldSet(const WorldSetOptions& options, const WorldRendererMaker& renderer,
                            Progress& progress) {
  CheckWorldSet(options);
  ShapesOfAspects(options.aspects);
  CheckOwnFolder(options.out, "worlds.json", "worlds");  // before the textures take their time
  WorldSetReport report;
  progress.Stage("textures");
  const auto start = SetClock::now();
  const int threads = options.threads > 0 ? options.threads : AvailableCores();
  const TextureBank bank = TextureBank::Make(options.textures, options.seed, threads);
  report.bank_seconds = SecondsSince(start);
  WorldSetMaker maker(options, bank, renderer(bank), progress);
  FrameShape shape;
  OpenMadeFolder(options.out, "worlds.json", "worlds", SettingsOf(options, bank, maker.Draw(0, shape)));
  maker.MakeWorlds(report);
  maker.WriteSummaries();
  maker.WriteSheets();
  progress.Finish();
  return report;
}

}  // namespace wildrayzer
