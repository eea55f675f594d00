#include "wildrayzer/evaluation/camera_metrics.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "wildrayzer/geometry/alignment.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

double AreaUnderAccuracy(std::span<const double> errors, double limit) {
  if (errors.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (const double error : errors) sum += std::max(0.0, 1.0 - error / limit);
  return sum / static_cast<double>(errors.size());
}

CameraAccuracy CompareCameras(std::span<const Camera> estimated, std::span<const Camera> truth) {
  if (estimated.size() != truth.size() || truth.size() < 2) {
    throw Error("cameras can be compared only between two sets of the same size, at least 2; got " +
                std::to_string(estimated.size()) + " and " + std::to_string(truth.size()));
  }
  CameraAccuracy accuracy;
  for (const AbsolutePoseError& error : AbsolutePoseErrors(estimated, truth)) {
    accuracy.rotation_degrees += error.rotation_degrees / static_cast<double>(truth.size());
    accuracy.translation += error.relative_position / static_cast<double>(truth.size());
  }
  const std::vector<RelativePoseError> pairs = RelativePoseErrors(estimated, truth);
  const double share = 1.0 / static_cast<double>(pairs.size());
  std::vector<double> larger;
  for (const RelativePoseError& error : pairs) {
    larger.push_back(std::max(error.rotation_degrees, error.translation_degrees));
    accuracy.relative_rotation_degrees += share * error.rotation_degrees;
    accuracy.direction_degrees += share * error.translation_degrees;
    for (size_t i = 0; i < kPoseBounds.size(); ++i) {
      if (error.rotation_degrees < kPoseBounds[i]) accuracy.rotations_within[i] += share;
      if (error.translation_degrees < kPoseBounds[i]) accuracy.directions_within[i] += share;
    }
  }
  accuracy.auc_30 = AreaUnderAccuracy(larger, 30);
  return accuracy;
}

}  // namespace wildrayzer
