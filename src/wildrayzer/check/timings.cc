#include "wildrayzer/check/timings.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "wildrayzer/check/small_models.h"
#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/device_memory.h"
#include "wildrayzer/kernels/int8_linear.h"
#include "wildrayzer/kernels/replay.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/int8_weights.h"
#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/training/scene_pieces.h"
#include "wildrayzer/training/worlds_on_device.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

constexpr int64_t kInputs = 2, kTargets = 6;

double Milliseconds(torch::Device device, const std::function<void()>& work) {
  Synchronize(device);
  const auto start = std::chrono::steady_clock::now();
  work();
  Synchronize(device);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Median and fastest of several runs, after two that do not count; of what takes longer than that, of one.
Timing Measure(const std::string& name, const TimingOptions& options, double operations, double peak,
               const std::function<void()>& work) {
  Timing timing;
  timing.name = name;
  timing.precision = PrecisionName(options.precision);
  timing.operations = operations;
  timing.peak = peak;
  try {
    work();
    const double once = Milliseconds(options.device, work);
    constexpr double kLong = 10e3;
    const auto runs =
        once > kLong ? 1
                     : static_cast<int>(std::clamp(options.seconds * 1e3 / std::max(once, 0.01), 3.0, 200.0));
    std::vector<double> times;
    for (int i = 0; i < runs; ++i) times.push_back(Milliseconds(options.device, work));
    std::sort(times.begin(), times.end());
    timing.milliseconds = times[times.size() / 2];
    timing.fastest = times.front();
    timing.device_bytes = PeakDeviceBytes(options.device);
  } catch (const std::exception& error) {
    timing.failure = OutOfDeviceMemory(error).value_or(
        std::string(error.what()).substr(0, std::string(error.what()).find('\n')));
  }
  return timing;
}

Tensor PicturesOf(const ModelConfig& config, int64_t scenes, int64_t views) {
  return RandomValues({scenes, views, 3, config.height, config.width}, 7);
}

// Products of a block over n tokens that attend to each other.
double BlockOperations(double n, double d) { return 24.0 * n * d * d + 4.0 * n * n * d; }

}  // namespace

PassOperations::PassOperations(const ModelConfig& config, int64_t scenes, int64_t inputs, int64_t targets) {
  const auto d = static_cast<double>(config.d);
  const auto pixels = static_cast<double>(config.patch * config.patch);
  const auto n = static_cast<double>(config.height * config.width) / pixels;
  const auto k = static_cast<double>(inputs), t = static_cast<double>(targets), views = k + t;
  tokens = 2.0 * views * n * 3 * pixels * d;
  for (int64_t i = 0; i < config.camera_estimator_layers; ++i) {
    const bool within = config.camera_attention == CameraAttention::kAlternating && i % 2 == 1;
    cameras += within ? views * BlockOperations(n + 1, d) : BlockOperations(views * (n + 1), d);
  }
  const double rays = 2.0 * n * 6 * pixels * d;  // of a view
  const bool codes = config.scene == SceneLayout::kCodes;
  const double carried = codes ? static_cast<double>(config.scene_tokens) : 0.0;
  scene = k * (rays + 2.0 * n * 3 * d * d);  // and fusion
  scene += static_cast<double>(config.scene_encoder_layers) * BlockOperations(k * n + carried, d);
  double layer = t * BlockOperations(n + carried, d);
  // Keys and values of the scene once; queries, mixing and the way back for every view.
  if (!codes) layer += 4.0 * k * n * d * d + t * n * (4.0 * d * d + 4.0 * k * n * d);
  rendering = t * (rays + 2.0 * n * 3 * pixels * d) + static_cast<double>(config.renderer_layers) * layer;
  for (double* part : {&tokens, &cameras, &scene, &rendering}) *part *= static_cast<double>(scenes);
}

double MatrixPeak(const TimingOptions& options) {
  const int64_t side = options.device.is_cpu() ? 2048 : 8192;
  const double operations = 2.0 * std::pow(static_cast<double>(side), 3);
  if (options.precision == Precision::kInt8) {
    const Tensor x = RandomValues({side, side}, 1);
    const Int8Matrix weight = QuantizeMatrix(RandomValues({side, side}, 2));
    const Timing timing =
        Measure("", options, operations, 0, [&] { Int8LinearProduct(x, weight, {}, /*gelu=*/false); });
    return operations / (timing.fastest * 1e-3);
  }
  const auto type = options.precision == Precision::kBf16 ? torch::kBFloat16 : torch::kFloat32;
  const Tensor a = RandomValues({side, side}, 1).to(options.device, type), b = a.t().contiguous();
  const Timing timing = Measure("", options, operations, 0, [&] { torch::matmul(a, b); });
  return operations / (timing.fastest * 1e-3);
}

double MemoryBandwidth(const TimingOptions& options) {
  const Tensor large = torch::ones({int64_t{1} << 26});  // 256 MiB, more than any cache
  const Timing timing = Measure("", options, 0, 0, [&] { large.sum(); });
  return static_cast<double>(large.nbytes()) / (timing.fastest * 1e-3);
}

std::vector<Timing> TimePass(const std::string& name, WildRayZer model, const TimingOptions& options,
                             double peak) {
  const torch::NoGradGuard no_grad;
  const ModelConfig& config = model->config();
  const Tensor images = PicturesOf(config, 1, kInputs + kTargets).to(options.device);
  std::vector<Timing> timings;
  const auto whole = [&] {
    Pass pass(model, FeatureSource(), images, kInputs);
    pass.Encode();
    return pass.RenderTargets();
  };
  timings.push_back(Measure(fmt::format("{}: {} inputs, {} targets", name, kInputs, kTargets), options,
                            PassOperations(config, 1, kInputs, kTargets).total(), peak, whole));
  Pass pass(model, FeatureSource(), images, kInputs);
  const SceneMemory memory = pass.Encode().memory;
  const Cameras one = pass.cameras().Views(kInputs, 1);
  Replay view([&](const std::vector<Tensor>& camera) {
    return model->Render(memory, Cameras::Given(camera[0], camera[1]), config.height, config.width);
  });
  timings.push_back(Measure(fmt::format("{}: one more view", name), options, 0, 0, [&] {
    view({one.c2w, one.fxfycxcy});
  }));
  return timings;
}

std::vector<Timing> TimeStages(WildRayZer model, const TimingOptions& options, double peak) {
  const torch::NoGradGuard no_grad;
  const ModelConfig& config = model->config();
  const PassOperations work(config, 1, kInputs, kTargets);
  const Tensor images = PicturesOf(config, 1, kInputs + kTargets).to(options.device);
  std::vector<Timing> timings;
  const auto time = [&](const std::string& name, double operations, const std::function<void()>& stage) {
    timings.push_back(Measure(name, options, operations, peak, stage));
  };
  time("tokens of 8 views", work.tokens, [&] { model->Tokenize(images); });
  const ViewTokens views = model->Tokenize(images);
  time("cameras of 8 views", work.cameras, [&] { model->EstimateCameras(views); });
  const Cameras cameras = model->EstimateCameras(views), targets = cameras.Views(kInputs, kTargets);
  const ViewTokens inputs = model->Tokenize(images.narrow(1, 0, kInputs));
  const auto encode = [&] {
    const Tensor rays = model->ConditioningRayTokens(cameras.Views(0, kInputs), config.height, config.width);
    return model->EncodeScene(inputs, rays).memory;
  };
  time("scene from 2 views", work.scene, encode);
  const SceneMemory memory = encode();
  time("rendering 6 views", work.rendering,
       [&] { model->Render(memory, targets, config.height, config.width); });
  time("all of it", work.total(), [&] {
    Pass whole(model, FeatureSource(), images, kInputs);
    whole.Encode();
    whole.RenderTargets();
  });
  return timings;
}

Timing TimeStep(const std::string& name, const ModelConfig& config, int64_t scenes, int64_t inputs,
                int64_t targets, const TimingOptions& options, double peak) {
  WildRayZer model(config);
  RandomInit(model, 1);
  model->to(options.device);
  MasterWeights weights(*model, options.precision, [](const std::string&) { return true; });
  OptimizerOptions adamw;
  adamw.skip_factor = INFINITY;
  Optimizer optimizer(weights.masters(), adamw);
  const Tensor images = PicturesOf(config, scenes, inputs + targets).to(options.device);
  const auto workers = options.device.is_cpu() ? NumThreads() : 1;
  const auto pass = [&](const ScenePiece& piece, const SumOverPieces&) {
    const Tensor part = images.narrow(0, piece.first, piece.count);
    Pass of_piece(model, FeatureSource(), part, inputs);
    of_piece.Encode();
    Outcome outcome;
    outcome.loss = torch::mse_loss(of_piece.RenderTargets(), part.narrow(1, inputs, targets)) *
                   (static_cast<double>(piece.count) / static_cast<double>(scenes));
    return outcome;
  };
  return Measure(name, options, 3.0 * PassOperations(config, scenes, inputs, targets).total(), peak, [&] {
    const Outcome outcome = LearnFromPieces(SplitScenes(scenes, workers), 1.0, weights.used(), pass,
                                            [&] { weights.CollectGradients(); });
    optimizer.Step(1e-4, Number(outcome.loss));
    optimizer.ZeroGrad();
    weights.Publish();
  });
}

std::vector<Timing> TimeWorlds(int count, int views, int side, const TimingOptions& options) {
  const TextureBank bank = SmallBank();
  const std::vector<World> worlds = SmallWorlds(bank, count, views, side);
  const WorldRenderer renderer(bank, options.device, NumThreads());
  TimingOptions here = options;
  here.device = torch::kCPU;
  here.precision = Precision::kFp32;
  TimingOptions there = here;
  there.device = options.device;
  const std::string what = fmt::format("{} worlds, {} views of {} px", count, views, side);
  std::vector<Timing> timings;
  timings.push_back(Measure(what + ": drawn", here, 0, 0, [&] { SmallWorlds(bank, count, views, side); }));
  timings.push_back(Measure(what + ": rendered", there, 0, 0, [&] {
    renderer.Render(worlds, {side, side, std::max(1, side / 16)});
  }));
  for (Timing& timing : timings) timing.worlds = count;
  return timings;
}

Dinov3 EmptyDino7B(const TimingOptions& options) {
  Dinov3 model(Dinov3Config::Variant("vit7b16"));
  const torch::TensorOptions here(options.device);
  if (options.precision == Precision::kInt8) {
    for (const auto& [name, linear] : BlockLinears(*model)) {
      const std::vector<int64_t> shape = model->named_parameters()[name].sizes().vec();
      linear->UseInt8({torch::full(shape, 1, torch::kInt8), torch::full({shape[0]}, 0.01)});
    }
  }
  for (torch::Tensor parameter : model->parameters()) {
    if (parameter.scalar_type() == torch::kInt8 || parameter.dim() == 0) continue;
    const bool vector = parameter.dim() == 1 || options.precision == Precision::kInt8;
    parameter.set_data(
        torch::full(parameter.sizes(), 0.01, here.dtype(vector ? torch::kFloat32 : torch::kBFloat16)));
  }
  return model;
}

Timing TimeDino(Dinov3 model, const TimingOptions& options, double peak) {
  const torch::NoGradGuard no_grad;
  const Dinov3Config& config = model->config();
  const Tensor images = RandomValues({2, 3, 256, 256}, 1).to(options.device);
  const auto patches = static_cast<double>(256 / config.patch);
  const auto d = static_cast<double>(config.width);
  const double n = patches * patches + static_cast<double>(config.prefix_tokens());
  const double mlp = (config.gated ? 6.0 : 4.0) * n * d * static_cast<double>(config.hidden);
  const double layer = 8.0 * n * d * d + 4.0 * n * n * d + mlp;
  return Measure("DINOv3 " + config.Name() + ": two views", options,
                 2.0 * static_cast<double>(config.layers) * layer, peak, [&] { model->forward(images); });
}

void WritePeerCase(const std::filesystem::path& path, const ModelConfig& config, int64_t scenes,
                   uint64_t seed, torch::Device device) {
  const torch::NoGradGuard no_grad;
  WildRayZer model(config);
  RandomInit(model, seed);
  NamedParameters tensors;
  for (const auto& item : model->named_parameters())
    tensors.emplace_back("model." + item.key(), item.value().clone());
  model->to(device);
  const Tensor images = PicturesOf(config, scenes, kInputs + kTargets);
  Pass pass(model, FeatureSource(), images.to(device), kInputs);
  pass.Encode();
  tensors.emplace_back("images", images);
  tensors.emplace_back("renderings", pass.RenderTargets());
  tensors.emplace_back("c2w", pass.cameras().c2w);
  tensors.emplace_back("fxfycxcy", pass.cameras().fxfycxcy);
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors) sources.push_back(TensorSourceOf(name, tensor));
  WriteSafetensors(path, std::move(sources),
                   {{kConfigMetadataKey, config.ToYaml()},
                    {"wildrayzer.case", nlohmann::json({{"inputs", kInputs}, {"seed", seed}}).dump()}});
}

}  // namespace wildrayzer
