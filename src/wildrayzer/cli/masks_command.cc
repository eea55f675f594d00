// wildrayzer masks: motion masks alone.

#include <cstdio>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/default_model_option.h"
#include "wildrayzer/pipeline/photo_checks.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/result_writer.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"
#include "wildrayzer/util/system.h"

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

// Reads photos window by window. A last window that would be smaller begins with photos that have their
// masks, so that all are looked at among as many others; Next says how many of its photos those are.
class Windows {
 public:
  Windows(PhotoSource& source, std::vector<size_t> indices, size_t window)
      : source_(source), indices_(std::move(indices)), window_(window) {}

  // False when all photos were given.
  bool Next(std::vector<Photo>& photos, size_t& known) {
    std::vector<Photo> unseen;
    while (unseen.size() < window_ && next_ < indices_.size()) {
      const size_t end = std::min(indices_.size(), next_ + window_ - unseen.size());
      for (Photo& photo : source_.Read(
               {indices_.begin() + static_cast<long>(next_), indices_.begin() + static_cast<long>(end)}))
        unseen.push_back(std::move(photo));
      next_ = end;
    }
    if (unseen.empty()) return false;
    known = std::min(photos.size(), window_ - unseen.size());
    photos.erase(photos.begin(), photos.end() - static_cast<long>(known));
    std::move(unseen.begin(), unseen.end(), std::back_inserter(photos));
    return true;
  }

 private:
  PhotoSource& source_;
  std::vector<size_t> indices_;
  size_t window_;
  size_t next_ = 0;
};

nlohmann::ordered_json DescribeMask(const Photo& photo, const MotionMask& mask) {
  return {{"name", photo.name}, {"source", photo.source}, {"masked_patches", mask.masked_patches}};
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
  Windows windows(source, SpreadIndices(source.size(), frames), static_cast<size_t>(options.window));
  std::vector<Photo> photos;
  size_t known = 0;
  report("reading photos", 0);
  while (windows.Next(photos, known)) {
    WarnOfPoorPhotos(photos);
    std::vector<Image> images;
    for (const Photo& photo : photos) images.push_back(photo.image);
    const Scene scene = reconstructor.EstimateMotion(images, report);
    WarnOfPoorViews(photos, scene);
    report("writing masks", 0);
    WriteMaskFiles(folder.staging(), photos, scene, known);
    for (size_t i = known; i < photos.size(); ++i)
      described.push_back(DescribeMask(photos[i], scene.masks[i]));
    report("reading photos", 0);
  }
  progress.Finish();
  nlohmann::ordered_json metadata = RunMetadata("masks", model, reconstructor, progress);
  metadata["photos"] = described;
  WriteFileAtomically(folder.staging() / "metadata.json", metadata.dump(2) + "\n");
  folder.Commit();
  if (options.json) std::printf("%s\n", metadata.dump(2).c_str());
  LogInfo("{}: {} masks", options.out, described.size());
  if (const std::string problem = source.LeftOut(options.out); !problem.empty()) throw Error(problem);
}

}  // namespace

void AddMasksCommand(CLI::App& app) {
  auto options = std::make_shared<MasksOptions>();
  CLI::App* command = app.add_subcommand("masks", "Motion masks alone");
  AddOptions(*command, *options);
  command->callback([options] {
    KeepFreedMemory();
    UseDefaultModel(options->model);
    Run(*options);
  });
}

}  // namespace wildrayzer
