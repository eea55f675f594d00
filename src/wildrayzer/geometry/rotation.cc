#include "wildrayzer/geometry/rotation.h"

#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

torch::Tensor AtLeastFloat32(const torch::Tensor& tensor) {
  return tensor.scalar_type() == torch::kFloat64 ? tensor : tensor.to(torch::kFloat32);
}

torch::Tensor Normalise(const torch::Tensor& vector) {
  return vector / torch::linalg_vector_norm(vector, 2, {-1}, true).clamp_min(1e-12);
}

}  // namespace

torch::Tensor Rotation6dToMatrix(const torch::Tensor& triplets) {
  const torch::Tensor input = AtLeastFloat32(triplets);
  const torch::Tensor a1 = input.narrow(-1, 0, 3);
  const torch::Tensor a2 = input.narrow(-1, 3, 3);
  const torch::Tensor b1 = Normalise(a1);
  const torch::Tensor b2 = Normalise(a2 - (b1 * a2).sum(-1, true) * b1);
  const torch::Tensor b3 = torch::linalg_cross(b1, b2, -1);
  return torch::stack({b1, b2, b3}, -1);
}

torch::Tensor QuaternionToMatrix(const torch::Tensor& quaternion) {
  const std::vector<torch::Tensor> q = Normalise(AtLeastFloat32(quaternion)).unbind(-1);
  const torch::Tensor &w = q[0], &x = q[1], &y = q[2], &z = q[3];
  const torch::Tensor elements =
      torch::stack({1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),  //
                    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),  //
                    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)},
                   -1);
  return elements.unflatten(-1, {3, 3});
}

torch::Tensor MatrixToQuaternion(const torch::Tensor& rotation) {
  const std::vector<torch::Tensor> m = AtLeastFloat32(rotation).flatten(-2).unbind(-1);
  const torch::Tensor wx = m[7] - m[5], wy = m[2] - m[6], wz = m[3] - m[1];
  const torch::Tensor xy = m[1] + m[3], xz = m[2] + m[6], yz = m[5] + m[7];
  // Row i is 4 q_i (w, x, y, z): all four are parallel to the quaternion, the one with the largest diagonal
  // is accurate.
  const torch::Tensor ww = 1 + m[0] + m[4] + m[8], xx = 1 + m[0] - m[4] - m[8];
  const torch::Tensor yy = 1 - m[0] + m[4] - m[8], zz = 1 - m[0] - m[4] + m[8];
  const torch::Tensor candidates =
      torch::stack({torch::stack({ww, wx, wy, wz}, -1), torch::stack({wx, xx, xy, xz}, -1),
                    torch::stack({wy, xy, yy, yz}, -1), torch::stack({wz, xz, yz, zz}, -1)},
                   -2);
  const torch::Tensor best = torch::stack({ww, xx, yy, zz}, -1).argmax(-1, true).unsqueeze(-1);
  std::vector<int64_t> index_shape = best.sizes().vec();
  index_shape.back() = 4;
  const torch::Tensor quaternion = Normalise(candidates.gather(-2, best.expand(index_shape)).squeeze(-2));
  return torch::where(quaternion.narrow(-1, 0, 1) < 0, -quaternion, quaternion);
}

CameraTensors DecodeCameraInfo(const torch::Tensor& camera_info) {
  const int64_t width = camera_info.size(-1);
  if (width != 13 && width != 11) {
    throw UsageError("a camera vector has 13 (6D rotation) or 11 (quaternion) numbers, not " +
                     std::to_string(width));
  }
  const int64_t rotation_size = width - 7;
  const torch::Tensor info = AtLeastFloat32(camera_info);
  const torch::Tensor code = info.narrow(-1, 0, rotation_size);
  const torch::Tensor rotation = width == 13 ? Rotation6dToMatrix(code) : QuaternionToMatrix(code);
  const torch::Tensor translation = info.narrow(-1, rotation_size, 3).unsqueeze(-1);
  const torch::Tensor top = torch::cat({rotation, translation}, -1);
  std::vector<int64_t> bottom_shape = top.sizes().vec();
  bottom_shape[bottom_shape.size() - 2] = 1;
  // Made where it is needed: a list of numbers would have to travel, and a GPU be waited for.
  const torch::Tensor last_row = torch::zeros({4}, top.options().requires_grad(false));
  last_row[3].fill_(1.0);
  const torch::Tensor bottom = last_row.expand(bottom_shape);
  return {torch::cat({top, bottom}, -2), info.narrow(-1, rotation_size + 3, 4)};
}

}  // namespace wildrayzer
