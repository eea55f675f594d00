// Random cameras for the tests of this module.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::test {

inline double RandomUnit(Random& random) { return random.Uniform(-1, 1); }

inline Eigen::Vector3d RandomVector(Random& random) {
  const double x = RandomUnit(random), y = RandomUnit(random), z = RandomUnit(random);
  return {x, y, z};
}

inline Eigen::Matrix3d RandomRotation(Random& random) {
  const Eigen::Vector3d axis = RandomVector(random).normalized();
  return Eigen::AngleAxisd(3.1 * RandomUnit(random), axis).toRotationMatrix();
}

inline Camera RandomCamera(Random& random) {
  Camera camera;
  camera.c2w = Pose(RandomRotation(random), 2 * RandomVector(random));
  camera.fx = 1.5 + 0.3 * RandomUnit(random);
  camera.fy = 1.5 + 0.3 * RandomUnit(random);
  camera.cx = 0.5 + 0.1 * RandomUnit(random);
  camera.cy = 0.5 + 0.1 * RandomUnit(random);
  return camera;
}

inline std::vector<Camera> RandomCameras(int count, uint64_t seed) {
  Random random(seed);
  std::vector<Camera> cameras;
  for (int i = 0; i < count; ++i) cameras.push_back(RandomCamera(random));
  return cameras;
}

// Cameras at given positions that all look at `target`.
inline std::vector<Camera> CamerasLookingAt(const Eigen::Vector3d& target,
                                            const std::vector<Eigen::Vector3d>& positions) {
  std::vector<Camera> cameras;
  for (const Eigen::Vector3d& position : positions) {
    cameras.push_back(LookAt(position, target, -Eigen::Vector3d::UnitY()));
  }
  return cameras;
}

}  // namespace wildrayzer::test
