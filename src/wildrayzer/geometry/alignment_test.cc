#include "wildrayzer/geometry/alignment.h"

#include <gtest/gtest.h>

#include <numbers>

#include "wildrayzer/geometry/test_cameras.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using test::RandomCameras;

constexpr double kDegree = std::numbers::pi / 180;

Similarity RandomSimilarity(uint64_t seed) {
  Random random(seed);
  return {2.5, test::RandomRotation(random), test::RandomVector(random)};
}

std::vector<Camera> Moved(const std::vector<Camera>& cameras, const Similarity& similarity) {
  std::vector<Camera> moved;
  for (const Camera& camera : cameras) moved.push_back(similarity * camera);
  return moved;
}

TEST(Alignment, RecoversASimilarity) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    // 2 cameras take the branch by orientation, 3 and more the one by position.
    for (const int count : {1, 2, 3, 8}) {
      const std::vector<Camera> source = RandomCameras(count, seed);
      const Similarity truth = RandomSimilarity(seed + 100);
      const Similarity found = AlignCameras(source, Moved(source, truth));
      EXPECT_LT((found.rotation - truth.rotation).norm(), 1e-10);
      if (count > 1) {
        EXPECT_NEAR(found.scale, truth.scale, 1e-10);
      } else {
        EXPECT_EQ(found.scale, 1);
      }
      for (const Camera& camera : source) {
        EXPECT_LT((found * camera.position() - truth * camera.position()).norm(), 1e-10);
      }
    }
  }
}

TEST(Alignment, CamerasOnALineUseTheirOrientations) {
  std::vector<Camera> source = RandomCameras(5, 1);
  for (size_t i = 0; i < source.size(); ++i) {
    source[i].c2w.topRightCorner<3, 1>() =
        Eigen::Vector3d(1, 2, 3) + static_cast<double>(i * i) * Eigen::Vector3d(1, 1, 0);
  }
  const Similarity truth = RandomSimilarity(2);
  const Similarity found = AlignCameras(source, Moved(source, truth));
  EXPECT_LT((found.rotation - truth.rotation).norm(), 1e-10);
  EXPECT_NEAR(found.scale, truth.scale, 1e-10);
}

TEST(Alignment, MirrorImagesAreNotAligned) {
  // The best rotation of a mirrored, non-planar set leaves an error: the determinant stays +1.
  std::vector<Camera> source = RandomCameras(8, 3), mirrored = source;
  for (Camera& camera : mirrored) camera.c2w(0, 3) *= -1;
  const Similarity found = AlignCameras(source, mirrored);
  EXPECT_LT(OrthonormalityError(found.rotation), 1e-12);
}

TEST(PoseErrors, ClosedForms) {
  for (const double degrees : {0.0, 1e-6, 1.0, 90.0, 179.0, 180.0}) {
    const Eigen::Matrix3d turned =
        Eigen::AngleAxisd(degrees * kDegree, Eigen::Vector3d(1, 2, -1).normalized()).toRotationMatrix();
    EXPECT_NEAR(RotationErrorDegrees(Eigen::Matrix3d::Identity(), turned), degrees, 1e-9);
    const Eigen::Vector3d direction =
        Eigen::AngleAxisd(degrees * kDegree, Eigen::Vector3d::UnitZ()) * Eigen::Vector3d::UnitX();
    EXPECT_NEAR(DirectionErrorDegrees(3 * Eigen::Vector3d::UnitX(), direction), degrees, 1e-9);
  }
  const Eigen::Vector3d rest = Eigen::Vector3d::Zero();
  EXPECT_EQ(DirectionErrorDegrees(rest, rest), 0);
  EXPECT_EQ(DirectionErrorDegrees(rest, Eigen::Vector3d::UnitX()), 180);
}

TEST(PoseErrors, RelativeErrorsIgnoreTheWorldFrame) {
  const std::vector<Camera> truth = RandomCameras(4, 4);
  const std::vector<RelativePoseError> errors = RelativePoseErrors(Moved(truth, RandomSimilarity(5)), truth);
  ASSERT_EQ(errors.size(), 6u);
  for (const RelativePoseError& error : errors) {
    EXPECT_LT(error.i, error.j);
    EXPECT_LT(error.rotation_degrees, 1e-6);
    EXPECT_LT(error.translation_degrees, 1e-6);
  }
}

TEST(PoseErrors, OneTurnedCameraIsFound) {
  const std::vector<Camera> truth = RandomCameras(5, 6);
  std::vector<Camera> estimated = truth;
  estimated[2].c2w.topLeftCorner<3, 3>() =
      truth[2].rotation() * Eigen::AngleAxisd(7 * kDegree, Eigen::Vector3d::UnitX()).toRotationMatrix();
  estimated = Moved(estimated, RandomSimilarity(7));
  for (const RelativePoseError& error : RelativePoseErrors(estimated, truth)) {
    EXPECT_NEAR(error.rotation_degrees, error.i == 2 || error.j == 2 ? 7 : 0, 1e-6);
  }
  const std::vector<AbsolutePoseError> absolute = AbsolutePoseErrors(estimated, truth);
  for (size_t i = 0; i < absolute.size(); ++i) {
    EXPECT_NEAR(absolute[i].rotation_degrees, i == 2 ? 7 : 0, 1e-6);
    EXPECT_LT(absolute[i].position, 1e-9);  // positions alone decide the alignment here
  }
}

TEST(PoseErrors, PositionErrorsAreInUnitsOfTheTruth) {
  std::vector<Camera> truth(4), estimated;
  const Eigen::Vector3d corners[] = {{2, 0, 0}, {-2, 0, 0}, {0, 2, 0}, {0, -2, 0}};
  for (size_t i = 0; i < 4; ++i) truth[i].c2w.topRightCorner<3, 1>() = corners[i];
  estimated = truth;
  // Alternately up and down: no similarity can remove it, the mean stays, the plane fit stays.
  for (size_t i = 0; i < 4; ++i) estimated[i].c2w(2, 3) += i < 2 ? 0.1 : -0.1;
  for (const AbsolutePoseError& error : AbsolutePoseErrors(estimated, truth)) {
    EXPECT_NEAR(error.position, 0.1, 1e-3);  // the scale shrinks by a factor 1 - 0.1^2 / (2^2 + 0.1^2)
    EXPECT_NEAR(error.relative_position, error.position / 2, 1e-12);
    EXPECT_NEAR(error.rotation_degrees, 0, 1e-6);
  }
}

TEST(PoseErrors, CountsMustAgree) {
  const std::vector<Camera> cameras = RandomCameras(3, 8);
  EXPECT_THROW(RelativePoseErrors(std::span(cameras).first(2), cameras), UsageError);
  EXPECT_THROW(AlignCameras({}, {}), UsageError);
}

}  // namespace
}  // namespace wildrayzer
