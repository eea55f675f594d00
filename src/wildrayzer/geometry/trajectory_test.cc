#include "wildrayzer/geometry/trajectory.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "wildrayzer/geometry/camera_path.h"
#include "wildrayzer/geometry/test_cameras.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using test::CamerasLookingAt;
using test::RandomCameras;

constexpr double kDegree = std::numbers::pi / 180;

double CameraDifference(const Camera& a, const Camera& b) {
  return (a.c2w - b.c2w).norm() + Eigen::Vector4d(a.fx - b.fx, a.fy - b.fy, a.cx - b.cx, a.cy - b.cy).norm();
}

double AngleBetween(const Camera& a, const Camera& b) {
  return Eigen::AngleAxisd(Eigen::Matrix3d(a.rotation().transpose() * b.rotation())).angle();
}

void ExpectProperRotations(const std::vector<Camera>& cameras) {
  for (const Camera& camera : cameras) EXPECT_LT(OrthonormalityError(camera.rotation()), 1e-12);
}

// Moderate turns, as between photos of one place (random rotations would be up to 180 degrees apart).
std::vector<Camera> PlausibleKeys(int count, uint64_t seed) {
  std::vector<Camera> keys = RandomCameras(count, seed);
  Random random(seed + 1000);
  for (Camera& key : keys) {
    const Eigen::Vector3d axis = test::RandomVector(random).normalized();
    key.c2w.topLeftCorner<3, 3>() =
        Eigen::AngleAxisd(0.6 * test::RandomUnit(random), axis).toRotationMatrix();
  }
  return keys;
}

TEST(InterpolatePairs, EndPointsAppearTwiceAndStepsAreEqual) {
  const std::vector<Camera> keys = RandomCameras(4, 1);
  const int steps = 7;
  const std::vector<Camera> cameras = InterpolatePairs(keys, steps);
  ASSERT_EQ(cameras.size(), 3u * steps);
  ExpectProperRotations(cameras);
  for (size_t pair = 0; pair < 3; ++pair) {
    EXPECT_LT(CameraDifference(cameras[pair * steps], keys[pair]), 1e-13);
    EXPECT_LT(CameraDifference(cameras[pair * steps + steps - 1], keys[pair + 1]), 1e-13);
    const double turn = AngleBetween(keys[pair], keys[pair + 1]);
    for (int i = 1; i < steps; ++i) {
      const Camera &a = cameras[pair * steps + i - 1], &b = cameras[pair * steps + i];
      EXPECT_NEAR(AngleBetween(a, b), turn / (steps - 1), 1e-7);  // acos near 1 halves the digits
      EXPECT_NEAR((b.position() - a.position()).norm(),
                  (keys[pair + 1].position() - keys[pair].position()).norm() / (steps - 1), 1e-14);
    }
  }
}

TEST(InterpolatePairs, NearestOrderIsGreedyFromTheFirst) {
  std::vector<Camera> keys(4);
  const double x[] = {0, 3, 1, 2.5};
  for (int i = 0; i < 4; ++i) keys[i].c2w(0, 3) = x[i];
  const std::vector<Camera> cameras = InterpolatePairs(keys, 2, VisitOrder::kNearest);
  const double expected[] = {0, 1, 1, 2.5, 2.5, 3};
  ASSERT_EQ(cameras.size(), 6u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(cameras[i].position().x(), expected[i]);
}

TEST(InterpolatePairs, RefusesTooFewAndTooMany) {
  const std::vector<Camera> keys = RandomCameras(3, 1);
  EXPECT_THROW(InterpolatePairs(std::span(keys).first(1), 5), UsageError);
  EXPECT_THROW(InterpolatePairs(keys, 0), UsageError);
  EXPECT_THROW(InterpolatePairs(keys, kMostFrames), UsageError);
}

TEST(CameraPath, PassesThroughEveryKeyCamera) {
  for (const bool loop : {false, true}) {
    const std::vector<Camera> keys = PlausibleKeys(6, 2);
    const CameraPath path(keys, loop);
    ASSERT_EQ(path.key_arcs().size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      EXPECT_LT(CameraDifference(path.At(path.key_arcs()[i]), keys[i]), 1e-12);
      if (i > 0) {
        EXPECT_GT(path.key_arcs()[i], path.key_arcs()[i - 1]);
      }
    }
    if (!loop) {
      EXPECT_EQ(path.key_arcs().back(), path.length());
    }
    EXPECT_LT(CameraDifference(path.At(path.length()), loop ? keys.front() : keys.back()), 1e-12);
  }
}

// The velocity just before and just after a key, in world units and radians per unit of arc. Their difference
// is the curvature times the step, so it must shrink with the step; at a corner it would stay.
TEST(CameraPath, SmoothAtTheKeys) {
  const std::vector<Camera> keys = PlausibleKeys(6, 3);
  const CameraPath path(keys, false);
  const auto jump = [&](double arc, double step) {
    const Camera before = path.At(arc - step), at = path.At(arc), after = path.At(arc + step);
    const auto spin = [](const Camera& a, const Camera& b) {
      const Eigen::AngleAxisd turn(Eigen::Matrix3d(a.rotation().transpose() * b.rotation()));
      return Eigen::Vector3d(turn.axis() * turn.angle());
    };
    return ((after.position() - at.position()) - (at.position() - before.position())).norm() / step +
           (spin(at, after) - spin(before, at)).norm() / step;
  };
  for (size_t i = 1; i + 1 < keys.size(); ++i) {
    const double arc = path.key_arcs()[i], step = 2e-3 * path.length();
    EXPECT_LT(jump(arc, step / 16), jump(arc, step) / 8 + 1e-3) << i;  // 1e-3: the arc is tabulated
  }
}

TEST(InterpolateCameras, SpeedIsConstant) {
  for (const bool loop : {false, true}) {
    const std::vector<Camera> keys = PlausibleKeys(5, 4);
    const int frames = 400;
    const CameraPath path(keys, loop);
    const std::vector<Camera> cameras = InterpolateCameras(keys, frames, loop);
    ASSERT_EQ(cameras.size(), static_cast<size_t>(frames));
    ExpectProperRotations(cameras);
    const double step = path.length() / (loop ? frames : frames - 1);
    for (int i = 1; i < frames; ++i) {
      // Chords are shorter than arcs where the path bends; nothing is longer than its arc.
      const double moved = path.Distance(cameras[i - 1], cameras[i]);
      EXPECT_LT(moved, step * 1.001);
      EXPECT_GT(moved, step * 0.95);
    }
    if (loop) {
      EXPECT_NEAR(path.Distance(cameras.back(), cameras.front()), step, 0.05 * step);
    }
  }
}

TEST(InterpolateCameras, TwoKeysGiveALineAndASlerp) {
  const std::vector<Camera> keys = PlausibleKeys(2, 5);
  const std::vector<Camera> cameras = InterpolateCameras(keys, 11);
  const Eigen::Quaterniond q0(keys[0].rotation()), q1(keys[1].rotation());
  for (int i = 0; i <= 10; ++i) {
    const double s = i / 10.0;
    Camera expected;
    expected.c2w =
        Pose(q0.slerp(s, q1).toRotationMatrix(), (1 - s) * keys[0].position() + s * keys[1].position());
    expected.fx = (1 - s) * keys[0].fx + s * keys[1].fx;
    expected.fy = (1 - s) * keys[0].fy + s * keys[1].fy;
    expected.cx = (1 - s) * keys[0].cx + s * keys[1].cx;
    expected.cy = (1 - s) * keys[0].cy + s * keys[1].cy;
    EXPECT_LT(CameraDifference(cameras[i], expected), 1e-10);
  }
}

TEST(InterpolateCameras, UnevenKeysOnALineStillGiveUniformPositions) {
  std::vector<Camera> keys(4);
  const double x[] = {0, 0.1, 3, 4};
  for (int i = 0; i < 4; ++i) keys[i].c2w(0, 3) = x[i];
  const std::vector<Camera> cameras = InterpolateCameras(keys, 41);
  for (int i = 0; i <= 40; ++i) EXPECT_NEAR(cameras[i].position().x(), 0.1 * i, 1e-3);
}

TEST(InterpolateCameras, PureRotationAndRepeatedKeys) {
  std::vector<Camera> keys(3);
  for (int i = 0; i < 3; ++i) {
    keys[i].c2w =
        Pose(Eigen::AngleAxisd(30 * i * kDegree, Eigen::Vector3d::UnitY()).toRotationMatrix(), {1, 2, 3});
  }
  keys.insert(keys.begin() + 1, keys[1]);  // one camera twice in a row
  const std::vector<Camera> cameras = InterpolateCameras(keys, 7);
  for (int i = 0; i < 7; ++i) {
    const Eigen::Matrix3d expected =
        Eigen::AngleAxisd(10 * i * kDegree, Eigen::Vector3d::UnitY()).toRotationMatrix();
    EXPECT_LT((cameras[i].rotation() - expected).norm(), 1e-6);
    EXPECT_LT((cameras[i].position() - Eigen::Vector3d(1, 2, 3)).norm(), 1e-14);
  }
}

TEST(InterpolateCameras, AllKeysEqualOrOneKeyStandsStill) {
  const std::vector<Camera> one = RandomCameras(1, 6);
  for (const std::vector<Camera>& keys : {one, std::vector<Camera>(3, one[0])}) {
    for (const bool loop : {false, true}) {
      const std::vector<Camera> cameras = InterpolateCameras(keys, 5, loop);
      ASSERT_EQ(cameras.size(), 5u);
      for (const Camera& camera : cameras) EXPECT_LT(CameraDifference(camera, one[0]), 1e-13);
    }
  }
}

TEST(InterpolateCameras, HalfTurnsStayRotations) {
  std::vector<Camera> keys(3);
  keys[1].c2w =
      Pose(Eigen::AngleAxisd(std::numbers::pi, Eigen::Vector3d::UnitY()).toRotationMatrix(), {1, 0, 0});
  ExpectProperRotations(InterpolateCameras(keys, 50));
}

TEST(InterpolateCameras, ChecksItsOptions) {
  const std::vector<Camera> keys = RandomCameras(2, 7);
  EXPECT_THROW(InterpolateCameras({}, 5), UsageError);
  EXPECT_THROW(InterpolateCameras(keys, 0), UsageError);
  EXPECT_THROW(InterpolateCameras(keys, kMostFrames + 1), UsageError);
  EXPECT_EQ(InterpolateCameras(keys, 1).size(), 1u);
}

TEST(FocusPoint, FindsWhatTheCamerasLookAt) {
  const Eigen::Vector3d target(0.3, -0.2, 4);
  const Focus focus = FocusPoint(CamerasLookingAt(target, {{0, 0, 0}, {1, 0.2, 0}, {-1, 0, 0.5}}));
  EXPECT_TRUE(focus.measured);
  EXPECT_LT((focus.point - target).norm(), 1e-12);
}

TEST(FocusPoint, LeastSquaresOfSkewAxesIsTheMiddle) {
  std::vector<Camera> cameras = CamerasLookingAt({0, 0, 4}, {{1, 0, 0}, {-1, 0, 0}});
  cameras[0].c2w(1, 3) += 0.1;  // the axes now miss each other by 0.2
  cameras[1].c2w(1, 3) -= 0.1;
  const Focus focus = FocusPoint(cameras);
  EXPECT_TRUE(focus.measured);
  EXPECT_LT((focus.point - Eigen::Vector3d(0, 0, 4)).norm(), 1e-12);
}

TEST(FocusPoint, FallsBackWhenAxesSayNothing) {
  std::vector<Camera> parallel(2);
  parallel[1].c2w(0, 3) = 2;
  Focus focus = FocusPoint(parallel);
  EXPECT_FALSE(focus.measured);
  EXPECT_LT((focus.point - Eigen::Vector3d(1, 0, 6)).norm(), 1e-12);  // 3 baselines in front of the middle
  focus = FocusPoint(parallel, 5);
  EXPECT_LT((focus.point - Eigen::Vector3d(1, 0, 10)).norm(), 1e-12);

  // Axes that diverge meet behind the cameras.
  std::vector<Camera> diverging = CamerasLookingAt({0, 0, -4}, {{1, 0, 0}, {-1, 0, 0}});
  for (Camera& camera : diverging) {
    camera.c2w.block<3, 1>(0, 0) *= -1;  // half a turn about the vertical axis
    camera.c2w.block<3, 1>(0, 2) *= -1;
  }
  focus = FocusPoint(diverging);
  EXPECT_FALSE(focus.measured);
  EXPECT_GT(focus.point.z(), 0);

  // A single camera, and cameras that only turn: distance 1.
  focus = FocusPoint(std::vector<Camera>(1));
  EXPECT_LT((focus.point - Eigen::Vector3d(0, 0, 1)).norm(), 1e-12);
  std::vector<Camera> turning(2);
  turning[1].c2w = Pose(Eigen::AngleAxisd(0.5, Eigen::Vector3d::UnitY()).toRotationMatrix(), {0, 0, 0});
  focus = FocusPoint(turning);
  EXPECT_FALSE(focus.measured);
  EXPECT_NEAR(focus.point.norm(), 1, 1e-12);
}

TEST(Orbit, KeepsItsDistanceAndLooksAtTheCentre) {
  const Eigen::Vector3d target(0.3, -0.2, 4);
  const std::vector<Camera> cameras = CamerasLookingAt(target, {{0, 0, 0}, {1, 0.2, 0}, {-1, 0, 0.5}});
  for (const double sweep : {360.0, 40.0, -40.0}) {
    for (const std::optional<double> radius : {std::optional<double>(), std::optional<double>(2.5)}) {
      const std::vector<Camera> orbit =
          Orbit(cameras, {.frames = 36, .sweep_degrees = sweep, .radius = radius});
      ASSERT_EQ(orbit.size(), 36u);
      ExpectProperRotations(orbit);
      const Eigen::Vector3d up = MeanCamera(cameras).up();
      for (const Camera& camera : orbit) {
        const Eigen::Vector3d line = target - camera.position();
        if (radius) {
          EXPECT_NEAR(line.norm(), *radius, 1e-12);
        }
        EXPECT_NEAR(line.norm(), (target - orbit[0].position()).norm(), 1e-12);
        EXPECT_LT((line.normalized() - camera.forward()).norm(), 1e-12);
        EXPECT_NEAR(camera.right().dot(up), 0, 1e-12);  // no roll
        EXPECT_GT(camera.up().dot(up), 0);
        EXPECT_EQ(camera.fx, cameras[0].fx);
      }
      const double turn = sweep == 360 ? 10 : std::abs(sweep) / 35;
      for (size_t i = 1; i < orbit.size(); ++i) {
        const Eigen::Vector3d a = orbit[i - 1].position() - target, b = orbit[i].position() - target;
        const Eigen::Vector3d flat_a = a - up * up.dot(a), flat_b = b - up * up.dot(b);
        const double angle = std::atan2(flat_a.cross(flat_b).dot(up), flat_a.dot(flat_b)) / kDegree;
        EXPECT_NEAR(angle, std::copysign(turn, sweep), 1e-9);
      }
    }
  }
}

TEST(Orbit, PositiveSweepsGoToTheRight) {
  const std::vector<Camera> orbit = Orbit(std::vector<Camera>(1), {.frames = 3, .sweep_degrees = 90});
  EXPECT_LT((orbit[1].c2w - Eigen::Matrix4d::Identity()).norm(), 1e-14);  // the middle is the camera itself
  const double s = std::numbers::sqrt2 / 2;
  EXPECT_LT((orbit[2].position() - Eigen::Vector3d(s, 0, 1 - s)).norm(), 1e-14);
  EXPECT_LT((orbit[0].position() - Eigen::Vector3d(-s, 0, 1 - s)).norm(), 1e-14);
}

TEST(Orbit, WorksWhenTheCamerasSurroundTheFocus) {
  const std::vector<Camera> cameras =
      CamerasLookingAt({0, 0, 0}, {{2, 0, 0}, {0, 0, 2}, {-2, 0, 0}, {0, 0, -2}});
  const std::vector<Camera> orbit = Orbit(cameras, {.frames = 8});
  ExpectProperRotations(orbit);
  for (const Camera& camera : orbit) EXPECT_NEAR(camera.position().norm(), 2, 1e-12);
}

TEST(Orbit, ChecksItsOptions) {
  const std::vector<Camera> cameras(1);
  EXPECT_THROW(Orbit({}, {}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.frames = 0}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.sweep_degrees = 0}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.sweep_degrees = 361}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.sweep_degrees = std::numeric_limits<double>::quiet_NaN()}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.radius = 0}), UsageError);
  EXPECT_THROW(Orbit(cameras, {.radius = -1}), UsageError);
}

TEST(Dolly, MovesEvenlyAlongTheAxis) {
  const std::vector<Camera> cameras = CamerasLookingAt({0, 0, 4}, {{1, 0, 0}, {-1, 0, 0}});
  const std::vector<Camera> dolly = Dolly(cameras, {.frames = 5, .travel = 2});
  for (int i = 0; i < 5; ++i) {
    EXPECT_LT((dolly[i].c2w - Pose(Eigen::Matrix3d::Identity(), {0, 0, -1 + 0.5 * i})).norm(), 1e-12);
    EXPECT_EQ(dolly[i].fx, cameras[0].fx);
  }
  // Default: 0.3 of the depth of the focus.
  const std::vector<Camera> standard = Dolly(cameras, {.frames = 2});
  EXPECT_NEAR(standard[1].position().z() - standard[0].position().z(), 1.2, 1e-12);
}

TEST(Dolly, ZoomKeepsTheSizeAtTheFocus) {
  const std::vector<Camera> cameras = CamerasLookingAt({0, 0, 4}, {{1, 0, 0}, {-1, 0, 0}});
  for (const Camera& camera : Dolly(cameras, {.frames = 9, .travel = 3, .keep_focus_size = true})) {
    // Image size of a unit length at the focus.
    EXPECT_NEAR(camera.fx / (4 - camera.position().z()), cameras[0].fx / 4, 1e-12);
    EXPECT_NEAR(camera.fy / (4 - camera.position().z()), cameras[0].fy / 4, 1e-12);
  }
  EXPECT_THROW(Dolly(cameras, {.travel = 7.5, .keep_focus_size = true}), UsageError);
  EXPECT_THROW(Dolly(cameras, {.travel = std::numeric_limits<double>::infinity()}), UsageError);
}

// A point that the camera sees at a pixel of its frame lies as many pixels from the middle of the extended
// one.
TEST(ExtendToShape, ShowsAsMuchAndMore) {
  Camera wide;
  wide.fx = 0.8;
  wide.fy = 0.8 * 16.0 / 9.0;  // square pixels
  wide.cx = 0.5;
  wide.cy = 0.45;
  const Camera square = ExtendToShape(wide, 1600, 900, 128, 128);
  EXPECT_NEAR(square.fx, 0.8, 1e-12);
  EXPECT_NEAR(square.fy, 0.8, 1e-12);
  EXPECT_NEAR(square.cx, 0.5, 1e-12);
  EXPECT_NEAR((square.cy - 0.5) * 1600, (0.45 - 0.5) * 900, 1e-9);
  const Camera tall = ExtendToShape(square, 100, 100, 90, 160);
  EXPECT_NEAR(tall.fx, 0.8, 1e-12);
  EXPECT_NEAR(tall.fy, 0.8 * 90 / 160, 1e-12);
  const Camera same = ExtendToShape(wide, 1600, 900, 320, 180);
  EXPECT_NEAR(same.fy, wide.fy, 1e-12);
  EXPECT_NEAR(same.cy, wide.cy, 1e-12);
}

}  // namespace
}  // namespace wildrayzer
