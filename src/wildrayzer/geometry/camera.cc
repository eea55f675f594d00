#include "wildrayzer/geometry/camera.h"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

Eigen::Matrix4d Pose(const Eigen::Matrix3d& rotation, const Eigen::Vector3d& position) {
  Eigen::Matrix4d pose = Eigen::Matrix4d::Identity();
  pose.topLeftCorner<3, 3>() = rotation;
  pose.topRightCorner<3, 1>() = position;
  return pose;
}

Eigen::Matrix4d InversePose(const Eigen::Matrix4d& pose) {
  const Eigen::Matrix3d transposed = pose.topLeftCorner<3, 3>().transpose();
  return Pose(transposed, -transposed * pose.topRightCorner<3, 1>());
}

Eigen::Quaterniond QuaternionOf(const Eigen::Matrix3d& rotation) {
  const auto& r = rotation;
  Eigen::Matrix4d k;  // in the order x, y, z, w
  k << r(0, 0) - r(1, 1) - r(2, 2), r(0, 1) + r(1, 0), r(0, 2) + r(2, 0), r(2, 1) - r(1, 2),  //
      r(0, 1) + r(1, 0), r(1, 1) - r(0, 0) - r(2, 2), r(1, 2) + r(2, 1), r(0, 2) - r(2, 0),   //
      r(0, 2) + r(2, 0), r(1, 2) + r(2, 1), r(2, 2) - r(0, 0) - r(1, 1), r(1, 0) - r(0, 1),   //
      r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1), r.trace();
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix4d> solver(k / 3.0);
  const Eigen::Vector4d q = solver.eigenvectors().col(3);
  const Eigen::Quaterniond quaternion(q[3], q[0], q[1], q[2]);
  return quaternion.w() < 0 ? Eigen::Quaterniond(-quaternion.coeffs()) : quaternion;
}

Eigen::Matrix3d NearestRotation(const Eigen::Matrix3d& matrix) {
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(matrix, Eigen::ComputeFullU | Eigen::ComputeFullV);
  Eigen::Vector3d signs(1, 1, (svd.matrixU() * svd.matrixV().transpose()).determinant() < 0 ? -1 : 1);
  return svd.matrixU() * signs.asDiagonal() * svd.matrixV().transpose();
}

double OrthonormalityError(const Eigen::Matrix3d& rotation) {
  const double error = (rotation.transpose() * rotation - Eigen::Matrix3d::Identity()).cwiseAbs().maxCoeff();
  const bool proper = rotation.allFinite() && rotation.determinant() > 0;
  return proper ? error : std::numeric_limits<double>::infinity();
}

Eigen::Quaterniond Slerp(const Eigen::Quaterniond& from, const Eigen::Quaterniond& to, double s) {
  return from.slerp(s, to).normalized();
}

Camera MeanCamera(std::span<const Camera> cameras) {
  if (cameras.empty()) {
    throw UsageError("the mean of no cameras does not exist: give at least one camera");
  }
  Eigen::Matrix4d sum = Eigen::Matrix4d::Zero();
  Eigen::Vector3d position = Eigen::Vector3d::Zero();
  Camera mean;
  mean.fx = mean.fy = mean.cx = mean.cy = 0;
  const double weight = 1.0 / static_cast<double>(cameras.size());
  for (const Camera& camera : cameras) {
    const Eigen::Vector4d q = QuaternionOf(camera.rotation()).coeffs();
    sum += weight * q * q.transpose();
    position += weight * camera.position();
    mean.fx += weight * camera.fx;
    mean.fy += weight * camera.fy;
    mean.cx += weight * camera.cx;
    mean.cy += weight * camera.cy;
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix4d> solver(sum);
  const Eigen::Vector4d q = solver.eigenvectors().col(3);
  mean.c2w = Pose(Eigen::Quaterniond(q[3], q[0], q[1], q[2]).normalized().toRotationMatrix(), position);
  return mean;
}

double SceneScale(std::span<const Eigen::Vector3d> positions) {
  if (positions.empty()) return 0;
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  for (const Eigen::Vector3d& position : positions) mean += position / static_cast<double>(positions.size());
  double largest = 0;
  for (const Eigen::Vector3d& position : positions) largest = std::max(largest, (position - mean).norm());
  return largest;
}

double SceneScale(std::span<const Camera> cameras) {
  std::vector<Eigen::Vector3d> positions;
  for (const Camera& camera : cameras) positions.push_back(camera.position());
  return SceneScale(positions);
}

double MedianBaseline(std::span<const Camera> cameras) {
  constexpr size_t kMostCameras = 256;
  const size_t used = std::min(cameras.size(), kMostCameras);
  if (used < 2) return 0;
  std::vector<Eigen::Vector3d> positions;
  for (size_t i = 0; i < used; ++i) {
    positions.push_back(cameras[i * (cameras.size() - 1) / (used - 1)].position());
  }
  std::vector<double> distances;
  for (size_t i = 0; i < used; ++i) {
    for (size_t j = i + 1; j < used; ++j) distances.push_back((positions[i] - positions[j]).norm());
  }
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return *middle;
}

Camera LookAt(const Eigen::Vector3d& position, const Eigen::Vector3d& target, const Eigen::Vector3d& up) {
  const Eigen::Vector3d forward = (target - position).normalized();
  const Eigen::Vector3d right = forward.cross(up).normalized();
  Eigen::Matrix3d rotation;
  rotation << right, forward.cross(right), forward;
  Camera camera;
  camera.c2w = Pose(rotation, position);
  return camera;
}

}  // namespace wildrayzer
