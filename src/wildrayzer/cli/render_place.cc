#include "wildrayzer/cli/render_place.h"

#include <iterator>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/pipeline/make_result.h"
#include "wildrayzer/pipeline/own_masks.h"
#include "wildrayzer/pipeline/photo_checks.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

// More inputs than the method was made for.
constexpr int kTrainedInputs = 4;

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
  if (!options.masks.empty()) inputs.emplace_back(options.masks);
  return inputs;
}

// Stages appear in the timings by name.
ProgressCallback Renamed(const ProgressCallback& report, const std::string& name) {
  return
      [&report, name](const std::string& stage, int parts) { report(stage.empty() ? stage : name, parts); };
}

std::string CommandLine(const std::vector<std::string>& paths) {
  std::string line = "render";
  for (const std::string& path : paths) line += " " + path;
  return line;
}

std::vector<MotionMask> OwnMasks(const RenderOptions& options, const std::vector<Photo>& photos) {
  if (options.masks.empty()) return {};
  return ReadOwnMasks(options.masks, photos, options.invert_masks);
}

}  // namespace

PlaceRenderer::PlaceRenderer(const RenderOptions& options) : options_(options) {
  if (options.masks.empty() && options.invert_masks) throw UsageError("--invert-masks needs --masks FOLDER");
  CheckTrajectory(options);
}

const ModelSource& PlaceRenderer::Source() {
  if (!source_) {
    source_ = options_.model.Resolve();
    if (options_.threshold >= 0)
      source_->overrides.push_back(fmt::format("model.motion.threshold={}", options_.threshold));
  }
  return *source_;
}

const Reconstructor& PlaceRenderer::Model(const ProgressCallback& progress) {
  if (!model_) model_.emplace(Source(), progress);
  return *model_;
}

PlaceResult PlaceRenderer::Render(const std::vector<std::string>& paths, const std::string& out) {
  PhotoSource source(paths);
  ChooseViews(source, options_);  // whether there are enough
  StagedFolder folder(out, options_.overwrite, Inputs(source, options_));
  Source();
  Progress progress(IsVerbose());
  const ProgressCallback report = ReportTo(progress);
  report("reading photos", 0);
  RenderResult result;
  result.photos = ReadViews(source, options_);
  const std::vector<MotionMask> own_masks = OwnMasks(options_, result.photos);
  std::vector<Image> images;
  for (const Photo& photo : result.photos) images.push_back(photo.image);

  const Reconstructor& model = Model(report);
  WarnOfShellOrder(paths);  // after what ends the run with a line of its own
  WarnOfPoorPhotos(result.photos);
  result.scene = model.Reconstruct(images, options_.targets, report, own_masks, options_.detail,
                                   options_.masks_mode == "add" ? MaskMode::kAdd : MaskMode::kReplace);
  WarnOfPoorViews(result.photos, result.scene);
  result.path = MakeTrajectory(result.scene, options_, result.extended_cameras);
  result.fps = options_.fps;
  MakeResultOptions make{.clean = !options_.no_clean, .exports = options_.exports, .progress = report};
  for (const MotionMask& mask : own_masks) {
    const bool own = !mask.probability.empty();
    make.told_masks.push_back(own);
    result.mask_origins.emplace_back(!own ? "model" : options_.masks_mode == "add" ? "model and own" : "own");
  }
  make.render = [&](std::span<const Camera> cameras, const std::string& stage) {
    return model.Render(result.scene, cameras, Renamed(report, stage));
  };
  make.facts = [&] {
    progress.Finish();
    return RunMetadata(CommandLine(paths), Source(), model, progress);
  };
  nlohmann::ordered_json metadata = MakeResult(folder.staging(), model, result, make);
  folder.Commit();
  LogInfo("{}: open index.html", out);
  return {std::move(metadata), source.LeftOut(out)};
}

}  // namespace wildrayzer
