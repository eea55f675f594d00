#include "wildrayzer/training/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

double ToPsnr(double mse) { return -10.0 * std::log10(mse); }

// One value a scene, repeated for each of its views.
std::vector<float> PerView(const std::vector<float>& scenes, int64_t views) {
  std::vector<float> values;
  for (const float value : scenes) values.insert(values.end(), views, value);
  return values;
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
Tensor WeightedSum(const Tensor& values, const std::vector<float>& weights) {
  // Selected, not multiplied: a view that does not count may hold anything.
  return torch::where(torch::tensor(weights).gt(0.0), values, torch::zeros_like(values)).sum();
}

double Count(const std::vector<float>& weights) {
  return static_cast<double>(std::count(weights.begin(), weights.end(), 1.0f));
}

}  // namespace

Tensor MaskLosses(const Tensor& logits, const Tensor& labels, double positive_weight, double dice) {
  Tensor z = logits.to(torch::kFloat32);
  const Tensor y = labels.detach().to(torch::kFloat32);
  if (z.size(2) != y.size(2) || z.size(3) != y.size(3))
    z = torch::upsample_bilinear2d(z, {y.size(2), y.size(3)}, /*align_corners=*/false);
  const Tensor weight = positive_weight == 1.0 ? Tensor() : torch::full({1}, positive_weight);
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
  const auto pixels =
      Total(sum, {static_cast<double>(mask.sum().item<int64_t>()), static_cast<double>(mask.numel())});
  terms.static_share = pixels[0] / std::max(pixels[1], 1.0);
  terms.all_pixels = terms.static_share < options_.minimum_static;
  return terms.all_pixels ? Tensor() : mask;
}

Tensor Losses::Reconstruction(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const {
  const Tensor rendering = inputs.rendering.flatten(0, 1), target = inputs.target.flatten(0, 1);
  const Tensor mask = StaticMask(inputs, sum, terms);
  std::vector<float> scenes;
  for (int64_t scene = 0; scene < inputs.rendering.size(0); ++scene)
    scenes.push_back(
        static_cast<float>(IsDynamic(inputs, scene) ? options_.dynamic_scenes : options_.other_scenes));
  const Tensor weights = torch::tensor(PerView(scenes, inputs.rendering.size(1)));

  const Tensor errors = SquaredErrors(rendering, target, mask);
  // Values (pixels times channels) that count in each view.
  const Tensor counts = mask.defined() ? mask.flatten(1).sum(1).to(torch::kFloat32) * rendering.size(1)
                                       : torch::full_like(errors, static_cast<float>(rendering[0].numel()));
  const auto totals = Total(sum, {errors.detach().sum().item<double>(), counts.sum().item<double>(),
                                  static_cast<double>(rendering.size(0))});
  terms.mse = totals[0] / totals[1];
  terms.psnr = ToPsnr(terms.mse);
  const Tensor view_mse = errors.detach() / counts.clamp_min(1.0);
  for (int64_t view = 0; view < view_mse.size(0); ++view)
    terms.view_psnr.push_back(ToPsnr(view_mse[view].item<double>()));

  Tensor loss = torch::zeros({});
  if (options_.mse != 0) loss = loss + options_.mse * (errors * weights).sum() / totals[1];
  if (options_.perceptual != 0) {
    const Tensor distances = perceptual_->Distances(rendering, target, mask);
    terms.perceptual = Total(sum, {distances.detach().sum().item<double>()})[0] / totals[2];
    loss = loss + options_.perceptual * (distances * weights).sum() / totals[2];
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

std::vector<float> Losses::PassesGate(const LossInputs& inputs, const LossTerms& terms) const {
  std::vector<float> passes(static_cast<size_t>(inputs.target_logits.size(0) * inputs.target_logits.size(1)),
                            1.0f);
  if (!options_.psnr_gate) return passes;
  const Tensor given = inputs.target_psnr.defined() ? inputs.target_psnr.flatten() : Tensor();
  if (!given.defined() && terms.view_psnr.empty())
    throw Error("a PSNR gate, but nothing to tell the PSNR by");
  for (size_t view = 0; view < passes.size(); ++view) {
    const double psnr =
        given.defined() ? given[static_cast<int64_t>(view)].item<double>() : terms.view_psnr.at(view);
    passes[view] = psnr >= *options_.psnr_gate ? 1.0f : 0.0f;
  }
  return passes;
}

Tensor Losses::Masks(const LossInputs& inputs, const SumOverPieces& sum, LossTerms& terms) const {
  const bool targets = inputs.target_logits.defined() && inputs.target_labels.defined();
  const bool given = inputs.input_logits.defined() && inputs.input_labels.defined();
  std::vector<float> passes, labelled;
  if (targets) passes = PassesGate(inputs, terms);
  if (given) {
    std::vector<float> scenes(inputs.input_logits.size(0), 1.0f);
    for (size_t scene = 0; scene < inputs.scene_has_input_labels.size(); ++scene)
      scenes[scene] = inputs.scene_has_input_labels[scene] ? 1.0f : 0.0f;
    labelled = PerView(scenes, inputs.input_logits.size(1));
  }
  const auto views = Total(sum, {Count(passes), static_cast<double>(passes.size()), Count(labelled)});
  terms.taught_views = static_cast<int64_t>(views[0]);
  terms.gated_views = static_cast<int64_t>(views[1] - views[0]);
  Tensor target = torch::zeros({}), input = torch::zeros({});
  if (targets) target = WeightedSum(TargetMaskLosses(inputs), passes) / std::max(views[0], 1.0);
  if (given) {
    const Tensor losses = MaskLosses(inputs.input_logits.flatten(0, 1), inputs.input_labels.flatten(0, 1),
                                     options_.mask_positive_weight, options_.mask_dice);
    input = WeightedSum(losses, labelled) / std::max(views[2], 1.0);
  }
  const auto means = Total(sum, {target.item<double>(), input.item<double>()});
  terms.target_mask = means[0];
  terms.input_mask = means[1];
  return target + input;
}

LossTerms Losses::operator()(const LossInputs& inputs, const SumOverPieces& sum) const {
  CheckInputs(inputs);
  if (!inputs.rendering.defined() && (options_.mse != 0 || options_.perceptual != 0))
    throw Error("a loss of renderings, but no rendering");
  LossTerms terms;
  terms.total = inputs.rendering.defined() ? Reconstruction(inputs, sum, terms) : torch::zeros({});
  if (options_.motion != 0) terms.total = terms.total + options_.motion * Masks(inputs, sum, terms);
  terms.loss = Total(sum, {terms.total.item<double>()})[0];
  return terms;
}

}  // namespace wildrayzer
