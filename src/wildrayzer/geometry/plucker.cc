#include "wildrayzer/geometry/plucker.h"

#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

torch::Tensor PluckerRays(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, int64_t height,
                          int64_t width) {
  if (height <= 0 || width <= 0) {
    throw UsageError("rays need a positive image size, not " + std::to_string(width) + " x " +
                     std::to_string(height));
  }
  const torch::ScalarType dtype = c2w.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor pose = c2w.to(dtype);
  const torch::TensorOptions options = pose.options().requires_grad(false);
  // Each intrinsic as [..., 1, 1, 1], to broadcast against [3, height, width].
  const torch::Tensor k = fxfycxcy.to(dtype).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1);
  const std::vector<torch::Tensor> fxfycxcy_parts = k.unbind(-4);
  const torch::Tensor columns = (torch::arange(width, options) + 0.5) / static_cast<double>(width);
  const torch::Tensor rows = (torch::arange(height, options) + 0.5) / static_cast<double>(height);
  const torch::Tensor x = (columns - fxfycxcy_parts[2]) / fxfycxcy_parts[0];  // [..., 1, 1, width]
  const torch::Tensor y =
      (rows.unsqueeze(-1) - fxfycxcy_parts[3]) / fxfycxcy_parts[1];  // [..., 1, height, 1]

  // R (x, y, 1) as a sum of scaled columns: elementwise, hence exact fp32 under autocast too.
  const auto column = [&pose](int64_t index) {
    return pose.narrow(-2, 0, 3).select(-1, index).unsqueeze(-1).unsqueeze(-1);  // [..., 3, 1, 1]
  };
  const torch::Tensor unnormalised = column(0) * x + column(1) * y + column(2);
  // Norm and cross product by components: LibTorch's own are many times slower along an axis that is not the
  // last.
  const torch::Tensor direction = unnormalised / unnormalised.square().sum(-3, /*keepdim=*/true).sqrt();
  const std::vector<torch::Tensor> o = column(3).unbind(-3), d = direction.unbind(-3);
  const torch::Tensor moment =
      torch::stack({o[1] * d[2] - o[2] * d[1], o[2] * d[0] - o[0] * d[2], o[0] * d[1] - o[1] * d[0]}, -3);
  return torch::cat({moment, direction}, -3);
}

torch::Tensor NormaliseIntrinsics(const torch::Tensor& fxfycxcy_pixels, int64_t height, int64_t width) {
  const torch::Tensor size = torch::tensor({width, height, width, height}, fxfycxcy_pixels.options());
  return fxfycxcy_pixels / size.detach();
}

}  // namespace wildrayzer
