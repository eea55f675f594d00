#include "wildrayzer/models/heads.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/nn/recompute.h"
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

BlockStackImpl::BlockStackImpl(int64_t layers, int64_t d, int64_t d_head) {
  blocks_.reserve(static_cast<size_t>(layers));
  for (int64_t i = 0; i < layers; ++i)
    blocks_.push_back(register_module(std::to_string(i), Block(d, d_head)));
}

torch::Tensor BlockStackImpl::Run(size_t first, size_t end, const torch::Tensor& x, int64_t wanted) {
  torch::Tensor tokens = x;
  for (size_t i = first; i < end; ++i) {
    const bool shorten = i + 1 == blocks_.size() && wanted < tokens.size(1);
    tokens = blocks_[i]->forward(tokens, shorten ? std::optional(wanted) : std::nullopt);
  }
  return tokens;
}

std::vector<torch::Tensor> BlockStackImpl::ParametersOf(size_t first, size_t end) const {
  std::vector<torch::Tensor> parameters;
  for (size_t i = first; i < end; ++i) {
    for (const torch::Tensor& parameter : blocks_[i]->parameters()) parameters.push_back(parameter);
  }
  return parameters;
}

torch::Tensor BlockStackImpl::forward(const torch::Tensor& x, int64_t wanted, const std::string& name,
                                      const Trace& trace, Tap* tap) {
  const size_t step = trace.record || recompute_every_ == 0 ? 1 : recompute_every_;
  const size_t tapped = tap ? static_cast<size_t>(tap->layer) : blocks_.size();
  torch::Tensor tokens = x;
  for (size_t i = 0, end = 0; i < blocks_.size(); i = end) {
    if (i == tapped) tap->tokens = tokens;
    end = std::min(i + step, blocks_.size());
    if (i < tapped) end = std::min(end, tapped);
    const auto run = [this, i, end, asked = trace.record ? tokens.size(1) : wanted](const torch::Tensor& t) {
      return Run(i, end, t, asked);
    };
    tokens = recompute_every_ > 0 ? Recomputed(run, tokens, ParametersOf(i, end)) : run(tokens);
    if (trace.record) trace.Record(name + "." + std::to_string(i), tokens);
    for (size_t b = i; b < end; ++b) trace.Step();
  }
  return tokens.narrow(1, 0, wanted);
}

}  // namespace wildrayzer
