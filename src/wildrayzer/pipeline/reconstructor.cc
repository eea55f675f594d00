#include "wildrayzer/pipeline/reconstructor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "wildrayzer/geometry/camera_tensors.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/replay.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/models/input_surface.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/tensor.h"
#include "wildrayzer/vision/frame_shape.h"

namespace wildrayzer {

struct Scene::State {
  // What views are rendered from. Another single one, the work of somebody who looks around, is replayed
  // where that pays: inputs are c2w and fxfycxcy.
  struct Views {
    SceneMemory memory;
    std::unique_ptr<Replay> one;
  };
  Views full;
  Views quick;  // the same without detail
};

namespace {

// DINOv3 when there are no weights at all: the smallest released size.
constexpr char kRandomDino[] = "vits16";
// Of photos seen whole, the longer over the shorter side: beyond it they are cropped. Training ends at 16:9.
constexpr double kMostElongated = 2.4;

void Report(const ProgressCallback& progress, const std::string& stage, int64_t parts = 0) {
  if (progress) progress(stage, static_cast<int>(parts));
}

Trace StepsOf(const ProgressCallback& progress) {
  Trace trace;
  if (progress) trace.step = [&progress] { progress("", 0); };
  return trace;
}

Precision Resolve(PrecisionChoice choice, torch::Device device) {
  if (choice == PrecisionChoice::kFp32) return Precision::kFp32;
  if (choice == PrecisionChoice::kBf16) return Precision::kBf16;
  if (choice == PrecisionChoice::kInt8 && !device.is_cpu())
    throw UsageError("--precision int8 is for processors: a GPU is faster in bf16 (--precision bf16)");
  if (choice == PrecisionChoice::kInt8) return Precision::kInt8;
  return HasFastBf16(device) ? Precision::kBf16 : Precision::kFp32;
}

// The released model at full size, with the smallest DINOv3.
ModelConfig FullSizeConfig() {
  ModelConfig config;
  config.use_motion = true;
  config.token_masking = TokenMasking::kNoise;
  config.dino_model = kRandomDino;
  config.motion.dino_width = DinoWidth(kRandomDino);
  return config;
}

ModelConfig ApplyOverrides(Config yaml, const ModelSource& source) {
  for (const std::string& assignment : source.overrides) yaml.Override(assignment);
  ModelConfig config = ModelConfig::FromConfig(yaml);
  for (const std::string& key : yaml.UnusedKeys()) {
    if (key.rfind("model.", 0) == 0) LogWarning("{}: key '{}' is not used by this program", yaml.name(), key);
  }
  config.use_motion = config.use_motion && source.use_motion;
  return config;
}

ModelConfig ResolveConfig(const ModelSource& source, const std::optional<Checkpoint>& checkpoint) {
  if (!source.config.empty()) return ApplyOverrides(Config::Load(source.config), source);
  const ModelConfig found = checkpoint ? ConfigOfCheckpoint(*checkpoint) : FullSizeConfig();
  return ApplyOverrides(Config::Parse(found.ToYaml(), "configuration"), source);
}

// A mask of the whole photo in the model's frame: [1, 1, 1, H, W].
torch::Tensor FrameOfMask(const MotionMask& mask, Framing framing) {
  if (mask.width < 1 || mask.height < 1 ||
      mask.probability.size() != static_cast<size_t>(mask.width) * static_cast<size_t>(mask.height)) {
    throw UsageError(fmt::format("a motion mask of {} x {} pixels has {} values", mask.width, mask.height,
                                 mask.probability.size()));
  }
  framing.photo_width = mask.width;
  framing.photo_height = mask.height;
  const bool same = mask.width == framing.width && mask.height == framing.height &&
                    framing.resized_width == framing.width && framing.resized_height == framing.height;
  if (same) return torch::tensor(mask.probability).view({1, 1, 1, mask.height, mask.width});
  const GrayImage levels = FromProbabilities(mask.probability, mask.width, mask.height);
  const GrayImage framed = ApplyFraming(levels, framing);
  const torch::Tensor bytes = torch::tensor(torch::ArrayRef<uint8_t>(framed.values));
  return bytes.to(torch::kFloat).div(255.0).view({1, 1, 1, framed.height, framed.width});
}

// What counts as moving in the views first .. first + count - 1: the model's `own` probability [1, count, 1,
// H, W] (undefined: it has none) and what is given for them, if anything is; else undefined.
torch::Tensor MotionInEffect(const torch::Tensor& own, std::span<const MotionMask> given, MaskMode mode,
                             const Scene& scene, size_t first, size_t count) {
  const auto is_given = [&](size_t view) { return view < given.size() && !given[view].probability.empty(); };
  const bool any = std::any_of(given.begin(), given.end(),
                               [](const MotionMask& mask) { return !mask.probability.empty(); });
  if (!any) return own;
  std::vector<torch::Tensor> masks;
  for (size_t view = first; view < first + count; ++view) {
    torch::Tensor mask = own.defined() ? own.narrow(1, static_cast<int64_t>(view - first), 1).to(torch::kCPU)
                                       : torch::zeros({1, 1, 1, scene.height, scene.width});
    if (is_given(view)) {
      const torch::Tensor told = FrameOfMask(given[view], scene.framings[view]);
      mask = mode == MaskMode::kAdd ? torch::maximum(mask, told) : told;
    }
    masks.push_back(mask);
  }
  return torch::cat(masks, 1);
}

// The most pixels of a photo for one of the model's, on either axis, as far as allowed.
int DetailOf(std::span<const Framing> framings, int most) {
  double finest = 1;
  for (const Framing& framing : framings)
    finest = std::max({finest, 1.0 / framing.scale_x(), 1.0 / framing.scale_y()});
  return static_cast<int>(std::min(std::round(finest), static_cast<double>(most)));
}

bool IsWhole(FrameChoice frame, const ModelConfig& config) {
  if (frame == FrameChoice::kWhole && config.focal != FocalLength::kCentred) {
    throw UsageError(
        "--frame whole needs a model whose pixels are square in frames of any shape "
        "(model.pose_latent.focal: "
        "centred); this one knows its own shape only: leave --frame out");
  }
  if (frame == FrameChoice::kWhole && !config.any_shape)
    LogWarning(
        "--frame whole: this model was shown frames of its own shape only, and is less sure in others");
  return frame == FrameChoice::kWhole || (frame == FrameChoice::kByModel && config.any_shape);
}

// [1, n, 3]
std::vector<std::array<float, 3>> ToPoints(const torch::Tensor& points) {
  const torch::Tensor rows = points[0].to(torch::kCPU, torch::kFloat).contiguous();
  std::vector<std::array<float, 3>> list(static_cast<size_t>(rows.size(0)));
  std::copy_n(rows.data_ptr<float>(), rows.numel(), list.data()->data());
  return list;
}

// weight [1, n]: of points of each input in turn, how well they were found in others. Photos of one place are
// found to a third at least, those of places that are not one to a twentieth.
void WarnOfLoneInputs(const torch::Tensor& weight, int64_t inputs) {
  constexpr double kFound = 0.1, kLeastShare = 0.1;
  constexpr int64_t kMostInputs = 8;  // of more the matcher has points of the first ones only
  if (inputs > kMostInputs) return;
  const torch::Tensor shares = weight.gt(kFound).to(torch::kFloat).view({inputs, -1}).mean(1).to(torch::kCPU);
  for (int64_t i = 0; i < inputs; ++i) {
    if (shares[i].item<float>() >= kLeastShare) continue;
    LogWarning(
        "photo {} of the {} inputs shows hardly anything that another one shows; give photos that overlap",
        i + 1, inputs);
  }
}

Cameras ToModel(std::span<const Camera> cameras, torch::Device device) {
  const CameraTensors tensors = CamerasToTensors(cameras);
  Cameras model;
  model.c2w = tensors.c2w.unsqueeze(0).to(device);
  model.fxfycxcy = tensors.fxfycxcy.unsqueeze(0).to(device);
  return model;
}

}  // namespace

PrecisionChoice PrecisionFromName(const std::string& name) {
  if (name == "auto") return PrecisionChoice::kAuto;
  if (name == "fp32") return PrecisionChoice::kFp32;
  if (name == "bf16") return PrecisionChoice::kBf16;
  if (name == "int8") return PrecisionChoice::kInt8;
  throw UsageError("precision '" + name + "' is none of auto, fp32, bf16, int8");
}

FrameChoice FrameFromName(const std::string& name) {
  if (name == "auto") return FrameChoice::kByModel;
  if (name == "crop") return FrameChoice::kCrop;
  if (name == "whole") return FrameChoice::kWhole;
  throw UsageError("frame '" + name + "' is none of auto, crop, whole");
}

struct Reconstructor::Impl {
  ModelConfig config;
  torch::Device device = torch::kCPU;
  Precision precision = Precision::kFp32;
  bool keep_int8 = false;  // what the files have in int8 stays so
  bool whole_frame = false;
  std::optional<Checkpoint> checkpoint;
  WildRayZer model{nullptr};
  Dinov3 dino{nullptr};
  PixelStatistics dino_pixels = kImageNetPixels;
  std::string dino_name;

  void LoadDino(const ModelSource& source);
  void CheckDinoWidth(const ModelSource& source) const;

  // The frame in which photos are seen: all have one, that of the middle one of their shapes.
  FrameShape ShapeFor(std::span<const Image> photos) const;
  // Resizes and crops the photos: [1, V, 3, H, W] in [0, 1].
  torch::Tensor Frame(std::span<const Image> photos, Scene& scene) const;
  // The inputs' pictures with scene.detail times as many pixels a side.
  torch::Tensor Detail(std::span<const Image> inputs, const Scene& scene) const;
  bool NeedsDino(const ModelSource& source) const {
    if (!config.use_motion) return source.dino_features && !source.dino.empty();
    return config.motion.features == MotionFeatures::kDinov3;
  }
  FeatureSource Features() const { return FeatureSource(dino, dino_pixels); }
  // As a stage of the work of its own, if DINOv3 makes them.
  void ComputeFeatures(Pass& pass, const ProgressCallback& progress) const;
  // Masks of probabilities [1, V, 1, H, W]; none of undefined ones.
  void AddMasks(const torch::Tensor& motion, Scene& scene) const;
  MotionMask MaskAt(const torch::Tensor& motion, int64_t view) const;
  Scene::State::Views ViewsOf(const SceneMemory& memory, int64_t height, int64_t width) const;
};

void Reconstructor::Impl::LoadDino(const ModelSource& source) {
  Dinov3LoadOptions options;
  options.dtype = precision == Precision::kBf16   ? torch::kBFloat16
                  : precision == Precision::kInt8 ? torch::kInt8
                                                  : torch::kFloat32;
  options.keep_int8 = keep_int8;
  options.device = device;
  if (!source.dino.empty()) {
    dino = LoadDinov3(source.dino, options);
    dino_name = dino->config().Name() + " from " + source.dino.string();
    // The satellite models are published under names that say so, and only the name does.
    if (source.dino.string().find("sat493m") != std::string::npos) dino_pixels = kSatellitePixels;
    return;
  }
  if (!source.weights.empty()) {
    throw UsageError(
        fmt::format("no DINOv3: the motion estimator of {} needs patch features of width {}; download "
                    "https://huggingface.co/{} (accept its "
                    "licence) and give --dino FOLDER, or give --no-motion to render as plain RayZer",
                    source.weights.string(), config.motion.dino_width, config.dino_model));
  }
  dino = RandomDinov3(Dinov3Config::Variant(kRandomDino), source.seed, options);
  dino_name = std::string(kRandomDino) + ", random weights";
}

void Reconstructor::Impl::CheckDinoWidth(const ModelSource& source) const {
  if (dino->config().width == config.motion.dino_width) return;
  throw UsageError(fmt::format(
      "{}: is {} with features of width {}, but the model's motion estimator was made for width {} ({})",
      source.dino.string(), dino_name, dino->config().width, config.motion.dino_width, config.dino_model));
}

FrameShape Reconstructor::Impl::ShapeFor(std::span<const Image> photos) const {
  const auto columns = static_cast<int>(config.width / config.patch);
  const auto rows = static_cast<int>(config.height / config.patch);
  if (!whole_frame || photos.empty()) return {columns, rows};
  std::vector<double> ratios;
  for (const Image& photo : photos) ratios.push_back(static_cast<double>(photo.width) / photo.height);
  std::sort(ratios.begin(), ratios.end());
  const double ratio = std::clamp(ratios[ratios.size() / 2], 1 / kMostElongated, kMostElongated);
  return ShapeOfRatio(ratio, columns, rows);
}

torch::Tensor Reconstructor::Impl::Frame(std::span<const Image> photos, Scene& scene) const {
  const FrameShape shape = ShapeFor(photos);
  const auto patch = static_cast<int>(config.patch);
  scene.width = shape.columns * patch;
  scene.height = shape.rows * patch;
  std::vector<torch::Tensor> views;
  for (const Image& photo : photos) {
    const FramedImage framed = FrameToModel(photo, scene.width, scene.height, patch);
    scene.framings.push_back(framed.framing);
    views.push_back(torch::tensor(ToPlanes(framed.image)).view({3, scene.height, scene.width}));
  }
  return torch::stack(views).unsqueeze(0).to(device);
}

torch::Tensor Reconstructor::Impl::Detail(std::span<const Image> inputs, const Scene& scene) const {
  std::vector<torch::Tensor> views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Image large = ApplyFraming(inputs[i], scene.framings[i].Times(scene.detail));
    views.push_back(torch::tensor(ToPlanes(large)).view({3, large.height, large.width}));
  }
  return torch::stack(views).unsqueeze(0).to(device);
}

void Reconstructor::Impl::ComputeFeatures(Pass& pass, const ProgressCallback& progress) const {
  if (!dino.is_empty()) Report(progress, "DINOv3 features", pass.images().size(1));
  pass.ComputeFeatures();
}

void Reconstructor::Impl::AddMasks(const torch::Tensor& motion, Scene& scene) const {
  for (int64_t view = 0; motion.defined() && view < motion.size(1); ++view)
    scene.masks.push_back(MaskAt(motion, view));
}

MotionMask Reconstructor::Impl::MaskAt(const torch::Tensor& motion, int64_t view) const {
  const torch::Tensor probability = motion.narrow(1, view, 1).to(torch::kCPU, torch::kFloat).contiguous();
  MotionMask mask;
  mask.width = static_cast<int>(probability.size(4));
  mask.height = static_cast<int>(probability.size(3));
  mask.probability.assign(probability.data_ptr<float>(), probability.data_ptr<float>() + probability.numel());
  const torch::Tensor dynamic = model->PoolToPatches(probability) > config.motion.threshold;
  mask.masked_patches = dynamic.to(torch::kFloat).mean().item<double>();
  return mask;
}

Scene::State::Views Reconstructor::Impl::ViewsOf(const SceneMemory& memory, int64_t height,
                                                 int64_t width) const {
  const auto render = [rayzer = model, memory, height,
                       width](const std::vector<torch::Tensor>& camera) mutable {
    return rayzer->Render(memory, Cameras::Given(camera[0], camera[1]), height, width);
  };
  return {memory, std::make_unique<Replay>(render)};
}

Reconstructor::Reconstructor(const ModelSource& source, const ProgressCallback& progress)
    : impl_(std::make_unique<Impl>()) {
  torch::NoGradGuard no_grad;
  Report(progress, "loading the model");
  if (!source.weights.empty()) impl_->checkpoint = Checkpoint::Open(source.weights);
  impl_->config = ResolveConfig(source, impl_->checkpoint);
  impl_->whole_frame = IsWhole(source.frame, impl_->config);
  impl_->device = ChooseDevice(source.device);
  impl_->precision = Resolve(source.precision, impl_->device);
  impl_->keep_int8 = source.precision == PrecisionChoice::kAuto && impl_->device.is_cpu();
  if (impl_->NeedsDino(source)) {
    impl_->LoadDino(source);
    // Random weights fit any DINOv3.
    if (source.weights.empty()) impl_->config.motion.dino_width = impl_->dino->config().width;
    if (impl_->config.use_motion) impl_->CheckDinoWidth(source);
  }
  impl_->model = WildRayZer(impl_->config);
  impl_->model->eval();
  if (impl_->checkpoint) {
    LoadOptions options;
    options.precision = impl_->precision;
    options.keep_int8 = impl_->keep_int8;
    options.device = impl_->device;
    LoadWeights(*impl_->model, *impl_->checkpoint, options);
    if (HoldsInt8(*impl_->model)) impl_->precision = Precision::kInt8;
  } else {
    RandomInit(impl_->model, source.seed);
    CastWeights(*impl_->model, impl_->precision);
    impl_->model->to(impl_->device);
  }
}

Reconstructor::~Reconstructor() = default;
Reconstructor::Reconstructor(Reconstructor&&) noexcept = default;
Reconstructor& Reconstructor::operator=(Reconstructor&&) noexcept = default;

Scene Reconstructor::Reconstruct(std::span<const Image> photos, int num_held_out,
                                 const ProgressCallback& progress, std::span<const MotionMask> given_masks,
                                 int most_detail, MaskMode mode) const {
  torch::NoGradGuard no_grad;
  const auto inputs = static_cast<int64_t>(photos.size()) - num_held_out;
  if (inputs < 2)
    throw UsageError("at least two input photos are needed, " + std::to_string(inputs) + " given");
  if (most_detail < 1)
    throw UsageError("views have at least the model's pixels: detail must be at least 1, not " +
                     std::to_string(most_detail));
  if (given_masks.size() > photos.size()) {
    throw UsageError(
        fmt::format("{} motion masks are given for {} photos", given_masks.size(), photos.size()));
  }
  const ModelConfig& config = impl_->config;
  Scene scene;
  scene.num_inputs = static_cast<int>(inputs);
  const torch::Tensor images = impl_->Frame(photos, scene);
  Pass pass(impl_->model, impl_->Features(), images, inputs, StepsOf(progress));
  Report(progress, "estimating cameras", config.camera_estimator_layers);
  scene.cameras = CamerasFromTensors(pass.cameras().c2w[0], pass.cameras().fxfycxcy[0]);

  if (pass.HasMotion()) impl_->ComputeFeatures(pass, progress);
  Report(progress, "encoding the scene",
         config.scene_encoder_layers + (pass.HasMotion() ? config.motion.layers : 0));
  pass.InputMotion();
  const auto in_effect = [&](const torch::Tensor& own, int64_t first, int64_t count) {
    return MotionInEffect(own, given_masks, mode, scene, static_cast<size_t>(first),
                          static_cast<size_t>(count));
  };
  torch::Tensor masks = in_effect(pass.InputMotionProbability(), 0, inputs);
  impl_->AddMasks(masks, scene);
  if (masks.defined()) masks = masks.to(impl_->device);
  const SceneMemory memory = pass.Encode(masks).memory;
  auto state = std::make_shared<Scene::State>();
  state->quick = impl_->ViewsOf(memory, images.size(3), images.size(4));
  if (memory.surface.defined()) {
    WarnOfLoneInputs(memory.surface.weight, inputs);
    scene.points = ToPoints(memory.surface.points);
    scene.detail = DetailOf(std::span(scene.framings).first(static_cast<size_t>(inputs)), most_detail);
  }
  SceneMemory detailed = memory;
  if (scene.detail > 1)
    detailed.surface.detail = impl_->Detail(photos.first(static_cast<size_t>(inputs)), scene);
  state->full = impl_->ViewsOf(detailed, images.size(3), images.size(4));
  scene.state = std::move(state);
  if (num_held_out > 0 && !scene.masks.empty()) {
    torch::Tensor own;
    if (pass.HasMotion()) {
      Report(progress, "motion in held-out photos", config.motion.layers);
      own = torch::sigmoid(pass.TargetMotion().to(torch::kFloat32));
    }
    impl_->AddMasks(in_effect(own, inputs, num_held_out), scene);
  }
  scene.width *= scene.detail;
  scene.height *= scene.detail;
  return scene;
}

Scene Reconstructor::EstimateMotion(std::span<const Image> photos, const ProgressCallback& progress) const {
  torch::NoGradGuard no_grad;
  if (!has_motion()) throw UsageError("this model has no motion estimator");
  Scene scene;
  scene.num_inputs = static_cast<int>(photos.size());
  Pass pass(impl_->model, impl_->Features(), impl_->Frame(photos, scene), scene.num_inputs,
            StepsOf(progress));
  Report(progress, "estimating cameras", impl_->config.camera_estimator_layers);
  scene.cameras = CamerasFromTensors(pass.cameras().c2w[0], pass.cameras().fxfycxcy[0]);
  impl_->ComputeFeatures(pass, progress);
  Report(progress, "estimating motion", impl_->config.motion.layers);
  pass.InputMotion();
  impl_->AddMasks(pass.InputMotionProbability(), scene);
  return scene;
}

std::vector<Image> Reconstructor::Render(const Scene& scene, std::span<const Camera> cameras,
                                         const ProgressCallback& progress, bool quick) const {
  torch::NoGradGuard no_grad;
  if (!scene.state) throw UsageError("this scene holds masks only; Render needs one made by Reconstruct");
  std::vector<Image> views;
  if (cameras.empty()) return views;
  Report(progress, "rendering", static_cast<int64_t>(cameras.size()));
  const Scene::State::Views& place = quick ? scene.state->quick : scene.state->full;
  const Cameras wanted = ToModel(cameras, impl_->device);
  const bool on_gpu = !impl_->device.is_cpu();
  const torch::Tensor images = on_gpu && cameras.size() == 1
                                   ? (*place.one)({wanted.c2w, wanted.fxfycxcy})
                                   : impl_->model->Render(place.memory, wanted, scene.frame_height(),
                                                          scene.frame_width(), StepsOf(progress));
  for (int64_t i = 0; i < images.size(1); ++i) {
    const torch::Tensor planes = images[0][i].to(torch::kCPU, torch::kFloat).contiguous();
    views.push_back(FromPlanes({planes.data_ptr<float>(), static_cast<size_t>(planes.numel())},
                               static_cast<int>(planes.size(2)), static_cast<int>(planes.size(1))));
  }
  return views;
}

std::vector<InputPlaces> Reconstructor::FindInInputs(const Scene& scene,
                                                     std::span<const Camera> cameras) const {
  torch::NoGradGuard no_grad;
  if (!scene.state) throw UsageError("this scene holds masks only; places need one made by Reconstruct");
  const InputSurface& surface = scene.state->full.memory.surface;
  std::vector<InputPlaces> found;
  if (!surface.defined()) return found;
  for (const Camera& camera : cameras) {  // one after the other: the pairs of pixels and points are many
    const Cameras wanted = ToModel(std::span(&camera, 1), impl_->device);
    const PlacesOfPixels pixels = FindPixels(surface, wanted.c2w, wanted.fxfycxcy);
    const torch::Tensor places =
        pixels.places[0][0].permute({3, 0, 1, 2}).to(torch::kCPU, torch::kFloat).contiguous();
    const torch::Tensor support = pixels.support[0][0][0].to(torch::kCPU, torch::kFloat).contiguous();
    InputPlaces of_camera;
    of_camera.inputs = static_cast<int>(places.size(1));
    of_camera.height = static_cast<int>(places.size(2));
    of_camera.width = static_cast<int>(places.size(3));
    const int64_t count = places[0].numel();
    of_camera.x.assign(places.data_ptr<float>(), places.data_ptr<float>() + count);
    of_camera.y.assign(places.data_ptr<float>() + count, places.data_ptr<float>() + 2 * count);
    of_camera.support.assign(support.data_ptr<float>(), support.data_ptr<float>() + support.numel());
    found.push_back(std::move(of_camera));
  }
  return found;
}

PatchFeatures Reconstructor::Features(std::span<const Image> photos, const ProgressCallback& progress) const {
  torch::NoGradGuard no_grad;
  Scene framed;
  const torch::Tensor images = impl_->Frame(photos, framed);
  if (impl_->dino.is_empty()) Report(progress, "own features", impl_->config.camera_estimator_layers);
  Pass pass(impl_->model, impl_->Features(), images, images.size(1), StepsOf(progress));
  impl_->ComputeFeatures(pass, progress);
  const torch::Tensor grid = pass.Features(0, images.size(1))[0];  // [V, D, h, w]
  const torch::Tensor rows = grid.to(torch::kCPU, torch::kFloat).flatten(2).transpose(1, 2).contiguous();
  PatchFeatures features;
  features.views = static_cast<int>(grid.size(0));
  features.channels = grid.size(1);
  features.rows = static_cast<int>(grid.size(2));
  features.columns = static_cast<int>(grid.size(3));
  features.values.assign(rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel());
  return features;
}

int Reconstructor::frame_width() const { return static_cast<int>(impl_->config.width); }
int Reconstructor::frame_height() const { return static_cast<int>(impl_->config.height); }
bool Reconstructor::has_motion() const { return impl_->config.use_motion; }

std::string Reconstructor::precision() const { return PrecisionName(impl_->precision); }

std::string Reconstructor::device() const { return DeviceText(impl_->device); }
std::string Reconstructor::device_name() const { return DeviceName(impl_->device); }
uint64_t Reconstructor::peak_device_bytes() const { return PeakDeviceBytes(impl_->device); }

int64_t Reconstructor::num_parameters() const {
  int64_t count = 0;
  for (const torch::Tensor& parameter : impl_->model->parameters()) count += parameter.numel();
  return count;
}

std::string Reconstructor::weights_hash() const {
  if (!impl_->checkpoint) return "random";
  return impl_->checkpoint->WeightsHash(StoredModelNames(*impl_->checkpoint));
}

std::string Reconstructor::config_yaml() const { return impl_->config.ToYaml(); }
std::string Reconstructor::dino_name() const {
  const bool own = has_motion() && impl_->config.motion.features == MotionFeatures::kOwn;
  return own ? "not needed, the model's own features" : impl_->dino_name;
}
double Reconstructor::motion_threshold() const { return impl_->config.motion.threshold; }

}  // namespace wildrayzer
