#include "wildrayzer/models/camera_head.h"

#include <cmath>

namespace wildrayzer {
namespace {

// FocalLength as numbers: the focal length at an output of 0 in image sides, and the logarithm of the
// largest factor on it (0: the output is added instead).
struct FocalCurve {
  double centre, range;
};
FocalCurve CurveOf(FocalLength focal) {
  switch (focal) {
    case FocalLength::kPublished:
      return {1.25, 0.0};
    case FocalLength::kBounded:
      return {1.25, 0.7};
    case FocalLength::kCentred:
      return {0.866, 0.77};
  }
  return {};
}

}  // namespace

CameraHeadImpl::CameraHeadImpl(int64_t d, PoseRepresentation pose, CanonicalView canonical, FocalLength focal)
    : rotation_size_(pose == PoseRepresentation::kRotation6d ? 6 : 4),
      canonical_(canonical),
      focal_length_(focal) {
  relative_pose_ = register_module("rel_head", SiluMlp(2 * d, d, rotation_size_ + 3));
  focal_ = register_module("canonical_k_head", SiluMlp(d, d, 1));
}

torch::Tensor CameraHeadImpl::forward(const torch::Tensor& camera_tokens, int64_t height, int64_t width) {
  const torch::Tensor tokens = camera_tokens.to(torch::kFloat32);
  const int64_t batch = tokens.size(0);
  const int64_t views = tokens.size(1);
  const int64_t canonical = CanonicalIndex(views);
  const torch::Tensor canonical_token = tokens.narrow(1, canonical, 1);  // [B, 1, d]

  // The canonical view's own offset is multiplied by zero.
  torch::Tensor is_other = torch::ones({views, 1}, tokens.options().requires_grad(false));
  is_other[canonical].zero_();
  const torch::Tensor pairs = torch::cat({canonical_token.expand_as(tokens), tokens}, -1);  // [B, V, 2d]
  torch::Tensor identity = torch::zeros({rotation_size_ + 3}, is_other.options());
  identity[0] = 1.0;
  if (rotation_size_ == 6) identity[4] = 1.0;
  const torch::Tensor pose = identity + relative_pose_->forward(pairs) * is_other;

  const torch::Tensor x = focal_->forward(canonical_token);
  const FocalCurve curve = CurveOf(focal_length_);
  const torch::Tensor focal =
      (curve.range == 0 ? x + curve.centre : curve.centre * torch::exp(curve.range * torch::tanh(x)))
          .expand({batch, views, 1});
  const torch::Tensor centre = torch::full({batch, views, 2}, 0.5, is_other.options());
  if (focal_length_ != FocalLength::kCentred || height == width)
    return torch::cat({pose, focal, focal, centre}, -1);
  // A side is sqrt(width height) pixels: f sides are f sqrt(height / width) widths.
  const double in_widths = std::sqrt(static_cast<double>(height) / static_cast<double>(width));
  return torch::cat({pose, focal * in_widths, focal / in_widths, centre}, -1);
}

}  // namespace wildrayzer
