// Semantic features of pictures, which the motion estimator and the pseudo labels read: the patch features of
// DINOv3, or the image tokens of the model's own camera estimator.
#pragma once

#include <cstdint>
#include <string>

#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/trace.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

class FeatureSource {
 public:
  // The model's own tokens: what the camera estimator makes of all views together on its way
  // (Cameras::features).
  FeatureSource() = default;
  // DINOv3's, one view at a time; an empty holder is the model's own.
  explicit FeatureSource(Dinov3 dino, const PixelStatistics& pixels = kImageNetPixels);
  // Features that somebody else has computed, [B, V, C, h, w], one for each view that will be asked about.
  static FeatureSource Given(const torch::Tensor& features);

  // Whether they are the model's own, which only the pass that estimates the cameras can give (pass.h).
  bool own() const { return dino_.is_empty() && !given_.defined(); }

  // Features [B, count, C, h, w] of the views first .. first + count - 1 of images [B, V, 3, H, W] in [0, 1],
  // float32 and without gradient; not for own ones. One trace step a view.
  torch::Tensor Of(const torch::Tensor& images, int64_t first, int64_t count, const Trace& trace = {}) const;

  // The source for scene b of the batch alone.
  FeatureSource Scene(int64_t b) const;

  // Tells these features from others of the same pictures and model: SHA-256 of DINOv3's weights, or "own".
  std::string Identity() const;

 private:
  Dinov3 dino_{nullptr};
  PixelStatistics pixels_ = kImageNetPixels;
  torch::Tensor given_;
};

// SHA-256 over names, types, shapes and values of all parameters: weights of another precision have another
// one.
std::string HashParameters(const torch::nn::Module& module);

}  // namespace wildrayzer
