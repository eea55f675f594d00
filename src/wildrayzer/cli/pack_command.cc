// wildrayzer pack: a data set as one file that training and evaluation map into memory.

#include <charconv>
#include <cstdio>
#include <memory>
#include <tuple>
#include <utility>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/packed_scenes.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

struct PackSettings {
  PackOptions pack;
  std::string data, out, config, size, view_index, masks;
  int patch = 0;
  bool overwrite = false, json = false;
};

// "256x192": width and height in pixels.
std::pair<int, int> ParseSize(const std::string& text) {
  int width = 0, height = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, width);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == 'x') {
    const auto second = std::from_chars(first.ptr + 1, end, height);
    if (second.ec == std::errc() && second.ptr == end && width > 0 && height > 0 && width <= kMaxImageSide &&
        height <= kMaxImageSide) {
      return {width, height};
    }
  }
  throw UsageError("--size " + text + ": give WIDTHxHEIGHT in pixels, for instance 256x256");
}

// The size that the model of --config sees, unless the options say otherwise.
void ChooseSize(PackSettings& settings) {
  PackOptions& pack = settings.pack;
  if (!settings.config.empty()) {
    const ModelConfig model = ModelConfig::FromConfig(Config::Load(settings.config));
    pack.width = static_cast<int>(model.width);
    pack.height = static_cast<int>(model.height);
    pack.patch = static_cast<int>(model.patch);
  }
  if (!settings.size.empty()) std::tie(pack.width, pack.height) = ParseSize(settings.size);
  if (settings.patch > 0) pack.patch = settings.patch;
  if (pack.width % pack.patch != 0 || pack.height % pack.patch != 0) {
    throw UsageError(fmt::format("frames of {} x {} are no whole patches of {}; change --size or --patch",
                                 pack.width, pack.height, pack.patch));
  }
}

void RunPack(PackSettings& settings) {
  if (!HasPackedExtension(settings.out))
    throw UsageError(settings.out + ": the output must end in .safetensors");
  if (fs::exists(settings.out) && !settings.overwrite)
    throw UsageError(settings.out + ": exists; add --overwrite to replace it");
  ChooseSize(settings);
  ListedScenesOptions listed;
  listed.view_index = settings.view_index;
  if (!settings.masks.empty()) {
    if (!fs::is_directory(settings.masks)) throw UsageError(settings.masks + ": is no folder");
    listed.masks.roots["default"] = settings.masks;
  }
  const std::unique_ptr<SceneDataset> scenes = OpenScenes(settings.data, listed);
  Progress progress(IsVerbose());
  const PackReport report = PackScenes(*scenes, settings.pack, settings.out, progress);
  if (settings.json) {
    const nlohmann::ordered_json json = {{"out", settings.out},
                                         {"scenes", report.scenes},
                                         {"scenes_skipped", report.skipped},
                                         {"frames", report.frames},
                                         {"clean", report.clean},
                                         {"masks", report.masks},
                                         {"width", settings.pack.width},
                                         {"height", settings.pack.height},
                                         {"patch", settings.pack.patch},
                                         {"jpeg", settings.pack.jpeg_quality},
                                         {"bytes", report.bytes}};
    std::printf("%s\n", json.dump(1).c_str());
  } else {
    LogInfo("{}: {} scenes, {} frames ({} clean ones, {} masks), {:.1f} MB; {} scenes left out", settings.out,
            report.scenes, report.frames, report.clean, report.masks,
            1e-6 * static_cast<double>(report.bytes), report.skipped);
  }
  if (report.skipped > 0) {
    throw Error(fmt::format(
        "{}: is written without {} of {} scenes, which could not be read; the warnings name the files",
        settings.out, report.skipped, report.skipped + report.scenes));
  }
}

}  // namespace

void AddPackCommand(CLI::App& app) {
  auto settings = std::make_shared<PackSettings>();
  CLI::App* command = app.add_subcommand(
      "pack",
      "A data set as one file of frames in the model's size, which training and evaluation map into memory");
  command
      ->add_option("data", settings->data,
                   "List of scenes (full_list.txt), DAVIS root, video, or folder of scenes")
      ->required()
      ->type_name("PATH");
  command->add_option("--out,-o", settings->out, "File to write, .safetensors")
      ->required()
      ->type_name("FILE");
  command->add_option("--config", settings->config, "Configuration of the model that sees the frames")
      ->type_name("FILE");
  command
      ->add_option("--size", settings->size,
                   "Pixels of the frames (default: those of --config, else 256x256)")
      ->type_name("WxH");
  command
      ->add_option("--patch", settings->patch,
                   "Side of the model's patches, to which photos are fitted (default: --config's, else 16)")
      ->check(CLI::Range(1, 256));
  command
      ->add_option(
          "--jpeg", settings->pack.jpeg_quality,
          "Store pictures as JPEG of this quality: smaller, slower, not exact (default: as they are)")
      ->check(CLI::Range(1, 100))
      ->type_name("QUALITY");
  command
      ->add_option("--view-index", settings->view_index,
                   "JSON of inputs and targets per scene: keep those scenes, and the views with them")
      ->type_name("FILE");
  command->add_option("--masks", settings->masks, "Folder of true motion masks of a list, {scene}/{%05d}.npy")
      ->type_name("FOLDER");
  command->add_option("--threads", settings->pack.threads, "Threads that decode")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_flag("--overwrite", settings->overwrite, "Replace the output if it exists");
  command->add_flag("--json", settings->json, "Print what was written as JSON on standard output");
  command->footer(
      "Example:\n  wildrayzer pack rooms/dynamic_re10k/train/full_list.txt --masks "
      "rooms/dynamic_re10k/train/binary_masks --config configs/small.yaml --out rooms.safetensors");
  command->callback([settings] { RunPack(*settings); });
}

}  // namespace wildrayzer
