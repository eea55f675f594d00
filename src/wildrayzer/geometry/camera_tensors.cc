#include "wildrayzer/geometry/camera_tensors.h"

#include "wildrayzer/util/error.h"

namespace wildrayzer {

std::vector<Camera> CamerasFromTensors(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy) {
  if (c2w.dim() != 3 || c2w.size(1) != 4 || c2w.size(2) != 4 || fxfycxcy.dim() != 2 ||
      fxfycxcy.size(1) != 4 || c2w.size(0) != fxfycxcy.size(0)) {
    throw UsageError("cameras are poses [views, 4, 4] with intrinsics [views, 4]");
  }
  const torch::Tensor poses = c2w.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const torch::Tensor intrinsics = fxfycxcy.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  if (!poses.isfinite().all().item<bool>() || !intrinsics.isfinite().all().item<bool>()) {
    throw Error("an estimated camera is not finite: check the weights and the photos");
  }
  std::vector<Camera> cameras;
  for (int64_t view = 0; view < poses.size(0); ++view) {
    using RowMajor = Eigen::Matrix<double, 4, 4, Eigen::RowMajor>;
    const Eigen::Matrix4d pose = Eigen::Map<const RowMajor>(poses.data_ptr<double>() + 16 * view);
    const double* k = intrinsics.data_ptr<double>() + 4 * view;
    const Eigen::Matrix3d rotation = NearestRotation(pose.topLeftCorner<3, 3>());
    cameras.push_back({Pose(rotation, pose.topRightCorner<3, 1>()), k[0], k[1], k[2], k[3]});
  }
  return cameras;
}

CameraTensors CamerasToTensors(std::span<const Camera> cameras) {
  const int64_t views = static_cast<int64_t>(cameras.size());
  CameraTensors tensors{torch::empty({views, 4, 4}), torch::empty({views, 4})};
  auto poses = tensors.c2w.accessor<float, 3>();
  auto intrinsics = tensors.fxfycxcy.accessor<float, 2>();
  for (int64_t view = 0; view < views; ++view) {
    const Camera& camera = cameras[static_cast<size_t>(view)];
    for (int row = 0; row < 4; ++row) {
      for (int column = 0; column < 4; ++column) {
        poses[view][row][column] = static_cast<float>(camera.c2w(row, column));
      }
    }
    intrinsics[view][0] = static_cast<float>(camera.fx);
    intrinsics[view][1] = static_cast<float>(camera.fy);
    intrinsics[view][2] = static_cast<float>(camera.cx);
    intrinsics[view][3] = static_cast<float>(camera.cy);
  }
  return tensors;
}

}  // namespace wildrayzer
