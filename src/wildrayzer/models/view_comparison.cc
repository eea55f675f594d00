#include "wildrayzer/models/view_comparison.h"

namespace wildrayzer {
namespace {

constexpr int64_t kFeatures = 64;
// The view, the difference of the others from it, and its size, 3 channels each; whether another view shows
// the place, how much these disagree, and whether matches are near.
constexpr int64_t kClues = 12;

torch::Tensor Clues(const torch::Tensor& images, const WarpedInputs& others) {
  if (!others.image.defined()) {
    const torch::Tensor nothing = torch::zeros_like(images.narrow(2, 0, 1));
    return torch::cat({images, nothing.expand({-1, -1, kClues - 3, -1, -1})}, 2);
  }
  const torch::Tensor difference = (others.image * 2.0 - 1.0 - images) * others.sure;
  return torch::cat({images, difference, difference.abs(), others.sure, others.spread, others.support}, 2);
}

}  // namespace

ViewComparisonImpl::ViewComparisonImpl(int64_t patch, int64_t d) : patch_(patch) {
  tokenizer_ = register_module("tokenizer", PatchTokenizer(kClues, kCell, kFeatures));
  look0_ = register_module("look0", MapRefiner(kFeatures));
  look1_ = register_module("look1", MapRefiner(kFeatures));
  context_ = register_module("context", NormLinear(d, kFeatures, /*bias=*/true));
  outline_ = register_module("outline", MapRefiner(kFeatures));
  tell_ = register_module("tell", Linear(kFeatures, d));
  logits_ = register_module("logits", Linear(kFeatures, kCell * kCell));
}

torch::Tensor ViewComparisonImpl::forward(const torch::Tensor& images, const WarpedInputs& others) {
  const torch::Tensor cells = tokenizer_->forward(Clues(images, others).flatten(0, 1));
  torch::Tensor map = cells.transpose(1, 2).reshape(
      {cells.size(0), kFeatures, images.size(3) / kCell, images.size(4) / kCell});
  map = map + look0_->forward(map);
  return map + look1_->forward(map);
}

torch::Tensor ViewComparisonImpl::Tell(const torch::Tensor& features) {
  const int64_t side = patch_ / kCell;
  const torch::Tensor pooled = torch::avg_pool2d(features, {side, side});
  return tell_->forward(pooled.flatten(2).transpose(1, 2)).to(torch::kFloat32);
}

torch::Tensor ViewComparisonImpl::Outline(const torch::Tensor& features, const torch::Tensor& tokens) {
  const torch::Tensor context = context_->forward(tokens.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
  const int64_t rows = features.size(2), columns = features.size(3);
  const torch::Tensor map =
      features + torch::upsample_bilinear2d(context, {rows, columns}, /*align_corners=*/false);
  const torch::Tensor outlined = map + outline_->forward(map);
  const torch::Tensor logits = logits_->forward(outlined.flatten(2).transpose(1, 2)).to(torch::kFloat32);
  return Unpatchify(logits, kCell, kCell * rows, kCell * columns);
}

}  // namespace wildrayzer
