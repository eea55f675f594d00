// Cameras in double precision, free of LibTorch.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <span>
#include <vector>

namespace wildrayzer {

// A pinhole camera. Axes follow OpenCV: x right, y down, z forward.
struct Camera {
  Eigen::Matrix4d c2w = Eigen::Matrix4d::Identity();  // camera to world
  // In units of image width (fx, cx) and image height (fy, cy), so that they survive resizing.
  double fx = 1.25, fy = 1.25, cx = 0.5, cy = 0.5;

  Eigen::Matrix3d rotation() const { return c2w.topLeftCorner<3, 3>(); }
  Eigen::Vector3d position() const { return c2w.topRightCorner<3, 1>(); }
  Eigen::Vector3d right() const { return c2w.block<3, 1>(0, 0); }
  Eigen::Vector3d up() const { return -c2w.block<3, 1>(0, 1); }
  Eigen::Vector3d forward() const { return c2w.block<3, 1>(0, 2); }
};

// Rigid motion from its parts.
Eigen::Matrix4d Pose(const Eigen::Matrix3d& rotation, const Eigen::Vector3d& position);
// Inverse of a rigid motion: world-to-camera from camera-to-world and back.
Eigen::Matrix4d InversePose(const Eigen::Matrix4d& pose);

// Unit quaternion of a rotation, w >= 0: the eigenvector of the largest eigenvalue of the 4 x 4 matrix of
// Bar-Itzhack (2000), which for a matrix that is only nearly a rotation is its least-squares quaternion.
Eigen::Quaterniond QuaternionOf(const Eigen::Matrix3d& rotation);

// The rotation nearest to `matrix` in the Frobenius norm (orthonormal to rounding, determinant +1).
Eigen::Matrix3d NearestRotation(const Eigen::Matrix3d& matrix);

// Largest deviation of R^T R from the identity; infinity when the determinant is not positive or a value is
// not finite.
double OrthonormalityError(const Eigen::Matrix3d& rotation);

// Rotation at fraction s of the shortest great arc between two unit quaternions; s may leave [0, 1].
Eigen::Quaterniond Slerp(const Eigen::Quaterniond& from, const Eigen::Quaterniond& to, double s);

// Average camera: mean position and intrinsics, mean rotation in the least-squares sense of quaternions.
// `cameras` must not be empty (UsageError).
Camera MeanCamera(std::span<const Camera> cameras);

// Largest distance of a position from the mean position; 0 for none.
double SceneScale(std::span<const Eigen::Vector3d> positions);
double SceneScale(std::span<const Camera> cameras);

// Median distance between any two positions; 0 for fewer than two cameras. The number of pairs is bounded by
// using at most 256 evenly spaced cameras.
double MedianBaseline(std::span<const Camera> cameras);

// Camera at `position` that looks at `target`, image upright with respect to `up` (any direction not parallel
// to the line of sight). Intrinsics are the defaults.
Camera LookAt(const Eigen::Vector3d& position, const Eigen::Vector3d& target, const Eigen::Vector3d& up);

}  // namespace wildrayzer
