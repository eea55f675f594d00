#include "wildrayzer/models/motion_estimator.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kUpsamplings = 4;
// Views are decoded together only up to this many logits: with d = 768 four 256 x 256 views make about 100 MB
// of maps. A GPU, which small pieces of work leave idle, gets 256 times as many.
int64_t LogitsAtOnce(torch::Device device) { return (OnCpu(device) ? 4 : 1024) * 256 * 256; }

torch::Tensor Flatten(const torch::Tensor& tokens) { return tokens.flatten(0, 1); }

}  // namespace

MotionEstimatorImpl::MotionEstimatorImpl(const ModelConfig& config)
    : cross_view_(config.motion.cross_view), dino_width_(config.motion.dino_width) {
  const int64_t d = config.d;
  // The DINOv3 normalisation is part of the state dict although the features arrive ready made.
  register_buffer("dino_norm_mean", torch::tensor({0.485f, 0.456f, 0.406f}).view({1, 3, 1, 1}));
  register_buffer("dino_norm_std", torch::tensor({0.229f, 0.224f, 0.225f}).view({1, 3, 1, 1}));
  dino_projection_ = register_module("dino_proj", NormLinear(dino_width_, d, /*bias=*/true));
  image_projection_ = register_module("token_proj", NormLinear(d, d, /*bias=*/true));
  ray_projection_ = register_module("pose_proj", NormLinear(d, d, /*bias=*/true));
  fusion_ = register_module("fusion_mlp", FusionMlp(3 * d, d, Activation::kGelu));
  transformer_ = register_module("motion_transformer", BlockStack(config.motion.layers, d, config.d_head));
  readout_ = register_module("dpt_readout", NormLinear(d, d, /*bias=*/true));
  entry_ = register_module("scale1_refine", MapEntry(d, d / 2));
  for (int i = 1; i <= kUpsamplings; ++i) {
    upsamplers_.push_back(register_module(fmt::format("up{}", i + 1), MapUpsampler(d >> i, d >> (i + 1))));
  }
  for (int i = 1; i <= kUpsamplings; ++i) {
    refiners_.push_back(register_module(fmt::format("scale{}_refine", i + 1), MapRefiner(d >> (i + 1))));
  }
  head_ = register_module("head", MaskHead(d >> (kUpsamplings + 1), config.motion.head_bias));
  if (config.motion.compare) {
    comparison_ = register_module("comparison", ViewComparison(config.patch, d));
  }
}

torch::Tensor MotionEstimatorImpl::DinoTokens(const torch::Tensor& features, int64_t rows,
                                              int64_t columns) const {
  torch::Tensor maps = features.to(torch::kFloat32);
  if (maps.size(2) != rows || maps.size(3) != columns) {
    maps = torch::upsample_bilinear2d(maps, {rows, columns}, /*align_corners=*/false);
  }
  return maps.flatten(2).transpose(1, 2);
}

torch::Tensor MotionEstimatorImpl::Decode(const torch::Tensor& input, const Trace& trace) {
  torch::Tensor map = entry_->forward(input);
  trace.Record("motion_mask_predictor.scale1_refine", map);
  for (size_t i = 0; i < upsamplers_.size(); ++i) {
    map = upsamplers_[i]->forward(map);
    if (trace.record) trace.Record(fmt::format("motion_mask_predictor.up{}", i + 2), map);
    map = refiners_[i]->forward(map);
    if (trace.record) trace.Record(fmt::format("motion_mask_predictor.scale{}_refine", i + 2), map);
  }
  const torch::Tensor logits = head_->forward(map);
  trace.Record("motion_mask_predictor.head", logits);
  return logits;
}

torch::Tensor MotionEstimatorImpl::forward(const torch::Tensor& dino_features,
                                           const torch::Tensor& image_tokens, const torch::Tensor& ray_tokens,
                                           int64_t rows, int64_t columns, int64_t height, int64_t width,
                                           const Trace& trace, const torch::Tensor& images,
                                           const WarpedInputs& others) {
  const int64_t batch = image_tokens.size(0);
  const int64_t views = image_tokens.size(1);
  const int64_t d = image_tokens.size(3);
  if (dino_features.dim() != 5 || dino_features.size(0) != batch || dino_features.size(1) != views ||
      dino_features.size(2) != dino_width_) {
    throw UsageError(
        fmt::format("the motion estimator needs DINOv3 features [{}, {}, {}, h, w], it was given {}: use the "
                    "DINOv3 model that the weights were trained with",
                    batch, views, dino_width_, fmt::join(dino_features.sizes(), " x ")));
  }
  const torch::Tensor dino = dino_projection_->forward(DinoTokens(Flatten(dino_features), rows, columns));
  const torch::Tensor image = image_projection_->forward(Flatten(image_tokens));
  const torch::Tensor rays = ray_projection_->forward(Flatten(ray_tokens));
  torch::Tensor tokens = fusion_->forward(torch::cat({dino, image, rays}, -1));  // [B V, n, d]
  trace.Record("motion_mask_predictor.dino_proj", dino);
  trace.Record("motion_mask_predictor.token_proj", image);
  trace.Record("motion_mask_predictor.pose_proj", rays);
  trace.Record("motion_mask_predictor.fusion_mlp", tokens);

  torch::Tensor features;
  if (comparison_) {
    features = comparison_->forward(images, others);
    tokens = tokens + comparison_->Tell(features);
  }
  if (cross_view_) tokens = tokens.reshape({batch, views * rows * columns, d});
  tokens = transformer_->forward(tokens, tokens.size(1), "motion_mask_predictor.motion_transformer", trace);
  tokens = readout_->forward(tokens).reshape({batch * views, rows * columns, d});
  trace.Record("motion_mask_predictor.dpt_readout", tokens);

  const torch::Tensor maps = tokens.transpose(1, 2).reshape({batch * views, d, rows, columns});
  const int64_t at_once = std::max<int64_t>(1, LogitsAtOnce(maps.device()) / (256 * rows * columns));
  std::vector<torch::Tensor> logits;
  for (const torch::Tensor& part : maps.split(at_once)) logits.push_back(Decode(part, trace));
  torch::Tensor all = torch::cat(logits, 0);
  if (all.size(2) != height || all.size(3) != width) {
    all = torch::upsample_bilinear2d(all, {height, width}, /*align_corners=*/false);
  }
  if (comparison_) all = all + comparison_->Outline(features, maps);
  return all.view({batch, views, 1, height, width});
}

}  // namespace wildrayzer
