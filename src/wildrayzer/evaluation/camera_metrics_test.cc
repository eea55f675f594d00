#include "wildrayzer/evaluation/camera_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr double kDegree = 3.14159265358979323846 / 180;

std::vector<Camera> Walk() {
  std::vector<Camera> cameras;
  for (const Eigen::Vector3d& p : {Eigen::Vector3d(0, 0, 0), Eigen::Vector3d(1, 0.2, 0),
                                   Eigen::Vector3d(1.5, 0, 1), Eigen::Vector3d(2, -0.3, 2)}) {
    cameras.push_back(LookAt(p, Eigen::Vector3d(3, 0.1, 8), Eigen::Vector3d(0, -1, 0)));
  }
  return cameras;
}

Camera Turned(const Camera& camera, double degrees) {
  Camera out = camera;
  const Eigen::Matrix3d turn = Eigen::AngleAxisd(degrees * kDegree, camera.forward()).toRotationMatrix();
  out.c2w.topLeftCorner<3, 3>() = turn * camera.rotation();
  return out;
}

TEST(CameraMetrics, ASimilarityCostsNothing) {
  const std::vector<Camera> truth = Walk();
  const Eigen::Matrix3d turn =
      Eigen::AngleAxisd(0.7, Eigen::Vector3d(1, 2, 3).normalized()).toRotationMatrix();
  std::vector<Camera> moved = truth;
  for (Camera& camera : moved) {
    camera.c2w = Pose(turn * camera.rotation(), 3.5 * (turn * camera.position()) + Eigen::Vector3d(5, -1, 2));
  }
  const CameraAccuracy accuracy = CompareCameras(moved, truth);
  EXPECT_NEAR(accuracy.rotation_degrees, 0, 1e-6);
  EXPECT_NEAR(accuracy.translation, 0, 1e-9);
  EXPECT_NEAR(accuracy.relative_rotation_degrees, 0, 1e-6);
  EXPECT_NEAR(accuracy.direction_degrees, 0, 1e-4);
  EXPECT_NEAR(accuracy.auc_30, 1, 1e-6);
}

TEST(CameraMetrics, ARolledCameraCostsItsAngle) {
  const std::vector<Camera> truth = Walk();
  std::vector<Camera> estimated = truth;
  estimated[3] = Turned(truth[3], 8);
  const CameraAccuracy accuracy = CompareCameras(estimated, truth);
  EXPECT_NEAR(accuracy.rotation_degrees, 8.0 / 4, 1e-6);  // positions fix the similarity
  EXPECT_NEAR(accuracy.translation, 0, 1e-9);
  EXPECT_NEAR(accuracy.relative_rotation_degrees, 8.0 * 3 / 6, 1e-6);
  // 3 of 6 pairs hold the rolled camera, always as the second: translation directions stay right.
  EXPECT_NEAR(accuracy.rotations_within[0], 0.5, 1e-9);
  EXPECT_NEAR(accuracy.rotations_within[1], 1, 1e-9);
  for (const double share : accuracy.directions_within) EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_NEAR(accuracy.auc_30, 0.5 + 0.5 * (30 - 8) / 30, 1e-6);
}

// Seen from a camera that does not turn, two steps of three lead where they should; the last goes 20 degrees
// astray.
TEST(CameraMetrics, DirectionsAreTheirOwnError) {
  std::vector<Camera> truth(3), estimated(3);
  for (int i = 0; i < 3; ++i) truth[i].c2w(2, 3) = estimated[i].c2w(2, 3) = i;
  // From the first camera and from the second the third appears at these angles.
  const double turned = 20 * kDegree;
  estimated[2].c2w(0, 3) = std::sin(turned);
  estimated[2].c2w(2, 3) = 1 + std::cos(turned);
  const CameraAccuracy accuracy = CompareCameras(estimated, truth);
  EXPECT_NEAR(accuracy.relative_rotation_degrees, 0, 1e-6);
  EXPECT_NEAR(accuracy.direction_degrees, (0 + 20 + 10) / 3.0, 1e-4);  // the angle over an arc is half of it
  EXPECT_NEAR(accuracy.directions_within[0], 1 / 3.0, 1e-9);
  EXPECT_NEAR(accuracy.directions_within[1], 2 / 3.0, 1e-9);
  EXPECT_NEAR(accuracy.directions_within[2], 1, 1e-9);
  EXPECT_NEAR(accuracy.auc_30, (1 + 10 / 30.0 + 20 / 30.0) / 3, 1e-6);
}

// Almost on a line, the positions' noise decides how the similarity turns about it; what the cameras
// themselves turned between views is known all the same.
TEST(CameraMetrics, RelativeRotationsNeedNoAlignment) {
  std::vector<Camera> truth(4), estimated(4);
  for (int i = 0; i < 4; ++i) {
    truth[i].c2w = Pose(Eigen::Matrix3d::Identity(), Eigen::Vector3d(i, i % 2 == 0 ? 1e-3 : 0, 0));
    estimated[i].c2w = Pose(Eigen::Matrix3d::Identity(), Eigen::Vector3d(i, 0, i % 2 == 0 ? 1e-3 : 0));
  }
  const CameraAccuracy accuracy = CompareCameras(estimated, truth);
  EXPECT_NEAR(accuracy.rotation_degrees, 90, 1);
  EXPECT_NEAR(accuracy.relative_rotation_degrees, 0, 1e-6);
}

TEST(CameraMetrics, AreaIsTheIntegralOfTheAccuracy) {
  const std::vector<double> errors = {1, 3, 12};
  double integral = 0;
  for (int i = 0; i < 100000; ++i) {
    const double bound = 10 * (i + 0.5) / 100000;
    for (const double error : errors) integral += error < bound ? 1.0 / 3 / 100000 : 0;
  }
  EXPECT_NEAR(AreaUnderAccuracy(errors, 10), integral, 1e-4);
  EXPECT_TRUE(std::isnan(AreaUnderAccuracy({}, 5)));
}

TEST(CameraMetrics, RefusesUnequalSets) {
  const std::vector<Camera> walk = Walk();
  EXPECT_THROW(CompareCameras(std::span(walk).first(3), walk), Error);
  EXPECT_THROW(CompareCameras(std::span(walk).first(1), std::span(walk).first(1)), Error);
}

}  // namespace
}  // namespace wildrayzer
