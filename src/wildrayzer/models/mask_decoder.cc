#include "wildrayzer/models/mask_decoder.h"

#include <numeric>

namespace wildrayzer {
namespace {

torch::nn::Conv2d Conv3(int64_t in, int64_t out) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
}

torch::nn::Conv2d Conv1(int64_t in, int64_t out, bool bias = true) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1).bias(bias));
}

torch::nn::GroupNorm Norm(int64_t channels) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(std::gcd(channels, int64_t{32}), channels));
}

}  // namespace

MapEntryImpl::MapEntryImpl(int64_t in, int64_t out) {
  first_ = register_module("0", Conv3(in, out));
  norm_ = register_module("1", Norm(out));
  second_ = register_module("3", Conv3(out, out));
}

torch::Tensor MapEntryImpl::forward(const torch::Tensor& map) {
  return second_->forward(torch::gelu(norm_->forward(first_->forward(map))));
}

MapUpsamplerImpl::MapUpsamplerImpl(int64_t in, int64_t out) {
  halve_channels_ = register_module("conv_up", Conv1(in, out));
  torch::nn::Sequential refine;
  norm_before_ = Norm(out);
  refine_ = Conv3(out, out);
  norm_after_ = Norm(out);
  refine->push_back("0", norm_before_);
  refine->push_back("2", refine_);
  refine->push_back("3", norm_after_);
  register_module("refine", refine);
}

torch::Tensor MapUpsamplerImpl::forward(const torch::Tensor& map) {
  // A pointwise convolution commutes with interpolation (whose weights sum to 1): before it, it costs a
  // quarter.
  const torch::Tensor halved = halve_channels_->forward(map);
  const torch::Tensor raised = torch::upsample_bilinear2d(halved, {2 * map.size(2), 2 * map.size(3)},
                                                          /*align_corners=*/false);
  const torch::Tensor refined = refine_->forward(torch::gelu(norm_before_->forward(raised)));
  return torch::gelu(norm_after_->forward(refined));
}

MapRefinerImpl::MapRefinerImpl(int64_t channels) {
  conv_ = register_module("0", Conv3(channels, channels));
  norm_ = register_module("1", Norm(channels));
}

torch::Tensor MapRefinerImpl::forward(const torch::Tensor& map) {
  return torch::gelu(norm_->forward(conv_->forward(map)));
}

MaskHeadImpl::MaskHeadImpl(int64_t channels, bool bias) {
  mix_ = register_module("0", Conv3(channels, channels));
  logit_ = register_module("2", Conv1(channels, 1, bias));
}

torch::Tensor MaskHeadImpl::forward(const torch::Tensor& map) {
  return logit_->forward(torch::gelu(mix_->forward(map)));
}

}  // namespace wildrayzer
