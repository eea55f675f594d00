#include "wildrayzer/models/mask_decoder.h"

#include <numeric>

namespace wildrayzer {
namespace {

GroupNorm Norm(int64_t channels) { return GroupNorm(std::gcd(channels, int64_t{32}), channels); }

}  // namespace

MapEntryImpl::MapEntryImpl(int64_t in, int64_t out) {
  first_ = register_module("0", Conv2d(in, out, 3));
  norm_ = register_module("1", Norm(out));
  second_ = register_module("3", Conv2d(out, out, 3));
}

torch::Tensor MapEntryImpl::forward(const torch::Tensor& map) {
  return second_->forward(torch::gelu(norm_->forward(first_->forward(map))));
}

MapUpsamplerImpl::MapUpsamplerImpl(int64_t in, int64_t out) {
  halve_channels_ = register_module("conv_up", Conv2d(in, out, 1));
  const auto refine = register_module("refine", std::make_shared<torch::nn::Module>());
  norm_before_ = refine->register_module("0", Norm(out));
  refine_ = refine->register_module("2", Conv2d(out, out, 3));
  norm_after_ = refine->register_module("3", Norm(out));
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
  conv_ = register_module("0", Conv2d(channels, channels, 3));
  norm_ = register_module("1", Norm(channels));
}

torch::Tensor MapRefinerImpl::forward(const torch::Tensor& map) {
  return torch::gelu(norm_->forward(conv_->forward(map)));
}

MaskHeadImpl::MaskHeadImpl(int64_t channels, bool bias) {
  mix_ = register_module("0", Conv2d(channels, channels, 3));
  logit_ = register_module("2", Conv2d(channels, 1, 1, bias));
}

torch::Tensor MaskHeadImpl::forward(const torch::Tensor& map) {
  return logit_->forward(torch::gelu(mix_->forward(map)));
}

}  // namespace wildrayzer
