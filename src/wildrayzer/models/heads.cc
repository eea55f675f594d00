#include "wildrayzer/models/heads.h"

#include <fmt/format.h>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

torch::Tensor Patchify(const torch::Tensor& images, int64_t patch) {
  const int64_t count = images.size(0);
  const int64_t channels = images.size(1);
  const int64_t rows = images.size(2) / patch;
  const int64_t columns = images.size(3) / patch;
  if (rows < 1 || columns < 1 || rows * patch != images.size(2) || columns * patch != images.size(3)) {
    throw UsageError(
        fmt::format("an image of {} x {} pixels cannot be cut into patches of {}: choose a size that is a "
                    "multiple of the patch size",
                    images.size(3), images.size(2), patch));
  }
  return images.reshape({count, channels, rows, patch, columns, patch})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({count, rows * columns, patch * patch * channels});
}

torch::Tensor Unpatchify(const torch::Tensor& patches, int64_t patch, int64_t height, int64_t width) {
  const int64_t count = patches.size(0);
  const int64_t channels = patches.size(2) / (patch * patch);
  return patches.reshape({count, height / patch, width / patch, patch, patch, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({count, channels, height, width});
}

PatchTokenizerImpl::PatchTokenizerImpl(int64_t channels, int64_t patch, int64_t d) : patch_(patch) {
  projection_ = register_module("1", Linear(channels * patch * patch, d));
}

torch::Tensor PatchTokenizerImpl::forward(const torch::Tensor& images) {
  return projection_->forward(Patchify(images, patch_)).to(torch::kFloat32);
}

SiluMlpImpl::SiluMlpImpl(int64_t in, int64_t hidden, int64_t out) {
  first_ = register_module("0", Linear(in, hidden, /*bias=*/true));
  second_ = register_module("2", Linear(hidden, out, /*bias=*/true));
}

torch::Tensor SiluMlpImpl::forward(const torch::Tensor& x) {
  return second_->forward(torch::silu(first_->forward(x))).to(torch::kFloat32);
}

FusionMlpImpl::FusionMlpImpl(int64_t in, int64_t out, Activation activation) : activation_(activation) {
  norm_ = register_module("0", LayerNorm(in));
  first_ = register_module("1", Linear(in, out, /*bias=*/true));
  second_ = register_module("3", Linear(out, out, /*bias=*/true));
}

torch::Tensor FusionMlpImpl::forward(const torch::Tensor& x) {
  const torch::Tensor hidden = first_->forward(norm_->forward(x));
  const torch::Tensor active = activation_ == Activation::kSilu ? torch::silu(hidden) : torch::gelu(hidden);
  return second_->forward(active).to(torch::kFloat32);
}

NormLinearImpl::NormLinearImpl(int64_t in, int64_t out, bool bias) {
  norm_ = register_module("0", LayerNorm(in));
  projection_ = register_module("1", Linear(in, out, bias));
}

torch::Tensor NormLinearImpl::forward(const torch::Tensor& x) {
  return projection_->forward(norm_->forward(x)).to(torch::kFloat32);
}

}  // namespace wildrayzer
