#include "wildrayzer/training/perceptual_loss.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/training/loss_kernels.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

enum class PlaneDistance : int64_t { kSquaredError, kStructural };

// The distance of planes [begin, end) of N C planes; gradient may be null.
void ComputePlanes(PlaneDistance kind, const Tensor& x, const Tensor& y, const Tensor& mask, int64_t begin,
                   int64_t end, double* distances, float* gradient) {
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3), pixels = height * width;
  std::optional<StructuralDistance> structural;
  if (kind == PlaneDistance::kStructural) structural.emplace(height, width);
  for (int64_t plane = begin; plane < end; ++plane) {
    const float* a = x.data_ptr<float>() + plane * pixels;
    const float* b = y.data_ptr<float>() + plane * pixels;
    const uint8_t* counts = mask.numel() > 0 ? mask.data_ptr<uint8_t>() + plane / channels * pixels : nullptr;
    float* derivative = gradient == nullptr ? nullptr : gradient + plane * pixels;
    distances[plane] = structural ? structural->Compute(a, b, counts, derivative)
                                  : SquaredError(a, b, counts, pixels, derivative);
  }
}

// The same distances composed of ATen operations, for tensors that are not on the CPU: x, y [N, C, H, W] ->
// [N], sums over the channels.
Tensor SquaredErrorAten(const Tensor& x, const Tensor& y, const Tensor& keep) {
  const Tensor difference = x - y;
  // Selected, not multiplied: what does not count may be anything, even NaN.
  const Tensor counted =
      keep.defined() ? torch::where(keep, difference, torch::zeros_like(difference)) : difference;
  return counted.square().flatten(1).sum(1);
}

// 1 - SSIM, mean over the windows: [N, C].
Tensor DissimilarityAten(const Tensor& x, const Tensor& y) {
  constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
  const auto mean = [](const Tensor& t) {
    constexpr int64_t kSide = StructuralDistance::kWindow;
    return torch::avg_pool2d(t, {kSide, kSide}, {1, 1});
  };
  const Tensor mx = mean(x), my = mean(y), product = mx * my, squares = mx.square() + my.square();
  const Tensor variances = mean(x.square() + y.square()) - squares, covariance = mean(x * y) - product;
  const Tensor ssim = (2 * product + kC1) * (2 * covariance + kC2) / ((squares + kC1) * (variances + kC2));
  return (1 - ssim).mean({2, 3});
}

// Mean smoothed size of the difference of the slopes along both axes: [N, C].
Tensor SlopesAten(const Tensor& difference) {
  constexpr double kSmooth = 1e-3;
  const auto sum = [](const Tensor& d) {
    return (torch::sqrt(d.square() + kSmooth * kSmooth) - kSmooth).sum({2, 3});
  };
  const int64_t height = difference.size(2), width = difference.size(3);
  const Tensor across = difference.narrow(3, 1, width - 1) - difference.narrow(3, 0, width - 1);
  const Tensor down = difference.narrow(2, 1, height - 1) - difference.narrow(2, 0, height - 1);
  return (sum(across) + sum(down)) / static_cast<double>(height * (width - 1) + (height - 1) * width);
}

Tensor StructuralAten(const Tensor& rendering, const Tensor& target, const Tensor& keep) {
  Tensor x = keep.defined() ? torch::where(keep, rendering, target) : rendering;
  Tensor y = target, total;
  int levels = 0;
  while (true) {
    const bool windows = std::min(x.size(2), x.size(3)) >= StructuralDistance::kWindow;
    if (levels > 0 && !windows) break;
    Tensor distance = SlopesAten(x - y);
    if (windows) distance = distance + 0.5 * DissimilarityAten(x, y);
    total = total.defined() ? total + distance : distance;
    if (++levels == StructuralDistance::kMaxLevels) break;
    x = torch::avg_pool2d(x, {2, 2});
    y = torch::avg_pool2d(y, {2, 2});
  }
  return total.sum(1) / static_cast<double>(levels);
}

// Sums a distance of planes over the channels of each view. The gradient is made with the value, while the
// planes are in the cache. An empty mask stands for none.
class ViewDistances : public torch::autograd::Function<ViewDistances> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& rendering, const Tensor& target,
                        const Tensor& mask, int64_t kind) {
    const Tensor x = rendering.contiguous(), y = target.contiguous();
    const bool with_gradient = rendering.requires_grad();
    const Tensor gradient = with_gradient ? torch::empty_like(x) : Tensor();
    const int64_t views = x.size(0), channels = x.size(1);
    std::vector<double> planes(views * channels);
    ParallelFor(views * channels, [&](int64_t begin, int64_t end) {
      ComputePlanes(static_cast<PlaneDistance>(kind), x, y, mask, begin, end, planes.data(),
                    with_gradient ? gradient.data_ptr<float>() : nullptr);
    });
    Tensor sums = torch::empty({views}, torch::kFloat32);
    for (int64_t view = 0; view < views; ++view) {
      double sum = 0;
      for (int64_t channel = 0; channel < channels; ++channel) sum += planes[view * channels + channel];
      sums.data_ptr<float>()[view] = static_cast<float>(sum);
    }
    ctx->save_for_backward({gradient});
    return sums;
  }

  static variable_list backward(AutogradContext* ctx, variable_list outer) {
    const Tensor gradient = ctx->get_saved_variables()[0];
    return {gradient.mul(outer[0].view({-1, 1, 1, 1})), Tensor(), Tensor(), Tensor()};
  }
};

Tensor Apply(PlaneDistance kind, const Tensor& rendering, const Tensor& target, const Tensor& mask) {
  if (rendering.dim() != 4 || rendering.sizes() != target.sizes())
    throw Error("the pictures that a loss compares have different shapes");
  if (mask.defined() &&
      (mask.scalar_type() != torch::kUInt8 || mask.dim() != 3 || mask.size(0) != rendering.size(0) ||
       mask.size(1) != rendering.size(2) || mask.size(2) != rendering.size(3)))
    throw Error("a loss was given a mask that does not fit its pictures");
  if (!OnCpu(rendering)) {
    const Tensor keep = mask.defined() ? mask.ne(0).unsqueeze(1) : mask;
    const Tensor x = rendering.to(torch::kFloat32), y = target.detach().to(torch::kFloat32);
    return kind == PlaneDistance::kStructural ? StructuralAten(x, y, keep) : SquaredErrorAten(x, y, keep);
  }
  return ViewDistances::apply(rendering.to(torch::kFloat32), target.detach().to(torch::kFloat32),
                              mask.defined() ? mask.contiguous() : torch::empty({0}, torch::kUInt8),
                              static_cast<int64_t>(kind));
}

// [N, 3, H, W] in [0, 1] -> what VGG's weights expect: 0..255 minus the mean colour.
Tensor VggPixels(const Tensor& images) {
  const Tensor mean =
      Upload(torch::tensor({123.68f, 116.779f, 103.939f}).view({1, 3, 1, 1}), images.device());
  return images.to(torch::kFloat32) * 255.0f - mean;
}

}  // namespace

Tensor SquaredErrors(const Tensor& rendering, const Tensor& target, const Tensor& mask) {
  return Apply(PlaneDistance::kSquaredError, rendering, target, mask);
}

std::vector<int> VggPerceptualLoss::Taps(VggDepth depth) {
  if (depth == VggDepth::k16) return {3, 8, 13, 20, 27};
  return {3, 8, 13, 22, 31};
}

VggPerceptualLoss::VggPerceptualLoss(VggTrunk trunk, std::string label)
    : trunk_(std::move(trunk)), label_(std::move(label)) {
  if (trunk_.taps() != Taps(trunk_.depth())) throw Error("the perceptual loss taps VGG's five second ReLUs");
}

Tensor VggPerceptualLoss::WeightedTerms(const Tensor& rendering, const Tensor& target,
                                        const Tensor& mask) const {
  constexpr std::array<double, 6> kWeights{1.0, 1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5};
  std::vector<Tensor> truth{VggPixels(target.detach())};
  {
    const torch::NoGradGuard no_grad;
    for (Tensor& map : trunk_.Forward(truth[0])) truth.push_back(std::move(map));
  }
  std::vector<Tensor> maps{VggPixels(rendering)};
  for (Tensor& map : trunk_.Forward(maps[0])) maps.push_back(std::move(map));
  const Tensor keep = mask.defined() ? mask.to(torch::kFloat32).unsqueeze(1) : mask;
  std::vector<Tensor> terms;
  for (size_t i = 0; i < maps.size(); ++i) {
    Tensor difference = (maps[i] - truth[i]).abs();
    if (keep.defined()) {
      const bool same = maps[i].size(2) == keep.size(2) && maps[i].size(3) == keep.size(3);
      difference =
          difference * (same ? keep : torch::upsample_nearest2d(keep, {maps[i].size(2), maps[i].size(3)}));
    }
    terms.push_back(difference.flatten(1).mean(1) * kWeights[i]);
  }
  return torch::stack(terms, 1);
}

Tensor VggPerceptualLoss::Distances(const Tensor& rendering, const Tensor& target, const Tensor& mask) const {
  return WeightedTerms(rendering, target, mask).sum(1) / 255.0;
}

std::string VggPerceptualLoss::Description() const { return NameOf(trunk_.depth()) + " of " + label_; }

Tensor StructuralPerceptualLoss::Distances(const Tensor& rendering, const Tensor& target,
                                           const Tensor& mask) const {
  return Apply(PlaneDistance::kStructural, rendering, target, mask) / static_cast<double>(rendering.size(1));
}

std::string StructuralPerceptualLoss::Description() const {
  return "multi-scale SSIM and slopes (the substitute for VGG that needs no weights)";
}

std::unique_ptr<PerceptualLoss> MakePerceptualLoss(const std::optional<std::filesystem::path>& vgg,
                                                   torch::Device device) {
  std::unique_ptr<PerceptualLoss> loss;
  if (vgg) {
    const std::string label = vgg->string();
    const Checkpoint checkpoint = Checkpoint::Open(*vgg);
    const VggDepth depth = VggTrunk::DepthOf(checkpoint);
    VggTrunk trunk =
        VggTrunk::Load(checkpoint, label, depth, VggPooling::kAverage, VggPerceptualLoss::Taps(depth));
    trunk.To(device, torch::kFloat32);
    loss = std::make_unique<VggPerceptualLoss>(std::move(trunk), label);
    LogInfo("perceptual loss: " + loss->Description());
  } else {
    loss = std::make_unique<StructuralPerceptualLoss>();
    LogWarning("no VGG weights were given; the perceptual loss is " + loss->Description());
  }
  return loss;
}

}  // namespace wildrayzer
