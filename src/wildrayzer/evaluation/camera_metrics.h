// How well estimated cameras agree with true ones. Worlds differ by a similarity, which is taken out first.
#pragma once

#include <span>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

struct CameraAccuracy {
  // After the best similarity (geometry/alignment.h): mean over cameras of the angle between rotations, in
  // degrees, and of the distance between positions divided by the true scene scale (largest distance of a
  // camera from their mean).
  double rotation_degrees = 0.0;
  double translation = 0.0;
  // Mean over pairs of cameras of the angle between their relative rotations, in degrees. Nothing is aligned
  // for it: with positions near a line the similarity leaves a turn to chance, which rotation_degrees then
  // shows.
  double relative_rotation_degrees = 0.0;
  // Area under the accuracy curve up to 5, 10 and 20 degrees, in [0, 1]. The error of a pair of cameras is
  // the larger of the angles between relative rotations and between directions of relative translation.
  double auc_5 = 0.0, auc_10 = 0.0, auc_20 = 0.0;
};

// estimated, truth: the same number of cameras, at least 2, in the same order. Raises Error otherwise.
CameraAccuracy CompareCameras(std::span<const Camera> estimated, std::span<const Camera> truth);

// (1 / limit) times the integral from 0 to `limit` of the share of errors below the bound: the mean of max(0,
// 1 - error / limit), exact and free of histogram bins. NaN for no errors.
double AreaUnderAccuracy(std::span<const double> errors, double limit);

}  // namespace wildrayzer
