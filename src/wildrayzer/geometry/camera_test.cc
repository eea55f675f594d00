#include "wildrayzer/geometry/camera.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "wildrayzer/geometry/test_cameras.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using test::RandomCameras;
using test::RandomRotation;

TEST(Camera, AxesAreOpenCv) {
  const Camera camera = LookAt({0, 0, -2}, {0, 0, 0}, {0, -1, 0});
  EXPECT_LT((camera.rotation() - Eigen::Matrix3d::Identity()).norm(), 1e-15);
  EXPECT_LT((camera.up() - Eigen::Vector3d(0, -1, 0)).norm(), 1e-15);
  EXPECT_LT((camera.forward() - Eigen::Vector3d::UnitZ()).norm(), 1e-15);
}

TEST(Camera, LookAtIsARotationFromAnywhere) {
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    const Eigen::Vector3d position = test::RandomVector(random), target = test::RandomVector(random);
    const Camera camera = LookAt(position, target, Eigen::Vector3d::UnitZ());
    EXPECT_LT(OrthonormalityError(camera.rotation()), 1e-12);
    EXPECT_LT((camera.forward() - (target - position).normalized()).norm(), 1e-14);
    EXPECT_GT(camera.up().z(), 0);
    EXPECT_NEAR(camera.right().z(), 0, 1e-14);
  }
}

TEST(Camera, InversePoseUndoesThePose) {
  for (const Camera& camera : RandomCameras(20, 2)) {
    EXPECT_LT((InversePose(camera.c2w) * camera.c2w - Eigen::Matrix4d::Identity()).norm(), 1e-14);
  }
}

TEST(Camera, QuaternionAgreesWithEigenUpToSign) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const Eigen::Matrix3d rotation = RandomRotation(random);
    const Eigen::Quaterniond quaternion = QuaternionOf(rotation);
    EXPECT_GE(quaternion.w(), 0);
    // Eigen converts by Shepperd's case distinction: another algorithm.
    EXPECT_NEAR(std::abs(quaternion.dot(Eigen::Quaterniond(rotation))), 1, 1e-14);
    EXPECT_LT((quaternion.toRotationMatrix() - rotation).norm(), 1e-13);
  }
}

TEST(Camera, NearestRotationUndoesScaleAndNoise) {
  Random random(4);
  for (int i = 0; i < 50; ++i) {
    const Eigen::Matrix3d rotation = RandomRotation(random);
    EXPECT_LT((NearestRotation(2.5 * rotation) - rotation).norm(), 1e-13);
    Eigen::Matrix3d noisy = rotation;
    noisy(1, 2) += 1e-3;
    EXPECT_LT(OrthonormalityError(NearestRotation(noisy)), 1e-13);
    EXPECT_LT((NearestRotation(noisy) - rotation).norm(), 2e-3);
  }
  // A mirror image has no rotation near it; the result is still a rotation.
  EXPECT_LT(OrthonormalityError(NearestRotation(-Eigen::Matrix3d::Identity())), 1e-13);
}

TEST(Camera, OrthonormalityErrorSeesMirrorsAndNan) {
  const double infinity = std::numeric_limits<double>::infinity();
  Eigen::Matrix3d matrix = Eigen::Matrix3d::Identity();
  EXPECT_EQ(OrthonormalityError(matrix), 0);
  EXPECT_EQ(OrthonormalityError(-matrix), infinity);
  EXPECT_NEAR(OrthonormalityError(1.01 * matrix), 0.0201, 1e-12);
  matrix(0, 1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(OrthonormalityError(matrix), infinity);
}

TEST(Camera, MeanOfSymmetricTurnsIsTheMiddle) {
  std::vector<Camera> cameras;
  for (const double angle : {-0.4, 0.4, 0.0}) {
    Camera camera;
    camera.c2w = Pose(Eigen::AngleAxisd(angle, Eigen::Vector3d::UnitY()).toRotationMatrix(), {angle, 1, 2});
    camera.fx = 1 + angle;
    cameras.push_back(camera);
  }
  const Camera mean = MeanCamera(cameras);
  EXPECT_LT((mean.c2w - Pose(Eigen::Matrix3d::Identity(), {0, 1, 2})).norm(), 1e-14);
  EXPECT_NEAR(mean.fx, 1, 1e-14);
  EXPECT_THROW(MeanCamera({}), UsageError);
}

TEST(Camera, ScaleAndBaselineClosedForms) {
  const std::vector<Camera> square =
      test::CamerasLookingAt({0, 0, 5}, {{1, 1, 0}, {-1, 1, 0}, {1, -1, 0}, {-1, -1, 0}});
  EXPECT_NEAR(SceneScale(square), std::numbers::sqrt2, 1e-15);
  // Four sides of length 2, two diagonals.
  EXPECT_NEAR(MedianBaseline(square), 2, 1e-15);
  EXPECT_EQ(SceneScale(std::span<const Camera>()), 0);
  EXPECT_EQ(MedianBaseline(std::span(square).first(1)), 0);
  // A long list is thinned: the median distance of n equally spaced points is (1 - 1/sqrt 2) of the length.
  std::vector<Camera> line(5000);
  for (size_t i = 0; i < line.size(); ++i) line[i].c2w(0, 3) = static_cast<double>(i) / 4999;
  EXPECT_NEAR(MedianBaseline(line), 1 - std::numbers::sqrt2 / 2, 0.01);
}

}  // namespace
}  // namespace wildrayzer
