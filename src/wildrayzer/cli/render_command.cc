// wildrayzer render: the main job.

#include <cstdio>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/default_model_option.h"
#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/pipeline/photo_checks.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/result_writer.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

struct RenderOptions {
  ModelOptions model;
  std::vector<std::string> paths;
  std::string out;
  bool overwrite = false;
  int inputs = 0;
  int targets = 0;
  std::string trajectory = "interpolate";
  int frames = 24;
  double fps = 12;
  double orbit_degrees = 30;
  bool loop = false;
  bool no_clean = false;
  int detail = 4;
  double threshold = -1;
  std::vector<std::string> exports;
  bool json = false;
};

// More inputs than the method was made for.
constexpr int kTrainedInputs = 4;

void AddOptions(CLI::App& command, RenderOptions& options) {
  command.add_option("photos", options.paths, "Image files, a folder of them, or a video")
      ->required()
      ->type_name("IMAGES|FOLDER|VIDEO");
  command.add_option("--out,-o", options.out, "Folder for the result (must not exist, or be empty)")
      ->required();
  command.add_flag("--overwrite", options.overwrite,
                   "Replace an output folder that this program made (never one with other files in it)");
  command
      .add_option("--inputs", options.inputs,
                  "Photos that the scene is made from, spread over those given (default: all, at most 4)")
      ->check(CLI::Range(2, 64));
  command
      .add_option("--targets", options.targets,
                  "Further photos, kept out of the scene, whose views are rendered for comparison")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command
      .add_option("--trajectory", options.trajectory,
                  "interpolate, orbit, dolly, or a cameras.json / transforms.json")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  command.add_option("--frames", options.frames, "Views along the trajectory (0: none)")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command.add_option("--fps", options.fps, "Frames a second of the video")
      ->check(CLI::Range(1.0, 120.0))
      ->capture_default_str();
  command.add_option("--orbit-degrees", options.orbit_degrees, "Whole angle of an orbit")
      ->check(CLI::Range(0.1, 360.0))
      ->capture_default_str();
  command.add_flag("--loop", options.loop, "Return to the first camera");
  command.add_flag("--no-clean", options.no_clean, "Do not render the photos' own cameras");
  command
      .add_option("--detail", options.detail,
                  "Views have up to so many times the model's pixels a side, where photos have them and the "
                  "model copies from photos")
      ->check(CLI::Range(1, 8))
      ->capture_default_str();
  command
      .add_option("--threshold", options.threshold,
                  "Patches that move with more than this probability are left out (default: the model's)")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--export", options.exports,
                  "Photos, their masks and cameras, and the place without what moves, as nerfstudio (and "
                  "OpenSplat) or colmap read them, repeatable")
      ->check(CLI::IsMember({"nerfstudio", "colmap"}));
  command.add_flag("--json", options.json, "Print the metadata as JSON on standard output");
  options.model.AddTo(command);
  command.footer(
      "Without --model the small model that comes with the program is used.\n"
      "Example:\n  wildrayzer render holiday/*.jpg --model wildrayzer_2view.pt --dino dinov3-vit7b16/ --out "
      "result\n"
      "  wildrayzer render walk.mp4 --inputs 4 --trajectory orbit --init random --out trial");
}

// Indices of the photos to use, of those that can be read.
ViewSplit ChooseViews(const PhotoSource& source, const RenderOptions& options) {
  const std::vector<size_t> readable = source.Readable();
  if (readable.size() < 2)
    throw UsageError("at least two photos of the place are needed, " + std::to_string(readable.size()) +
                     " given");
  const size_t wanted = options.inputs > 0 ? static_cast<size_t>(options.inputs)
                                           : std::min<size_t>(readable.size(), kTrainedInputs);
  if (wanted + static_cast<size_t>(options.targets) > readable.size()) {
    throw UsageError(fmt::format("--inputs {} and --targets {} need {} photos, {} given", wanted,
                                 options.targets, wanted + static_cast<size_t>(options.targets),
                                 readable.size()));
  }
  ViewSplit split = SplitViews(readable.size(), wanted, static_cast<size_t>(options.targets));
  if (options.inputs == 0 && readable.size() > wanted + split.targets.size()) {
    LogInfo("using {} of {} photos (--inputs and --targets choose more)", wanted + split.targets.size(),
            readable.size());
  }
  if (wanted > kTrainedInputs)
    LogWarning("{} inputs: the method was made for 2 to 4; more may look worse", wanted);
  for (size_t& index : split.inputs) index = readable[index];
  for (size_t& index : split.targets) index = readable[index];
  return split;
}

// The inputs, then the targets; chosen again while there are some that cannot be read.
std::vector<Photo> ReadViews(PhotoSource& source, const RenderOptions& options) {
  std::vector<Photo> photos;
  while (true) {
    ViewSplit split = ChooseViews(source, options);
    std::vector<size_t> indices = std::move(split.inputs);
    indices.insert(indices.end(), split.targets.begin(), split.targets.end());
    photos = source.Read(indices, std::move(photos));
    if (photos.size() == indices.size()) return photos;
  }
}

// extended: how many cameras of a file have frames of another shape than the model's, and so show more.
std::vector<Camera> MakeTrajectory(const Scene& scene, const RenderOptions& options, int& extended) {
  if (options.frames == 0) return {};
  const std::vector<Camera> inputs(scene.cameras.begin(), scene.cameras.begin() + scene.num_inputs);
  if (options.trajectory == "interpolate") return InterpolateCameras(inputs, options.frames, options.loop);
  if (options.trajectory == "orbit")
    return Orbit(inputs, {.frames = options.frames, .sweep_degrees = options.orbit_degrees});
  if (options.trajectory == "dolly") return Dolly(inputs, {.frames = options.frames});
  std::vector<Camera> cameras;
  for (const NamedCamera& named : ReadCameras(options.trajectory)) {
    cameras.push_back(ExtendToShape(named.camera, named.width, named.height, scene.width, scene.height));
    extended += int64_t{named.width} * scene.height != int64_t{named.height} * scene.width;
  }
  if (cameras.empty()) throw UsageError(options.trajectory + ": holds no cameras");
  if (extended > 0) {
    LogWarning(
        "{}: {} of {} cameras are of another shape than the model's {} x {} pixels; their views show more "
        "beyond two sides, so that nothing is squeezed",
        options.trajectory, extended, cameras.size(), scene.width, scene.height);
  }
  return cameras;
}

// Where the trajectory comes from a file, its mistakes must show before the long work begins.
void CheckTrajectory(const RenderOptions& options) {
  if (options.trajectory == "interpolate" || options.trajectory == "orbit" || options.trajectory == "dolly")
    return;
  if (!std::filesystem::exists(options.trajectory)) {
    throw UsageError(options.trajectory +
                     ": no such trajectory (interpolate, orbit, dolly) and no such file");
  }
  ReadCameras(options.trajectory);
}

// Everything that is read, and so must not be replaced.
std::vector<std::filesystem::path> Inputs(const PhotoSource& source, const RenderOptions& options) {
  std::vector<std::filesystem::path> inputs = source.files();
  for (auto& file : options.model.Files()) inputs.push_back(std::move(file));
  inputs.emplace_back(options.trajectory);  // there is no file of that name when it is a path's name
  return inputs;
}

// Stages appear in the timings by name.
ProgressCallback Renamed(const ProgressCallback& report, const std::string& name) {
  return
      [&report, name](const std::string& stage, int parts) { report(stage.empty() ? stage : name, parts); };
}

std::string CommandLine(const RenderOptions& options) {
  std::string line = "render";
  for (const std::string& path : options.paths) line += " " + path;
  return line;
}

void Run(const RenderOptions& options) {
  PhotoSource source(options.paths);
  ChooseViews(source, options);  // whether there are enough
  CheckTrajectory(options);
  StagedFolder folder(options.out, options.overwrite, Inputs(source, options));
  ModelSource model = options.model.Resolve();
  if (options.threshold >= 0)
    model.overrides.push_back(fmt::format("model.motion.threshold={}", options.threshold));

  Progress progress(IsVerbose());
  const ProgressCallback report = ReportTo(progress);
  report("reading photos", 0);
  RenderResult result;
  result.photos = ReadViews(source, options);
  std::vector<Image> images;
  for (const Photo& photo : result.photos) images.push_back(photo.image);

  const Reconstructor reconstructor(model, report);
  WarnOfShellOrder(options.paths);  // after what ends the run with a line of its own
  WarnOfPoorPhotos(result.photos);
  result.scene = reconstructor.Reconstruct(images, options.targets, report,
                                           /*input_masks=*/{}, options.detail);
  WarnOfPoorViews(result.photos, result.scene);
  if (!options.no_clean) {
    result.clean =
        reconstructor.Render(result.scene, result.scene.cameras, Renamed(report, "rendering clean photos"));
  }
  result.path = MakeTrajectory(result.scene, options, result.extended_cameras);
  result.path_views = reconstructor.Render(result.scene, result.path, Renamed(report, "rendering the path"));
  result.fps = options.fps;
  result.motion_threshold = reconstructor.motion_threshold();

  report("writing the result", 0);
  WriteRenderFiles(folder.staging(), result, options.exports);
  progress.Finish();
  nlohmann::ordered_json metadata = RunMetadata(CommandLine(options), model, reconstructor, progress);
  DescribeResult(result, metadata);
  WriteFileAtomically(folder.staging() / "metadata.json", metadata.dump(2) + "\n");
  WriteRenderPage(folder.staging(), result, metadata);
  folder.Commit();
  if (options.json) std::printf("%s\n", metadata.dump(2).c_str());
  LogInfo("{}: open index.html", options.out);
  if (const std::string problem = source.LeftOut(options.out); !problem.empty()) throw Error(problem);
}

}  // namespace

void AddRenderCommand(CLI::App& app) {
  auto options = std::make_shared<RenderOptions>();
  CLI::App* command =
      app.add_subcommand("render", "Clean novel views, masks, cameras and a video from photos");
  AddOptions(*command, *options);
  command->callback([options] {
    UseDefaultModel(options->model);
    Run(*options);
  });
}

}  // namespace wildrayzer
