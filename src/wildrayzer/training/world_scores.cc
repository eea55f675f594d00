#include "wildrayzer/training/world_scores.h"

#include <algorithm>
#include <array>
#include <numbers>
#include <vector>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/training/worlds_on_device.h"
#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

constexpr int kWorldsAtOnce = 8;
// Views in which less than this share of the pixels moves do not count for masks.
constexpr double kLeastMoving = 0.005;
constexpr std::array kThresholds = {0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};

class MeanOf {
 public:
  void Add(const torch::Tensor& values) {
    const torch::Tensor all = values.to(torch::kFloat64);
    sum_ += all.sum().item<double>();
    count_ += static_cast<double>(all.numel());
  }
  void Add(double value) { sum_ += value, count_ += 1; }
  bool empty() const { return count_ == 0; }
  double value() const { return sum_ / count_; }

 private:
  double sum_ = 0, count_ = 0;
};

torch::Tensor PsnrOfViews(const torch::Tensor& rendering, const torch::Tensor& truth) {
  return -10.0 * torch::log10((rendering - truth).square().mean({2, 3, 4}).clamp_min(1e-10));
}

// [B, V, 1, H, W]: 1 where a view sees a twin that stands still.
torch::Tensor TwinMasks(const std::vector<World>& worlds, const TextureBank& bank, int width, int height) {
  const auto views = static_cast<int64_t>(worlds[0].views.size());
  torch::Tensor masks = torch::zeros({static_cast<int64_t>(worlds.size()), views, 1, height, width});
  float* out = masks.data_ptr<float>();
  for (const World& world : worlds) {
    const WorldPointers pointers = PointersOf(world, bank);
    for (const WorldView& view : world.views) {
      for (int i = 0; i < width * height; ++i, ++out) {
        if (world.twins == 0) continue;
        const Float3 ray = RayThrough(view, width, height,
                                      (static_cast<float>(i % width) + 0.5F) / static_cast<float>(width),
                                      (static_cast<float>(i / width) + 0.5F) / static_cast<float>(height));
        const PointHit hit = TracePoint(pointers, view, ray, PixelAngle(view, width, height));
        const bool twin = hit.still.primitive >= 0 &&
                          world.primitives[static_cast<size_t>(hit.still.primitive)].mover == kTwin;
        *out = twin && hit.mover.primitive < 0 ? 1.0F : 0.0F;
      }
    }
  }
  return masks;
}

Cameras KnownCameras(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy) {
  Cameras cameras;
  cameras.c2w = c2w;
  cameras.fxfycxcy = fxfycxcy;
  return cameras;
}

class WorldScores {
 public:
  WorldScores(WildRayZer model, FeatureSource features, const WorldScoreOptions& options,
              const TextureBank& bank, torch::Device device)
      : model_(std::move(model)),
        features_(std::move(features)),
        options_(options),
        bank_(bank),
        renderer_(bank_, device, NumThreads()) {
    options_.drawn.views = options.inputs + options.targets;
    // The first two views are the ends of the way, whatever is made of them.
    options_.drawn.inputs = std::min(std::max(2, options.inputs), options_.drawn.views);
    options_.drawn.width = static_cast<int>(model_->config().width);
    options_.drawn.height = static_cast<int>(model_->config().height);
  }

  void Add(int first, int count) {
    std::vector<World> worlds, others;
    WorldOptions still = options_.drawn;
    still.movers = 0;
    for (int i = first; i < first + count; ++i) {
      Random random(options_.seed, "scored world " + std::to_string(i));
      worlds.push_back(DrawWorld(bank_, options_.drawn, random));
      others.push_back(DrawWorldAlong(worlds.back(), bank_, still, random));
    }
    const WorldFrameSize size{options_.drawn.width, options_.drawn.height,
                              static_cast<int>(model_->config().patch)};
    const WorldTensors seen = renderer_.Render(worlds, size);
    Pass pass(model_, features_, seen.images, options_.inputs);
    const Cameras estimated = pass.cameras();
    AddCameras(estimated, seen);
    AddMasks(pass, seen, TwinMasks(worlds, bank_, size.width, size.height));
    AddRenderings(pass, seen);
    AddTransfer(estimated, worlds, others, renderer_.Render(others, size));
  }

  std::map<std::string, double> Values() const {
    std::map<std::string, double> values;
    for (const auto& [name, mean] : means_) values[name] = mean.value();
    const torch::Tensor truth = torch::cat(true_moves_), error = torch::cat(moves_) - truth;
    const double total = (truth - truth.mean(0, true)).square().sum().item<double>();
    if (total > 0) values["translation_r2"] = 1.0 - error.square().sum().item<double>() / total;
    const auto best = std::max_element(ious_.begin(), ious_.end(), [](const MeanOf& a, const MeanOf& b) {
      return (a.empty() ? 0 : a.value()) < (b.empty() ? 0 : b.value());
    });
    if (!best->empty()) {
      values["best_mask_iou"] = best->value();
      values["best_threshold"] = kThresholds[static_cast<size_t>(best - ious_.begin())];
    }
    return values;
  }

 private:
  int64_t targets() const { return options_.targets; }
  torch::Tensor TargetsOf(const torch::Tensor& views) const {
    return views.narrow(1, options_.inputs, targets());
  }

  void AddCameras(const Cameras& estimated, const WorldTensors& truth) {
    const int64_t others = truth.c2w.size(1) - 1;
    const auto rotations = [&](const torch::Tensor& c2w) {
      return c2w.narrow(1, 1, others).narrow(2, 0, 3).narrow(3, 0, 3).to(torch::kFloat64);
    };
    const auto degrees = [&](const torch::Tensor& a, const torch::Tensor& b) {
      const torch::Tensor cosine = ((a * b).sum({-2, -1}) - 1.0) / 2.0;
      return torch::acos(cosine.clamp(-1.0, 1.0)) * (180.0 / std::numbers::pi);
    };
    const torch::Tensor turned = rotations(truth.c2w);
    means_["rotation_degrees"].Add(degrees(rotations(estimated.c2w), turned));
    means_["still_degrees"].Add(degrees(torch::eye(3, turned.options()), turned));
    const auto moved = [&](const torch::Tensor& c2w) {
      return c2w.narrow(1, 1, others)
          .narrow(2, 0, 3)
          .select(3, 3)
          .reshape({-1, 3})
          .to(torch::kCPU, torch::kFloat64);
    };
    moves_.push_back(moved(estimated.c2w));
    true_moves_.push_back(moved(truth.c2w));
    means_["focal_error"].Add(
        (torch::log(estimated.fxfycxcy) - torch::log(truth.fxfycxcy)).narrow(2, 0, 2).abs());
  }

  void AddMasks(Pass& pass, const WorldTensors& truth, const torch::Tensor& twins) {
    if (!pass.HasMotion()) return;
    const torch::Tensor probability =
        torch::sigmoid(torch::cat({pass.InputMotion(), pass.TargetMotion()}, 1).to(torch::kFloat32)).cpu();
    const torch::Tensor moves = truth.cover.gt(0.5).cpu();
    const double threshold = model_->config().motion.threshold;
    if (twins.sum().item<double>() > 0)
      means_["twin_false_positives"].Add(probability.gt(threshold).masked_select(twins.gt(0.5)));
    const torch::Tensor counts = moves.to(torch::kFloat32).mean({2, 3, 4}).gt(kLeastMoving);
    if (counts.sum().item<int64_t>() == 0) return;
    const auto sums = [](const torch::Tensor& mask) { return mask.to(torch::kFloat64).sum({2, 3, 4}); };
    const auto iou = [&](double at) {
      const torch::Tensor said = probability.gt(at);
      return (sums(said.logical_and(moves)) / sums(said.logical_or(moves)).clamp_min(1.0))
          .masked_select(counts);
    };
    for (size_t i = 0; i < kThresholds.size(); ++i) ious_[i].Add(iou(kThresholds[i]));
    means_["mask_iou"].Add(iou(threshold));
    means_["mask_recall"].Add(
        (sums(probability.gt(threshold).logical_and(moves)) / sums(moves).clamp_min(1.0))
            .masked_select(counts));
  }

  void AddRenderings(Pass& pass, const WorldTensors& truth) {
    const torch::Tensor clean = TargetsOf(truth.clean);
    pass.Encode(pass.InputMotionProbability());
    means_["psnr"].Add(PsnrOfViews(pass.RenderTargets(), clean));
    const torch::Tensor mean = truth.images.narrow(1, 0, options_.inputs).mean(1, true);
    means_["mean_input_psnr"].Add(PsnrOfViews(mean.expand_as(clean), clean));
    pass.UseCameras(KnownCameras(truth.c2w, truth.fxfycxcy));
    pass.Encode(truth.cover.narrow(1, 0, options_.inputs).gt(0.5).to(torch::kFloat32));
    means_["truth_psnr"].Add(PsnrOfViews(pass.RenderTargets(), clean));
  }

  void AddTransfer(const Cameras& estimated, const std::vector<World>& worlds,
                   const std::vector<World>& others, const WorldTensors& truth) {
    const torch::Tensor clean = TargetsOf(truth.clean);
    Pass pass(model_, features_, truth.images, options_.inputs);
    const auto score = [&](const std::string& name, const Cameras& at) {
      pass.UseCameras(at);
      pass.Encode();
      means_[name].Add(PsnrOfViews(pass.RenderTargets(), clean));
    };
    score("transfer_psnr", InOtherWorlds(estimated, worlds, others));
    score("transfer_truth_psnr", KnownCameras(truth.c2w, truth.fxfycxcy));
  }

  WildRayZer model_;
  FeatureSource features_;
  WorldScoreOptions options_;
  const TextureBank& bank_;
  WorldRenderer renderer_;
  std::map<std::string, MeanOf> means_;
  std::array<MeanOf, kThresholds.size()> ious_;
  std::vector<torch::Tensor> moves_, true_moves_;  // [views, 3] translations
};

}  // namespace

Cameras InOtherWorlds(const Cameras& cameras, std::span<const World> worlds, std::span<const World> others) {
  const Cameras moved = KnownCameras(cameras.c2w.clone(), cameras.fxfycxcy);
  for (size_t i = 0; i < worlds.size(); ++i)
    moved.c2w[static_cast<int64_t>(i)].narrow(1, 0, 3).select(2, 3).mul_(worlds[i].unit / others[i].unit);
  return moved;
}

std::map<std::string, double> ScoreOnWorlds(WildRayZer model, const FeatureSource& features,
                                            const WorldScoreOptions& options, const TextureBank& bank,
                                            torch::Device device) {
  if (options.worlds == 0) return {};
  const torch::NoGradGuard no_grad;
  WorldScores scores(std::move(model), features, options, bank, device);
  for (int first = 0; first < options.worlds; first += kWorldsAtOnce)
    scores.Add(first, std::min(kWorldsAtOnce, options.worlds - first));
  return scores.Values();
}

}  // namespace wildrayzer
