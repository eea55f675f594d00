// How well estimated cameras agree with true ones. Worlds differ by a similarity, which is taken out first.
#pragma once

#include <array>
#include <span>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

// Degrees within which a pair of cameras counts as right.
inline constexpr std::array<int, 3> kPoseBounds = {5, 15, 30};
// Of fewer cameras positions do not fix the similarity: near a line it leaves a turn to chance.
inline constexpr size_t kFewestToAlign = 5;

struct CameraAccuracy {
  // Of all pairs of cameras, without any alignment. Means of the angles between their relative rotations and
  // between the directions of their relative translations, in degrees;
  double relative_rotation_degrees = 0.0, direction_degrees = 0.0;
  // the shares of pairs in which the one and the other is below each of kPoseBounds (RRA, RTA), in [0, 1];
  std::array<double, kPoseBounds.size()> rotations_within = {}, directions_within = {};
  // and the area under the accuracy curve up to 30 degrees, in [0, 1], of the larger of both (AUC@30).
  double auc_30 = 0.0;
  // After the best similarity (geometry/alignment.h), which means something from kFewestToAlign cameras on:
  // mean over cameras of the angle between rotations, in degrees, and of the distance between positions
  // divided by the true scene scale (largest distance of a camera from their mean).
  double rotation_degrees = 0.0, translation = 0.0;
};

// estimated, truth: the same number of cameras, at least 2, in the same order. Raises Error otherwise.
CameraAccuracy CompareCameras(std::span<const Camera> estimated, std::span<const Camera> truth);

// (1 / limit) times the integral from 0 to `limit` of the share of errors below the bound: the mean of max(0,
// 1 - error / limit), exact and free of histogram bins. NaN for no errors.
double AreaUnderAccuracy(std::span<const double> errors, double limit);

}  // namespace wildrayzer
