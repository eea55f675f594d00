#include "wildrayzer/training/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

Tensor ToPsnr(const Tensor& mse) { return -10.0 * torch::log10(mse); }

// One value a scene, repeated for each of its views, where `like` is.
Tensor PerView(const std::vector<float>& scenes, int64_t views, const Tensor& like) {
  return Upload(torch::tensor(scenes).unsqueeze(1).expand({-1, views}).flatten(), like.device());
}

bool IsDynamic(const LossInputs& inputs, int64_t scene) {
  return inputs.scene_is_dynamic.empty() || inputs.scene_is_dynamic[scene];
}

void CheckViews(const char* name, const Tensor& tensor, int64_t scenes, int64_t views, int64_t channels) {
  if (!tensor.defined()) return;
  if (tensor.dim() != 5 || tensor.size(0) != scenes || (views >= 0 && tensor.size(1) != views) ||
      tensor.size(2) != channels)
    throw Error(fmt::format("the loss was given {} of another shape than [{}, {}, {}, H, W]", name, scenes,
                            views >= 0 ? std::to_string(views) : "V", channels));
}

void CheckInputs(const LossInputs& inputs) {
  const bool rendered = inputs.rendering.defined();
  if (rendered && (inputs.rendering.dim() != 5 || inputs.rendering.sizes() != inputs.target.sizes()))
    throw Error("the loss needs a rendering and a target of one shape [B, T, 3, H, W]");
  const Tensor& views = rendered ? inputs.rendering : inputs.target_logits;
  if (!views.defined() || views.dim() != 5) throw Error("the loss was given neither renderings nor logits");
  const int64_t scenes = views.size(0), targets = views.size(1);
  CheckViews("logits in the role of inputs", inputs.logits_as_inputs, scenes, targets, 1);
  CheckViews("target logits", inputs.target_logits, scenes, targets, 1);
  CheckViews("target labels", inputs.target_labels, scenes, targets, 1);
  CheckViews("input logits", inputs.input_logits, scenes, -1, 1);
  if (inputs.input_logits.defined())
    CheckViews("input labels", inputs.input_labels, scenes, inputs.input_logits.size(1), 1);
  for (const auto* flags : {&inputs.scene_has_input_labels, &inputs.scene_is_dynamic}) {
    if (!flags->empty() && static_cast<int64_t>(flags->size()) != scenes)
      throw Error("the loss was given flags for another number of scenes");
  }
}

// Sum over the views with weight 1; 0 (of gradient 0) when there is none.
Tensor WeightedSum(const Tensor& values, const Tensor& weights) {
  // Selected, not multiplied: a view that does not count may hold anything.
  return torch::where(weights.gt(0.0), values, torch::zeros_like(values)).sum();
}

Tensor Zero(const Tensor& like) {
  return torch::zeros({}, like.options().dtype(torch::kFloat32).requires_grad(false));
}

}  // namespace

Tensor MaskLosses(const Tensor& logits, const Tensor& labels, double positive_weight, double dice) {
  Tensor z = logits.to(torch::kFloat32);
  const Tensor y = labels.detach().to(torch::kFloat32);
  if (z.size(2) != y.size(2) || z.size(3) != y.size(3))
    z = torch::upsample_bilinear2d(z, {y.size(2), y.size(3)}, /*align_corners=*/false);
  const Tensor weight = positive_weight == 1.0 ? Tensor() : torch::full({1}, positive_weight, y.options());
  const Tensor entropy = torch::binary_cross_entropy_with_logits(z, y, {}, weight, at::Reduction::None);
  const Tensor loss = entropy.flatten(1).mean(1);
  if (dice == 0) return loss;
  constexpr double kSmooth = 0.01;
  const Tensor p = torch::sigmoid(z).flatten(1), truth = y.flatten(1);
  const Tensor overlap = (2.0 * (p * truth).mean(1) + kSmooth) / (p.mean(1) + truth.mean(1) + kSmooth);
  return loss + dice * (1.0 - overlap);
}

Losses::Losses(const LossOptions& options, std::shared_ptr<const PerceptualLoss> perceptual)
    : options_(options), perceptual_(std::move(perceptual)) {
  if (options_.perceptual != 0 && perceptual_ == nullptr)
    throw Error("a perceptual loss with a weight, but none to compute it");
}

Tensor Losses::StaticMask(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const {
  if (!options_.static_pixels_only || !inputs.target_logits.defined()) return {};
  const torch::NoGradGuard no_grad;
  const int64_t scenes = inputs.rendering.size(0), targets = inputs.rendering.size(1);
  const int64_t height = inputs.rendering.size(3), width = inputs.rendering.size(4);
  Tensor logits = inputs.target_logits.to(torch::kFloat32).flatten(0, 1);
  if (logits.size(2) != height || logits.size(3) != width)
    logits = torch::upsample_nearest2d(logits, {height, width});
  Tensor mask =
      torch::sigmoid(logits).le(options_.motion_threshold).to(torch::kUInt8).squeeze(1).contiguous();
  for (int64_t scene = 0; scene < scenes; ++scene) {
    if (!IsDynamic(inputs, scene)) mask.narrow(0, scene * targets, targets).fill_(1);
  }
  const auto pixels = Total(sum, {Number(mask), static_cast<double>(mask.numel())});
  terms.static_share = pixels[0] / pixels[1].AtLeast(1.0);
  const Tensor all = terms.static_share.tensor() < options_.minimum_static;
  terms.all_pixels = Number(all);
  return mask.logical_or(all).to(torch::kUInt8);
}

Tensor Losses::Reconstruction(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const {
  const Tensor rendering = inputs.rendering.flatten(0, 1), target = inputs.target.flatten(0, 1);
  const Tensor mask = StaticMask(inputs, sum, terms);
  std::vector<float> scenes;
  for (int64_t scene = 0; scene < inputs.rendering.size(0); ++scene)
    scenes.push_back(
        static_cast<float>(IsDynamic(inputs, scene) ? options_.dynamic_scenes : options_.other_scenes));
  const Tensor weights = PerView(scenes, inputs.rendering.size(1), rendering);

  const Tensor errors = SquaredErrors(rendering, target, mask);
  // Values (pixels times channels) that count in each view.
  const Tensor counts = mask.defined() ? mask.flatten(1).sum(1).to(torch::kFloat32) * rendering.size(1)
                                       : torch::full_like(errors, static_cast<float>(rendering[0].numel()));
  const auto totals = Total(sum, {Number(errors), Number(counts), static_cast<double>(rendering.size(0))});
  terms.mse = totals[0] / totals[1];
  terms.psnr = Number(ToPsnr(terms.mse.tensor()));
  terms.view_psnr = ToPsnr(errors.detach().to(torch::kFloat64) / counts.clamp_min(1.0));

  Tensor loss = Zero(rendering);
  if (options_.mse != 0) loss = loss + options_.mse * (errors * weights).sum() / totals[1].Float();
  if (options_.perceptual != 0) {
    const Tensor distances = perceptual_->Distances(rendering, target, mask);
    terms.perceptual = Total(sum, {Number(distances)})[0] / totals[2];
    loss = loss + options_.perceptual * (distances * weights).sum() / totals[2].Float();
  }
  return loss;
}

Tensor Losses::TargetMaskLosses(const LossInputs& inputs) const {
  const Tensor labels = inputs.target_labels.flatten(0, 1);
  const auto loss_of = [&](const Tensor& logits) {
    return MaskLosses(logits.flatten(0, 1), labels, options_.mask_positive_weight, options_.mask_dice);
  };
  const Tensor losses = loss_of(inputs.target_logits);
  const double share = options_.masks_as_inputs;
  if (share == 0) return losses;
  if (!inputs.logits_as_inputs.defined()) throw Error("no logits of the targets in the role of inputs");
  return (1 - share) * losses + share * loss_of(inputs.logits_as_inputs);
}

Tensor Losses::PassesGate(const LossInputs& inputs, const LossTerms& terms) const {
  const Tensor psnr = inputs.target_psnr.defined() ? inputs.target_psnr.flatten() : terms.view_psnr;
  if (!options_.psnr_gate) {
    return torch::ones({inputs.target_logits.size(0) * inputs.target_logits.size(1)},
                       torch::TensorOptions(inputs.target_logits.device()));
  }
  if (!psnr.defined()) throw Error("a PSNR gate, but nothing to tell the PSNR by");
  return psnr.ge(*options_.psnr_gate).to(torch::kFloat32).to(inputs.target_logits.device());
}

Tensor Losses::Masks(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const {
  const bool targets = inputs.target_logits.defined() && inputs.target_labels.defined();
  const bool given = inputs.input_logits.defined() && inputs.input_labels.defined();
  Tensor passes, labelled;
  if (targets) passes = PassesGate(inputs, terms);
  if (given) {
    std::vector<float> scenes(inputs.input_logits.size(0), 1.0f);
    for (size_t scene = 0; scene < inputs.scene_has_input_labels.size(); ++scene)
      scenes[scene] = inputs.scene_has_input_labels[scene] ? 1.0f : 0.0f;
    labelled = PerView(scenes, inputs.input_logits.size(1), inputs.input_logits);
  }
  const auto count = [](const Tensor& weights) { return weights.defined() ? Number(weights) : Number(); };
  const double all_targets = targets ? static_cast<double>(passes.numel()) : 0.0;
  const auto views = Total(sum, {count(passes), all_targets, count(labelled)});
  terms.taught_views = views[0];
  terms.gated_views = views[1] - views[0];
  const Tensor& some_logits = targets ? inputs.target_logits : inputs.input_logits;
  Tensor target, input;
  target = input = some_logits.defined() ? Zero(some_logits) : torch::zeros({});
  if (targets) target = WeightedSum(TargetMaskLosses(inputs), passes) / views[0].AtLeast(1.0).Float();
  if (given) {
    const Tensor losses = MaskLosses(inputs.input_logits.flatten(0, 1), inputs.input_labels.flatten(0, 1),
                                     options_.mask_positive_weight, options_.mask_dice);
    input = WeightedSum(losses, labelled) / views[2].AtLeast(1.0).Float();
  }
  const auto means = Total(sum, {Number(target), Number(input)});
  terms.target_mask = means[0];
  terms.input_mask = means[1];
  return target + input;
}

LossTerms Losses::operator()(const LossInputs& inputs, const SumOverPieces& sum) const {
  CheckInputs(inputs);
  if (!inputs.rendering.defined() && (options_.mse != 0 || options_.perceptual != 0))
    throw Error("a loss of renderings, but no rendering");
  LossTerms terms;
  terms.total = inputs.rendering.defined() ? Reconstruction(inputs, sum, terms) : Zero(inputs.target_logits);
  if (options_.motion != 0) terms.total = terms.total + options_.motion * Masks(inputs, sum, terms);
  terms.loss = Total(sum, {Number(terms.total)})[0];
  return terms;
}

}  // namespace wildrayzer
