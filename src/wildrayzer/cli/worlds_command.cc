// wildrayzer worlds: draws training worlds to look at and to measure.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/score_worlds.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/training/worlds_on_device.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/worlds/world_set.h"

namespace wildrayzer {
namespace {

struct WorldsSettings {
  WorldSetOptions worlds;
  std::vector<std::string> pictures, cutouts;
  std::string device = "auto";
  std::string score;
  int score_worlds = 128;
  bool json = false;
};

void CopyTo(const torch::Tensor& from, std::vector<float>& to) {
  const torch::Tensor here = from.cpu().contiguous();
  std::memcpy(to.data(), here.data_ptr<float>(), to.size() * sizeof(float));
}

// Renders where the device is, and brings everything back.
RenderWorldFunction RenderOnDevice(const TextureBank& bank, torch::Device device) {
  auto renderer = std::make_shared<const WorldRenderer>(bank, device, 1);
  return [renderer](const World& world, const FrameShape& shape, int patch) {
    RenderedWorld out(shape, patch, static_cast<int>(world.views.size()));
    const WorldTensors tensors =
        renderer->Render({&world, 1}, {out.width(), out.height(), patch, /*depth=*/true});
    CopyTo(tensors.images, out.seen);
    CopyTo(tensors.clean, out.clean);
    CopyTo(tensors.cover, out.cover);
    CopyTo(tensors.depth, out.depth);
    CopyTo(tensors.matches, out.matches);
    CopyTo(tensors.log_depth, out.log_depth);
    CopyTo(tensors.visible, out.visible);
    return out;
  };
}

void RunWorlds(WorldsSettings& settings) {
  WorldSetOptions& worlds = settings.worlds;
  worlds.textures.pictures.assign(settings.pictures.begin(), settings.pictures.end());
  worlds.textures.cutouts.assign(settings.cutouts.begin(), settings.cutouts.end());
  const torch::Device device = ChooseDevice(settings.device);
  Progress progress(IsVerbose());
  const WorldSetReport report = MakeWorldSet(
      worlds,
      [device](const TextureBank& bank) {
        return device.is_cpu() ? RenderOnProcessor(bank) : RenderOnDevice(bank, device);
      },
      progress);
  if (!settings.score.empty()) {
    WorldScoreOptions score;
    score.worlds = settings.score_worlds;
    score.seed = worlds.seed;
    score.inputs = worlds.drawn.inputs;
    score.targets = std::max(1, worlds.drawn.views - worlds.drawn.inputs);
    score.drawn = worlds.drawn;
    score.textures = worlds.textures;
    ScoreModelOnWorlds(settings.score, score, device, worlds.out);
  }
  const double a_second = report.world_seconds > 0 ? 1 / report.world_seconds : 0;
  if (settings.json) {
    const nlohmann::ordered_json json = {{"out", worlds.out.string()},
                                         {"device", DeviceText(device)},
                                         {"made", report.made},
                                         {"found", report.found},
                                         {"texture_seconds", report.bank_seconds},
                                         {"worlds_a_second", a_second}};
    std::printf("%s\n", json.dump(1).c_str());
    return;
  }
  LogInfo("{}: {} worlds made, {} complete before, {:.1f} a second; see sheet_000.png and histograms.svg",
          worlds.out.string(), report.made, report.found, a_second);
}

void AddContentOptions(CLI::App& command, WorldsSettings& settings) {
  WorldSetOptions& worlds = settings.worlds;
  command
      .add_option("--size", worlds.size, "Pixels of a square frame's side; others have about the same area")
      ->capture_default_str();
  command.add_option("--aspect", worlds.aspects, "Shapes of the frames, for instance 4:3,1:1, or mixed")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--views", worlds.drawn.views, "Views of a world")->capture_default_str();
  command.add_option("--inputs", worlds.drawn.inputs, "How many of them are inputs")->capture_default_str();
  command.add_option("--min-overlap", worlds.drawn.min_overlap, "Least overlap with the first view")
      ->capture_default_str();
  command.add_option("--motion", worlds.drawn.motion, "Multiplies how far cameras move and turn, up to 1")
      ->capture_default_str();
  command.add_option("--movers", worlds.drawn.movers, "Share of worlds in which something moves")
      ->capture_default_str();
  command.add_option("--pictures", settings.pictures, "Pictures, or folders of them, that give textures");
  command.add_option("--cutouts", settings.cutouts,
                     "COCO data sets (folders with instances.json and images/) whose objects move");
  command.add_option("--textures", worlds.textures.procedural, "Textures made without pictures")
      ->capture_default_str();
  command
      .add_option("--figures", worlds.textures.procedural_cutouts, "Figures and things made without pictures")
      ->capture_default_str();
}

}  // namespace

void AddWorldsCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "worlds", "Draw training worlds to look at: contact sheets, statistics, and data sets if wanted");
  auto settings = std::make_shared<WorldsSettings>();
  WorldSetOptions& worlds = settings->worlds;
  command->add_option("--out,-o", worlds.out, "Folder to write; a run that was stopped goes on where it was")
      ->required();
  command->add_option("--scenes", worlds.scenes, "Number of worlds")->capture_default_str();
  command->add_option("--seed", worlds.seed, "Everything follows from it")->capture_default_str();
  AddContentOptions(*command, *settings);
  command->add_flag("--layout", worlds.layout,
                    "Also write the scenes as files that eval, train and pack read (see docs/worlds.md)");
  command->add_option("--score", settings->score,
                      "Weights of a model to score on worlds of this seed: cameras, their transfer, masks");
  command->add_option("--score-worlds", settings->score_worlds, "On how many")->capture_default_str();
  AddDeviceOption(*command, settings->device);
  command->add_option("--threads", worlds.threads, "Worlds made at the same time (default: all cores)")
      ->capture_default_str();
  command->add_flag("--json", settings->json, "Print the summary as JSON on standard output");
  command->footer("Example:\n  wildrayzer worlds --out worlds --scenes 200 --aspect mixed");
  command->callback([settings] { RunWorlds(*settings); });
}

}  // namespace wildrayzer
