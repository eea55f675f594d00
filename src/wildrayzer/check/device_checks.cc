#include "wildrayzer/check/device_checks.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "wildrayzer/check/small_models.h"
#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/norm.h"
#include "wildrayzer/kernels/replay.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/training/objective.h"
#include "wildrayzer/training/scene_pieces.h"
#include "wildrayzer/training/weight_average.h"
#include "wildrayzer/training/worlds_on_device.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

// float32 sums in another order, through a few layers; bfloat16 has steps of 2^-8, and two values that round
// to neighbours differ by one of them.
constexpr double kFp32 = 1e-4, kBf16 = 1e-2;

// Largest difference over the largest value.
double RelativeError(const Tensor& found, const Tensor& wanted) {
  const Tensor a = found.detach().to(torch::kCPU, torch::kFloat64),
               b = wanted.detach().to(torch::kCPU, torch::kFloat64);
  if (a.sizes() != b.sizes()) return INFINITY;
  const double error = (a - b).abs().max().item<double>();
  return std::isfinite(error) ? error / std::max(b.abs().max().item<double>(), 1e-12) : INFINITY;
}

double LargestError(const Tensors& found, const Tensors& wanted) {
  double largest = found.size() == wanted.size() ? 0.0 : INFINITY;
  for (size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
    largest = std::max(largest, RelativeError(found[i], wanted[i]));
  return largest;
}

// Root of the mean square of all differences over that of all values.
double MeanError(const Tensors& found, const Tensors& wanted) {
  double errors = 0, squares = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Tensor a = found.at(i).detach().to(torch::kCPU, torch::kFloat64);
    const Tensor b = wanted[i].detach().to(torch::kCPU, torch::kFloat64);
    errors += (a - b).square().sum().item<double>();
    squares += b.square().sum().item<double>();
  }
  return std::isfinite(errors) ? std::sqrt(errors / squares) : INFINITY;
}

// What f gives when tensors are computed in a GPU's way, wherever they are; LibTorch 1 has no such
// operations.
template <typename F>
auto InGpusWay(const F& f) {
  const AsOnGpu on_gpu(kHasDeviceOperations);
  return f();
}

Tensors On(torch::Device device, const Tensors& tensors) {
  Tensors moved;
  for (const Tensor& tensor : tensors)
    moved.push_back(tensor.to(device).detach().set_requires_grad(tensor.is_floating_point()));
  return moved;
}

// What a function of tensors gives, and its gradients after all of them, for a fixed gradient of the result.
Tensors WithGradients(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs) {
  const Tensor y = f(inputs);
  const Tensor outer = RandomValues(y.sizes().vec(), 9).sub_(0.5).to(y.options());
  Tensors all{y};
  for (Tensor& gradient : torch::autograd::grad({y}, inputs, {outer})) all.push_back(std::move(gradient));
  return all;
}

class Checks {
 public:
  Checks(torch::Device device, const std::function<void(const CheckResult&)>& report)
      : device_(device), report_(report) {}

  void Attention();
  void Norms();
  void Losses();
  void Optimizers();
  void Passes();
  void Replays();
  void Steps();
  void Worlds();

  std::vector<CheckResult> results;

 private:
  void Add(const std::string& name, double allowed, const std::function<double()>& error) {
    CheckResult result{name, 0, allowed, ""};
    try {
      result.error = error();
    } catch (const std::exception& thrown) {
      result.failure = std::string(thrown.what()).substr(0, std::string(thrown.what()).find('\n'));
    }
    report_(result);
    results.push_back(std::move(result));
  }

  torch::Device device_;
  std::function<void(const CheckResult&)> report_;
};

void Checks::Attention() {
  for (const auto& [type, allowed] :
       {std::pair(torch::kFloat32, kFp32), std::pair(torch::kBFloat16, kBf16)}) {
    const auto operand = [&, type = type](int64_t tokens, uint64_t seed) {
      return RandomValues({3, 4, tokens, 32}, seed).sub_(0.5).mul_(3.0).to(type);
    };
    const Tensors inputs{operand(70, 1), operand(90, 2), operand(90, 3)};
    const Tensor counts = torch::tensor({90, 37, 0}, torch::kInt64);
    for (const bool counted : {false, true}) {
      Add(fmt::format("attention{}, {}", counted ? " to the first keys" : "",
                      type == torch::kFloat32 ? "fp32" : "bf16"),
          allowed, [&] {
            const auto ours = [&](const Tensors& t) {
              return wildrayzer::Attention(t[0], t[1], t[2], 0.18, counted ? counts : Tensor());
            };
            const auto theirs = [&](const Tensors& t) {
              return wildrayzer::Attention(t[0], t[1], t[2], 0.18, counted ? counts.to(device_) : Tensor());
            };
            const auto found = InGpusWay([&] { return WithGradients(theirs, On(device_, inputs)); });
            return LargestError(found, WithGradients(ours, On(torch::kCPU, inputs)));
          });
    }
  }
}

void Checks::Norms() {
  const Tensors inputs{RandomValues({5, 7, 3 * 64}, 1).sub_(0.3).mul_(4.0), RandomValues({3 * 64}, 2),
                       RandomValues({3 * 64}, 3), RandomValues({32}, 4), RandomValues({32}, 5)};
  const auto compare = [&](const std::function<Tensor(const Tensors&)>& f, const Tensors& some) {
    const auto found = InGpusWay([&] { return WithGradients(f, On(device_, some)); });
    return LargestError(found, WithGradients(f, On(torch::kCPU, some)));
  };
  Add("layer norm", kFp32, [&] {
    return compare([](const Tensors& t) { return LayerNormalize(t[0], t[1], t[2], 1e-5, torch::kFloat32); },
                   {inputs[0], inputs[1], inputs[2]});
  });
  Add("RMS norm of heads", kFp32, [&] {
    const auto f = [](const Tensors& t) {
      const AttentionOperands heads = NormalizeQueriesAndKeys(t[0], t[1], t[2], 1e-5);
      return torch::cat({heads.q, heads.k, heads.v}, 2);
    };
    return compare(f, {inputs[0], inputs[3], inputs[4]});
  });
}

void Checks::Losses() {
  const Tensor rendering = RandomValues({4, 3, 40, 56}, 1), target = RandomValues({4, 3, 40, 56}, 2);
  const Tensor mask = RandomValues({4, 40, 56}, 3).gt(0.4).to(torch::kUInt8);
  const StructuralPerceptualLoss structural;
  for (const bool masked : {false, true}) {
    const auto distances = [&](const Tensors& t) {
      const torch::Device here = t[0].device();
      const Tensor keep = masked ? mask.to(here) : Tensor(), truth = target.to(here);
      return torch::cat({SquaredErrors(t[0], truth, keep), structural.Distances(t[0], truth, keep)});
    };
    Add(masked ? "losses of masked pictures" : "losses of pictures", kFp32, [&] {
      const auto found = InGpusWay([&] { return WithGradients(distances, On(device_, {rendering})); });
      return LargestError(found, WithGradients(distances, On(torch::kCPU, {rendering})));
    });
  }
}

// Three updates of a few parameters, the second of which is not finite and must leave no trace, and a moving
// average.
Tensors Optimized(torch::Device device, const OptimizerOptions& options) {
  const std::vector<std::pair<std::string, std::vector<int64_t>>> shapes{{"0.attn.to_qkv.weight", {96, 32}},
                                                                         {"0.mlp.mlp.0.weight", {64, 32}},
                                                                         {"0.mlp.mlp.2.weight", {32, 64}},
                                                                         {"head.weight", {20, 33}},
                                                                         {"head.bias", {20}}};
  NamedParameters parameters;
  for (size_t i = 0; i < shapes.size(); ++i) {
    parameters.emplace_back(shapes[i].first, RandomValues(shapes[i].second, 10 + i).sub_(0.5).to(device));
    parameters.back().second.set_requires_grad(true);
  }
  Optimizer optimizer(parameters, options);
  WeightAverage average(parameters, 0.9);
  Tensors all;
  for (uint64_t step = 0; step < 3; ++step) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Tensor gradient = RandomValues(shapes[i].second, 100 * step + i).sub_(0.5).to(device);
      if (step == 1) gradient.flatten()[0] = NAN;
      parameters[i].second.mutable_grad() = gradient;
    }
    const StepResult result = optimizer.Step(0.01, 1.0);
    all.push_back(torch::stack({result.applied.tensor(), result.skipped.tensor()}).to(torch::kFloat64));
    average.Update();
  }
  for (const auto& [name, parameter] : parameters) all.push_back(parameter);
  for (const auto& state : {optimizer.ExportState(), average.ExportState()})
    for (const auto& [name, tensor] : state) all.push_back(tensor);
  return all;
}

void Checks::Optimizers() {
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    OptimizerOptions options;
    options.kind = kind;
    options.skip_factor = 1000;  // of these gradients only the one that is not finite is to be skipped
    Add(kind == OptimizerKind::kMuon ? "Muon and moving average" : "AdamW and moving average", kFp32, [&] {
      const auto found = InGpusWay([&] { return Optimized(device_, options); });
      return LargestError(found, Optimized(torch::kCPU, options));
    });
  }
}

void Checks::Passes() {
  for (const auto& [name, config] : SmallLayouts()) {
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      const bool bf16 = precision == Precision::kBf16;
      const auto predict = [&, &config = config](torch::Device device, Precision how) -> Tensors {
        const torch::NoGradGuard no_grad;
        WildRayZer model = LivelyModel(config);
        CastWeights(*model, how);
        model->to(device);
        const TrainingBatch batch = RandomBatch(config, 2, 2, 3, device);
        PredictOptions options;
        options.input_masks = batch.pasted_masks.narrow(1, 0, 2);
        const Prediction all = Predict(model, batch.images, 2, options);
        return {all.cameras.c2w, all.cameras.fxfycxcy, all.images, all.input_logits.sigmoid()};
      };
      const auto found = [&] { return InGpusWay([&] { return predict(device_, precision); }); };
      if (!bf16) {
        Add("whole pass, " + name + ", fp32", kFp32,
            [&] { return LargestError(found(), predict(torch::kCPU, precision)); });
        continue;
      }
      // A rounding becomes another rounding at every layer, and these weights hide none: as far from float32
      // as the processor's own bfloat16 is, within a factor of two.
      const Tensors exact = predict(torch::kCPU, Precision::kFp32);
      Add("whole pass, " + name + ", bf16 from fp32", 2 * MeanError(predict(torch::kCPU, precision), exact),
          [&] { return MeanError(found(), exact); });
    }
  }
}

void Checks::Replays() {
  for (const auto& [name, config] : SmallLayouts()) {
    Add(fmt::format("one more view, played again, {}", name), 1e-6, [&, &config = config] {
      const torch::NoGradGuard no_grad;
      WildRayZer model = LivelyModel(config);
      model->to(device_);
      const TrainingBatch batch = RandomBatch(config, 1, 2, 3, device_);
      Pass pass(model, FeatureSource(), batch.images, 2);
      const SceneMemory memory = pass.Encode(batch.pasted_masks.narrow(1, 0, 2)).memory;
      const auto render = [&](const Tensors& camera) {
        return model->Render(memory, Cameras::Given(camera[0], camera[1]), config.height, config.width);
      };
      Replay replay(render);
      double error = 0;
      for (int64_t view = 0; view < 5; ++view) {
        const Cameras camera = pass.cameras().Views(view, 1);
        error = std::max(error, RelativeError(replay({camera.c2w, camera.fxfycxcy}),
                                              render({camera.c2w, camera.fxfycxcy})));
      }
      return error;
    });
  }
}

// Gradients and loss of one batch, and the weights after three steps, in which nothing on the device is
// waited for.
Tensors Trained(const TrainConfig& train,
                const std::function<Outcome(Objective&, const SumOverPieces&)>& pass) {
  WildRayZer model = LivelyModel(train.model);
  model->to(train.device);
  Objective objective(train, model, FeatureSource());
  MasterWeights weights(*model, Precision::kFp32,
                        [&](const std::string& name) { return StageTrains(train.stage, name); });
  Optimizer optimizer(weights.masters(), train.optimizer);
  Tensors all;
  for (int64_t step = 0; step < 3; ++step) {
    std::optional<NoWaiting> watch;
    if (step > 0) watch.emplace(train.device);  // the first may make what the next ones keep
    const Outcome outcome = LearnFromPieces(
        SplitScenes(2, 1), 1.0, weights.used(),
        [&](const ScenePiece&, const SumOverPieces& sum) { return pass(objective, sum); },
        [&] { weights.CollectGradients(); });
    if (step == 0) {
      all.push_back(outcome.loss);
      for (const auto& [name, master] : weights.masters()) {
        if (master.grad().defined()) all.push_back(master.grad().clone());
      }
    }
    optimizer.Step(1e-3, Number(outcome.loss));
    optimizer.ZeroGrad();
    weights.Publish();
  }
  return all;
}

// One world that is rendered at the true camera and behind the true masks, and one at what is estimated.
WorldBatch SmallWorldBatch() {
  const TextureBank bank = SmallBank();
  WorldBatch batch;
  static_cast<WorldTensors&>(batch) =
      WorldRenderer(bank, torch::kCPU, NumThreads()).Render(SmallWorlds(bank, 2, 4, 64), {64, 64, 8});
  batch.draws = torch::tensor({0.2F, 0.3F, 0.7F, 0.8F}).view({2, 2});
  batch.patch = 8;
  return batch;
}

void Checks::Steps() {
  const WorldBatch worlds = SmallWorldBatch();
  for (const auto& [name, config] : SmallLayouts()) {
    Add(fmt::format("gradients of worlds, {}", name), 20 * kFp32, [&, &config = config] {
      const auto trained = [&](torch::Device device) {
        TrainConfig train = SmallStage(Stage::kJoint, config, device);
        train.masks_teach_tokens = true;
        train.worlds.match_attention = Ramp::Constant(0.5);
        train.worlds.look_attention = Ramp::Constant(config.scene == SceneLayout::kTokens ? 0.1 : 0.0);
        train.worlds.true_cameras = train.worlds.true_masks = Ramp::Constant(0.5);
        const WorldBatch batch = worlds.On(device);
        return Trained(train,
                       [&](Objective& objective, const auto& sum) { return objective.Worlds(batch, sum); });
      };
      const Tensors found = InGpusWay([&] { return trained(device_); });
      return MeanError(found, trained(torch::kCPU));
    });
    for (const Stage stage : {Stage::kCameraWarmup, Stage::kPretraining, Stage::kMotionMasks,
                              Stage::kMaskedReconstruction, Stage::kJoint}) {
      // Gradients of a whole model: differences of sums that nearly cancel.
      Add(fmt::format("gradients of {}, {}", StageName(stage), name), 20 * kFp32, [&, &config = config] {
        const auto trained = [&](torch::Device device) {
          const TrainingBatch batch = RandomBatch(config, 2, 2, 3, device);
          return Trained(SmallStage(stage, config, device), [&](Objective& objective, const auto& sum) {
            return objective.Rooms(batch, 0, sum);
          });
        };
        const Tensors found = InGpusWay([&] { return trained(device_); });
        return MeanError(found, trained(torch::kCPU));
      });
    }
  }
}

// A ray that passes an edge of a thing, of a mask's outline or of a texel within a rounding falls to either
// side of it, and then the values have nothing in common: what is bounded is how many do. Shares of values
// that differ by more than 1e-3.
void Checks::Worlds() {
  const TextureBank bank = SmallBank();
  const std::vector<World> worlds = SmallWorlds(bank, 6, 4, 64);
  WorldFrameSize size{64, 64, 8};
  size.depth = true;
  const WorldTensors wanted = WorldRenderer(bank, torch::kCPU, NumThreads()).Render(worlds, size);
  WorldTensors found;
  Add("worlds are rendered without waiting", 0, [&] {
    const WorldRenderer renderer(bank, device_, 1);
    renderer.Render(worlds, size);  // makes what the next ones keep
    const NoWaiting watch(device_);
    found = renderer.Render(worlds, size);
    return 0.0;
  });
  const auto compare = [&](const std::string& name, const Tensor WorldTensors::*values) {
    Add("worlds: " + name + " that differ", 1e-3, [&] {
      const Tensor difference = ((found.*values).to(torch::kCPU) - wanted.*values).abs();
      // A value that is not a number differs from all.
      return 1.0 - difference.le(1e-3).to(torch::kFloat64).mean().item<double>();
    });
  };
  compare("pictures", &WorldTensors::images);
  compare("clean pictures", &WorldTensors::clean);
  compare("masks", &WorldTensors::cover);
  compare("depths of pixels", &WorldTensors::depth);
  compare("matches", &WorldTensors::matches);
  compare("depths of patches", &WorldTensors::log_depth);
  compare("visible patches", &WorldTensors::visible);
  compare("cameras", &WorldTensors::c2w);
}

}  // namespace

std::vector<CheckResult> CheckDevice(torch::Device device,
                                     const std::function<void(const CheckResult&)>& report) {
  Checks checks(device, report);
  checks.Attention();
  checks.Norms();
  checks.Losses();
  checks.Optimizers();
  checks.Passes();
  checks.Replays();
  checks.Steps();
  checks.Worlds();
  return std::move(checks.results);
}

}  // namespace wildrayzer
