// wildrayzer masks: motion masks alone.

#include <cstdio>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/default_model_option.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/result_writer.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

struct MasksOptions {
  ModelOptions model;
  std::vector<std::string> paths;
  std::string out;
  bool overwrite = false;
  int frames = 0;
  int window = 8;
  bool json = false;
};

void AddOptions(CLI::App& command, MasksOptions& options) {
  command.add_option("photos", options.paths, "Image files, a folder of them, or a video")
      ->required()
      ->type_name("IMAGES|FOLDER|VIDEO");
  command.add_option("--out,-o", options.out, "Folder for the masks (must not exist, or be empty)")
      ->required();
  command.add_flag("--overwrite", options.overwrite,
                   "Replace an output folder that this program made (never one with other files in it)");
  command
      .add_option("--frames", options.frames,
                  "Photos to use, spread over those given (default: all; of a video, 32)")
      ->check(CLI::Range(2, 100000));
  command.add_option("--window", options.window, "Photos looked at together; the model was trained with 8")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  command.add_flag("--json", options.json, "Print the metadata as JSON on standard output");
  options.model.AddTo(command);
  command.footer(
      "Without --model the small model that comes with the program is used.\n"
      "Example:\n  wildrayzer masks walk.mp4 --model wildrayzer_2view.pt --dino dinov3-vit7b16/ --out masks");
}

// Where each window of at most `window` photos begins. The last one is moved back so that none has fewer than
// two photos; photos that two windows share keep the first one's mask.
std::vector<size_t> WindowStarts(size_t count, size_t window) {
  std::vector<size_t> starts;
  for (size_t start = 0; start < count; start += window)
    starts.push_back(std::min(start, count - std::min(window, count)));
  return starts;
}

nlohmann::ordered_json DescribeMasks(const std::vector<Photo>& photos, const Scene& scene) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t i = 0; i < photos.size(); ++i) {
    list.push_back({{"name", photos[i].name},
                    {"source", photos[i].source},
                    {"masked_patches", scene.masks[i].masked_patches}});
  }
  return list;
}

void Run(const MasksOptions& options) {
  if (options.model.no_motion) throw UsageError("--no-motion makes no masks; leave it out");
  PhotoSource source(options.paths);
  if (source.size() < 2)
    throw UsageError("at least two photos of the place are needed, " + std::to_string(source.size()) +
                     " given");
  constexpr size_t kVideoFrames = 32;
  const size_t frames = options.frames > 0  ? static_cast<size_t>(options.frames)
                        : source.is_video() ? kVideoFrames
                                            : source.size();
  std::vector<size_t> indices = SpreadIndices(source.size(), frames);
  while (source.LeaveOutUnreadable(indices)) indices = SpreadIndices(source.size(), frames);
  std::vector<std::filesystem::path> inputs = source.files();
  for (auto& file : options.model.Files()) inputs.push_back(std::move(file));
  StagedFolder folder(options.out, options.overwrite, std::move(inputs));
  const ModelSource model = options.model.Resolve();

  Progress progress(IsVerbose());
  const ProgressCallback report = ReportTo(progress);
  const Reconstructor reconstructor(model, report);
  if (!reconstructor.has_motion()) {
    throw Error((model.weights.empty() ? "the configuration" : model.weights.string()) +
                ": has no motion estimator (a stage-1 checkpoint?); masks need a stage-2 or later one");
  }
  nlohmann::ordered_json described = nlohmann::ordered_json::array();
  size_t done = 0;
  for (const size_t start : WindowStarts(indices.size(), static_cast<size_t>(options.window))) {
    const size_t end = std::min(indices.size(), start + static_cast<size_t>(options.window));
    report("reading photos", 0);
    std::vector<Photo> photos =
        source.Read({indices.begin() + static_cast<long>(start), indices.begin() + static_cast<long>(end)});
    std::vector<Image> images;
    for (const Photo& photo : photos) images.push_back(photo.image);
    Scene scene = reconstructor.EstimateMotion(images, report);
    report("writing masks", 0);
    const long known = static_cast<long>(done - start);
    photos.erase(photos.begin(), photos.begin() + known);
    scene.masks.erase(scene.masks.begin(), scene.masks.begin() + known);
    scene.framings.erase(scene.framings.begin(), scene.framings.begin() + known);
    WriteMaskFiles(folder.staging(), photos, scene);
    for (auto& entry : DescribeMasks(photos, scene)) described.push_back(entry);
    done = end;
  }
  progress.Finish();
  nlohmann::ordered_json metadata = RunMetadata("masks", model, reconstructor, progress);
  metadata["photos"] = described;
  WriteFileAtomically(folder.staging() / "metadata.json", metadata.dump(2) + "\n");
  folder.Commit();
  if (options.json) std::printf("%s\n", metadata.dump(2).c_str());
  LogInfo("{}: {} masks", options.out, described.size());
  source.FailIfLeftOut(options.out);
}

}  // namespace

void AddMasksCommand(CLI::App& app) {
  auto options = std::make_shared<MasksOptions>();
  CLI::App* command = app.add_subcommand("masks", "Motion masks alone");
  AddOptions(*command, *options);
  command->callback([options] {
    UseDefaultModel(options->model);
    Run(*options);
  });
}

}  // namespace wildrayzer
