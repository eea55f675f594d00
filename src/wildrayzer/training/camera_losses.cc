#include "wildrayzer/training/camera_losses.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "wildrayzer/nn/grid.h"

namespace wildrayzer {
namespace {

// Numbers that the match head reads off a token.
constexpr int64_t kReadings = 16;

// Quadratic below this size of an error (matrix entries, depth units, image widths), linear above.
struct Huber {
  double size;
  torch::Tensor operator()(const torch::Tensor& error) const {
    const torch::Tensor magnitude = error.abs();
    return torch::where(magnitude < size, magnitude.square() / (2 * size), magnitude - size / 2);
  }
};

// Of camera-to-world matrices [B, V, 4, 4].
torch::Tensor Rotation(const torch::Tensor& c2w) { return c2w.narrow(2, 0, 3).narrow(3, 0, 3); }
torch::Tensor Translation(const torch::Tensor& c2w) { return c2w.narrow(2, 0, 3).select(3, 3); }

Number Squares(const torch::Tensor& x) { return Number(x.square()); }

// 1 - error / total of sums of squares; 0 where there is nothing to explain.
Number ExplainedPart(const Number& error, const Number& total) {
  const torch::Tensor explained = 1.0 - error.tensor() / total.tensor();
  return Number(torch::where(total.tensor().gt(0.0), explained, torch::zeros_like(explained)));
}

Number SumOfDegrees(const torch::Tensor& predicted, const torch::Tensor& truth) {
  const torch::Tensor trace = (predicted * truth).sum({-2, -1});
  const torch::Tensor angle = torch::acos(((trace - 1.0) / 2.0).clamp(-1.0, 1.0));
  return 180.0 / std::numbers::pi * Number(angle);
}

torch::Tensor AfterTheFirst(const torch::Tensor& views) { return views.narrow(1, 1, views.size(1) - 1); }

// Of the focal length in the square root of the frame's area, which does not depend on the frame's shape.
torch::Tensor LogFocal(const torch::Tensor& fxfycxcy) {
  return torch::log(fxfycxcy.narrow(2, 0, 2).clamp_min(0.05)).mean(2);
}

// Cameras of the camera head, as it told them, views after the first, and focal lengths: a scalar.
torch::Tensor CameraLoss(const Huber& huber, const Cameras& predicted, const torch::Tensor& c2w,
                         const torch::Tensor& fxfycxcy) {
  const torch::Tensor pose = AfterTheFirst(predicted.told_c2w.defined() ? predicted.told_c2w : predicted.c2w),
                      true_pose = AfterTheFirst(c2w);
  return huber(Rotation(pose) - Rotation(true_pose)).sum({-2, -1}).mean() / 3.0 +
         huber(Translation(pose) - Translation(true_pose)).sum(-1).mean() +
         huber(LogFocal(predicted.fxfycxcy) - LogFocal(fxfycxcy)).mean();
}

// Every token's reading of its view's camera, views after the first: a scalar.
torch::Tensor DenseCameraLoss(const Huber& huber, const torch::Tensor& readings, const torch::Tensor& c2w,
                              const torch::Tensor& fxfycxcy) {
  const torch::Tensor seen = AfterTheFirst(readings), true_pose = AfterTheFirst(c2w);
  const torch::Tensor turn =
      (Rotation(true_pose) - torch::eye(3, c2w.options())).flatten(2).unsqueeze(2);  // [B, V-1, 1, 9]
  return huber(seen.narrow(-1, 3, 9) - turn).sum(-1).mean() / 3.0 +
         huber(seen.narrow(-1, 12, 3) - Translation(true_pose).unsqueeze(2)).sum(-1).mean() +
         huber(readings.select(-1, 15) - LogFocal(fxfycxcy).unsqueeze(-1)).mean();
}

// c2w with its translations in the model's unit, the median depth of the first view, as far as the estimate
// tells: the factor that fits best, but one of 1/7 to 1 (metres of a place that a person photographs), since
// one without bounds would reward cameras that stand still.
torch::Tensor InModelUnit(const Cameras& predicted, const torch::Tensor& c2w) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor moved = Translation(AfterTheFirst(predicted.c2w));  // [B, V - 1, 3]
  const torch::Tensor true_moved = Translation(AfterTheFirst(c2w));
  const torch::Tensor fit =
      (moved * true_moved).sum({1, 2}) / true_moved.square().sum({1, 2}).clamp_min(1e-12);
  torch::Tensor scaled = c2w.clone();
  Translation(scaled).mul_(fit.clamp(1.0 / 7.0, 1.0).view({-1, 1, 1}));
  return scaled;
}

}  // namespace

MatchHeadImpl::MatchHeadImpl(int64_t d) {
  projection_ = register_module("projection", NormLinear(d, kReadings, /*bias=*/true));
}

torch::Tensor MatchHeadImpl::forward(const torch::Tensor& features) {
  return projection_->forward(features.flatten(3).transpose(2, 3));
}

CameraTerms WorldCameraLoss(const Cameras& predicted, const torch::Tensor& match_output,
                            const WorldBatch& truth, double huber_size, const SumOverPieces& sum) {
  const Huber huber{huber_size};
  const int64_t others = truth.c2w.size(1) - 1;
  const torch::Tensor pose = predicted.c2w.narrow(1, 1, others);
  const torch::Tensor true_pose = truth.c2w.narrow(1, 1, others);
  const torch::Tensor translation_error = Translation(pose) - Translation(true_pose);
  const torch::Tensor focal_error = LogFocal(predicted.fxfycxcy) - LogFocal(truth.fxfycxcy);

  const int64_t columns = truth.images.size(4) / truth.patch, rows = truth.images.size(3) / truth.patch;
  const torch::Tensor displacement =
      truth.matches - GridCentres(rows, columns, truth.matches.device());  // [B, V, n, 2]
  const torch::Tensor match_error = match_output.narrow(-1, 0, 2) - displacement;
  const torch::Tensor depth_error = match_output.select(-1, 2) - truth.log_depth;
  // The first view matches itself: nothing to learn.
  const torch::Tensor weight = truth.visible.narrow(1, 1, others).unsqueeze(-1);
  const torch::Tensor seen_error = match_error.narrow(1, 1, others) * weight;
  const torch::Tensor seen = displacement.narrow(1, 1, others) * weight;
  const auto scenes = static_cast<double>(truth.c2w.size(0));
  const auto totals = Total(sum, {scenes, Number(weight)});
  const Number visible = totals[1].AtLeast(1.0);
  const torch::Tensor share = scenes / totals[0].Float();  // of what is a mean over the scenes

  CameraTerms terms;
  terms.loss =
      share * (CameraLoss(huber, predicted, truth.c2w, truth.fxfycxcy) + 0.2 * huber(depth_error).mean() +
               DenseCameraLoss(huber, match_output, truth.c2w, truth.fxfycxcy)) +
      2.0 * huber(seen_error).sum() / visible.Float();
  const torch::NoGradGuard no_grad;
  const auto sums =
      Total(sum, {Number(terms.loss), SumOfDegrees(Rotation(pose), Rotation(true_pose)),
                  Squares(translation_error), Squares(Translation(true_pose)), Number(focal_error.abs()),
                  Number(seen_error.square().sum(-1).sqrt()), Squares(seen_error), Squares(seen),
                  SumOfDegrees(torch::eye(3, pose.options()), Rotation(true_pose))});
  terms.value = sums[0];
  terms.rotation_degrees = sums[1] / (totals[0] * static_cast<double>(others));
  terms.still_degrees = sums[8] / (totals[0] * static_cast<double>(others));
  terms.translation_r2 = ExplainedPart(sums[2], sums[3]);
  terms.focal_error = sums[4] / (totals[0] * static_cast<double>(others + 1));
  terms.match_error = sums[5] / visible;
  terms.match_r2 = ExplainedPart(sums[6], sums[7]);
  return terms;
}

torch::Tensor KnownCameraLoss(const Cameras& predicted, const torch::Tensor& match_output,
                              const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, double huber_size) {
  const Huber huber{huber_size};
  const torch::Tensor truth = InModelUnit(predicted, c2w);
  const torch::Tensor loss = CameraLoss(huber, predicted, truth, fxfycxcy);
  return match_output.defined() ? loss + DenseCameraLoss(huber, match_output, truth, fxfycxcy) : loss;
}

MatchAttentionTerms MatchAttentionLoss(const torch::Tensor& logits, const torch::Tensor& matches,
                                       const torch::Tensor& weight, int64_t rows, int64_t columns,
                                       const torch::Tensor& is_hidden, const SumOverPieces& sum) {
  // Weights of the patches on one axis: 1 at a patch's centre, 0 at its neighbours'. [B, V, n, count]
  const auto near = [&](int64_t axis, int64_t count) {
    const torch::Tensor place = (matches.select(-1, axis) * static_cast<double>(count) - 0.5)
                                    .clamp(0, static_cast<double>(count - 1));
    return (1.0 - (place.unsqueeze(-1) - torch::arange(count, place.options())).abs()).clamp_min(0.0);
  };
  torch::Tensor target = (near(1, rows).unsqueeze(-1) * near(0, columns).unsqueeze(-2))
                             .flatten(-2)
                             .unsqueeze(2);  // [B, V, 1, n, n]
  torch::Tensor open = logits;
  if (is_hidden.defined()) {
    const torch::Tensor hidden = is_hidden.unsqueeze(1).unsqueeze(1).unsqueeze(1);
    target = target.masked_fill(hidden, 0.0);
    open = logits.masked_fill(hidden, -1e4);  // finite, so that 0 times its logarithm is 0
  }
  const torch::Tensor chosen = torch::log_softmax(open, -1);
  const auto mean_of = [&](const torch::Tensor& log_or_share) {
    return ((log_or_share * target).sum(-1).mean(2) * weight).sum();
  };
  const Number tokens = Total(sum, {Number(target.sum(-1).squeeze(2) * weight)})[0].AtLeast(1.0);
  MatchAttentionTerms terms;
  terms.loss = -mean_of(chosen) / tokens.Float();
  const torch::NoGradGuard no_grad;
  terms.attended = Total(sum, {Number(mean_of(chosen.exp()))})[0] / tokens;
  return terms;
}

}  // namespace wildrayzer
