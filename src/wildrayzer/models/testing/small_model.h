// A model small enough to try in a test, and what it is fed.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/testing/generator.h"

namespace wildrayzer::testing {

inline constexpr int64_t kDinoWidth = 20;

// Sums run in another order for another batch size, so equal means equal up to the rounding that a dozen
// layers pile up.
inline constexpr double kRounding = 5e-5;

inline ModelConfig SmallConfig() {
  ModelConfig config;
  config.height = 32;
  config.width = 48;
  config.patch = 8;
  config.d = 64;
  config.d_head = 16;
  config.scene_tokens = 10;
  config.camera_estimator_layers = 2;
  config.scene_encoder_layers = 2;
  config.renderer_layers = 2;
  config.use_motion = true;
  config.motion.dino_width = kDinoWidth;
  config.motion.layers = 2;
  config.motion.cross_view = true;
  return config;
}

// Weights large enough for every part to matter (the usual initialisation leaves residual branches near
// zero).
inline WildRayZer SmallModel(const ModelConfig& config) {
  const torch::NoGradGuard no_grad;
  WildRayZer model(config);
  for (auto& parameter : model->named_parameters()) {
    torch::Tensor& value = parameter.value();
    const double scale = value.dim() > 1 ? std::sqrt(3.0 / static_cast<double>(value[0].numel())) : 0.1;
    const bool norm_weight = value.dim() == 1 && parameter.key().ends_with("weight");
    value.copy_(GeneratedTensor("small/" + parameter.key(), value.sizes().vec(), scale, norm_weight ? 1 : 0));
  }
  return model;
}

inline torch::Tensor RaysOf(WildRayZer model, const Cameras& cameras, const ViewTokens& views) {
  return model->ConditioningRayTokens(cameras, views.height, views.width);
}

inline torch::Tensor Images(const std::string& key, int64_t scenes, int64_t views, int64_t height,
                            int64_t width) {
  return SmoothImage(key, scenes * views, height, width).view({scenes, views, 3, height, width});
}

inline torch::Tensor Features(const std::string& key, int64_t scenes, int64_t views, int64_t rows,
                              int64_t columns) {
  return GeneratedTensor(key, {scenes, views, kDinoWidth, rows, columns}, 2.0);
}

// Largest difference, relative to the largest value.
inline double Difference(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>() / (1e-6 + b.abs().max().item<double>());
}

}  // namespace wildrayzer::testing
