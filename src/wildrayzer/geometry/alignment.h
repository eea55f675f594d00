// Agreement of two sets of camera poses, for evaluation.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

// x -> scale * rotation * x + translation.
struct Similarity {
  double scale = 1;
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();
  Eigen::Vector3d translation = Eigen::Vector3d::Zero();

  Eigen::Vector3d operator*(const Eigen::Vector3d& point) const {
    return scale * (rotation * point) + translation;
  }
  // Moves a camera along: its position is mapped, its axes are turned, its lens stays.
  Camera operator*(const Camera& camera) const;
};

// The similarity that maps the positions of `source` to those of `target` (same count, at least one;
// UsageError) with the least squared error (Umeyama 1991). With fewer than three positions, or positions on a
// line, that leaves a turn open; then the rotation is the mean of those that map the source's orientations to
// the target's, and scale and translation follow by least squares. Scale is 1 when the source's positions
// coincide or run against the target's.
Similarity AlignCameras(std::span<const Camera> source, std::span<const Camera> target);

// Angle between two rotations in degrees, [0, 180].
double RotationErrorDegrees(const Eigen::Matrix3d& a, const Eigen::Matrix3d& b);

// Angle between two directions in degrees, [0, 180]; 0 when both have no length, 180 when only one has none
// (a motion that was missed or invented counts as entirely wrong).
double DirectionErrorDegrees(const Eigen::Vector3d& a, const Eigen::Vector3d& b);

// Errors of the motion from camera i to camera j, free of the choice of world frame and scale.
struct RelativePoseError {
  size_t i, j;
  double rotation_degrees;     // of R_i^T R_j
  double translation_degrees;  // direction of R_i^T (t_j - t_i)
};

// All pairs i < j.
std::vector<RelativePoseError> RelativePoseErrors(std::span<const Camera> estimated,
                                                  std::span<const Camera> truth);

// Errors of every camera after AlignCameras(estimated, truth).
struct AbsolutePoseError {
  double rotation_degrees;
  double position;           // in units of the truth
  double relative_position;  // divided by SceneScale(truth); equal to `position` when that is 0
};

std::vector<AbsolutePoseError> AbsolutePoseErrors(std::span<const Camera> estimated,
                                                  std::span<const Camera> truth);

}  // namespace wildrayzer
