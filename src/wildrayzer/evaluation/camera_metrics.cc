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
  std::vector<double> pairs;
  for (const RelativePoseError& error : RelativePoseErrors(estimated, truth)) {
    pairs.push_back(std::max(error.rotation_degrees, error.translation_degrees));
    accuracy.relative_rotation_degrees += error.rotation_degrees;
  }
  accuracy.relative_rotation_degrees /= static_cast<double>(pairs.size());
  accuracy.auc_5 = AreaUnderAccuracy(pairs, 5);
  accuracy.auc_10 = AreaUnderAccuracy(pairs, 10);
  accuracy.auc_20 = AreaUnderAccuracy(pairs, 20);
  return accuracy;
}

}  // namespace wildrayzer
