// From camera tokens to cameras (method.md section 3, step 4).
#pragma once

#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Children: rel_head (pose of a view relative to the canonical one), canonical_k_head (the focal length).
class CameraHeadImpl : public torch::nn::Module {
 public:
  CameraHeadImpl(int64_t d, PoseRepresentation pose, CanonicalView canonical, FocalLength focal);

  // camera_tokens [B, V, d] of frames of height x width pixels -> [B, V, 13] or [B, V, 11] float32: rotation
  // (6D or quaternion w, x, y, z, neither normalised), translation 3, fx, fy, cx, cy. Poses are
  // camera-to-world with the canonical view as the world; its own is exactly the identity. fx and fy are in
  // units of image width and height, one focal for all views; cx = cy = 0.5. Published, the same number is
  // both, whatever the frame's shape; with FocalLength::kCentred both are the same number of pixels.
  torch::Tensor forward(const torch::Tensor& camera_tokens, int64_t height, int64_t width);

  // Index of the canonical one of `views` views.
  int64_t CanonicalIndex(int64_t views) const { return canonical_ == CanonicalView::kFirst ? 0 : views / 2; }

 private:
  int64_t rotation_size_;
  CanonicalView canonical_;
  FocalLength focal_length_;
  SiluMlp relative_pose_{nullptr};
  SiluMlp focal_{nullptr};
};
TORCH_MODULE(CameraHead);

}  // namespace wildrayzer
