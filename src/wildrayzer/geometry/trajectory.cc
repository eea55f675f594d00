#include "wildrayzer/geometry/trajectory.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "wildrayzer/geometry/camera_path.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

void CheckFrames(int64_t frames) {
  if (frames < 1 || frames > kMostFrames) {
    throw UsageError("a trajectory has 1 to " + std::to_string(kMostFrames) + " frames, not " +
                     std::to_string(frames));
  }
}

double Mix(double a, double b, double s) { return a + s * (b - a); }

Camera InterpolatePair(const Camera& from, const Eigen::Quaterniond& from_rotation, const Camera& to,
                       const Eigen::Quaterniond& to_rotation, double s) {
  Camera camera;
  const Eigen::Vector3d position = (1 - s) * from.position() + s * to.position();
  camera.c2w = Pose(Slerp(from_rotation, to_rotation, s).toRotationMatrix(), position);
  camera.fx = Mix(from.fx, to.fx, s);
  camera.fy = Mix(from.fy, to.fy, s);
  camera.cx = Mix(from.cx, to.cx, s);
  camera.cy = Mix(from.cy, to.cy, s);
  return camera;
}

std::vector<Camera> InNearestOrder(std::span<const Camera> keys) {
  std::vector<Camera> left(keys.begin(), keys.end()), order;
  size_t next = 0;
  while (true) {
    order.push_back(left[next]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(next));
    if (left.empty()) return order;
    double nearest = std::numeric_limits<double>::infinity();
    next = 0;
    for (size_t i = 0; i < left.size(); ++i) {
      const double distance = (left[i].position() - order.back().position()).norm();
      if (distance < nearest) {
        nearest = distance;
        next = i;
      }
    }
  }
}

// Position of frame `index` on [0, 1]: both ends included, the middle for a single frame.
double Fraction(int index, int frames) {
  return frames == 1 ? 0.5 : static_cast<double>(index) / static_cast<double>(frames - 1);
}

}  // namespace

std::vector<Camera> InterpolatePairs(std::span<const Camera> keys, int steps_per_pair, VisitOrder order) {
  if (keys.size() < 2) {
    throw UsageError("interpolation between cameras needs at least two of them");
  }
  if (steps_per_pair < 1 || keys.size() - 1 > static_cast<size_t>(kMostFrames / steps_per_pair)) {
    throw UsageError("an interpolation has 1 to " + std::to_string(kMostFrames) +
                     " frames: change the number of steps per pair (" + std::to_string(steps_per_pair) + ")");
  }
  const std::vector<Camera> visited =
      order == VisitOrder::kNearest ? InNearestOrder(keys) : std::vector<Camera>(keys.begin(), keys.end());
  std::vector<Camera> cameras;
  for (size_t i = 0; i + 1 < visited.size(); ++i) {
    const Camera &from = visited[i], &to = visited[i + 1];
    const Eigen::Quaterniond from_rotation = QuaternionOf(from.rotation()),
                             to_rotation = QuaternionOf(to.rotation());
    for (int step = 0; step < steps_per_pair; ++step) {
      const double s = steps_per_pair == 1 ? 0 : Fraction(step, steps_per_pair);
      cameras.push_back(InterpolatePair(from, from_rotation, to, to_rotation, s));
    }
  }
  return cameras;
}

std::vector<Camera> InterpolateCameras(std::span<const Camera> keys, int frames, bool loop) {
  CheckFrames(frames);
  const CameraPath path(keys, loop);
  const int steps = loop ? frames : std::max(frames - 1, 1);
  std::vector<Camera> cameras;
  for (int i = 0; i < frames; ++i) {
    cameras.push_back(path.At(path.length() * static_cast<double>(i) / static_cast<double>(steps)));
  }
  return cameras;
}

Focus FocusPoint(std::span<const Camera> cameras, double fallback_factor) {
  const Camera mean = MeanCamera(cameras);
  const double weight = 1.0 / static_cast<double>(cameras.size());
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right_side = Eigen::Vector3d::Zero();
  for (const Camera& camera : cameras) {
    const Eigen::Vector3d axis = camera.forward();
    const Eigen::Matrix3d across = Eigen::Matrix3d::Identity() - axis * axis.transpose();
    normal += weight * across;
    right_side += weight * (across * camera.position());
  }
  const double baseline = MedianBaseline(cameras);
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> spectrum(normal, Eigen::EigenvaluesOnly);
  if (spectrum.eigenvalues()[0] >= 1e-4 && baseline > 0) {
    const Eigen::Vector3d point = normal.ldlt().solve(right_side);
    double depth = 0;
    for (const Camera& camera : cameras) depth += weight * camera.forward().dot(point - camera.position());
    if (depth > 0.05 * baseline) return {point, true};
  }
  const double distance = baseline > 0 ? fallback_factor * baseline : 1.0;
  return {mean.position() + distance * mean.forward(), false};
}

std::vector<Camera> Orbit(std::span<const Camera> cameras, const OrbitOptions& options) {
  CheckFrames(options.frames);
  const double sweep = options.sweep_degrees;
  if (!(std::abs(sweep) > 0 && std::abs(sweep) <= 360)) {
    throw UsageError("the sweep of an orbit is at most 360 degrees either way and not 0: change it");
  }
  const Camera mean = MeanCamera(cameras);
  const Eigen::Vector3d centre = FocusPoint(cameras).point;
  double radius = 0;
  for (const Camera& camera : cameras) {
    radius += (camera.position() - centre).norm() / static_cast<double>(cameras.size());
  }
  radius = options.radius.value_or(radius);
  if (!(radius > 0 && std::isfinite(radius))) {
    throw UsageError("the radius of an orbit must be positive: give another one");
  }
  // Cameras all around the focus have their mean near it, and one right above it could not be turned about
  // `up`.
  Eigen::Vector3d start = mean.position() - centre;
  const bool usable = start.norm() > 1e-3 * radius && start.cross(mean.up()).norm() > 1e-3 * start.norm();
  start = usable ? Eigen::Vector3d(start.normalized()) : Eigen::Vector3d(-mean.forward());

  const bool closed = std::abs(sweep) == 360;
  std::vector<Camera> orbit;
  for (int i = 0; i < options.frames; ++i) {
    const double fraction =
        closed ? static_cast<double>(i) / options.frames : Fraction(i, options.frames) - 0.5;
    const double angle = fraction * sweep * std::numbers::pi / 180;
    const Eigen::Vector3d direction = Eigen::AngleAxisd(angle, mean.up()) * start;
    Camera camera = mean;
    camera.c2w = LookAt(centre + radius * direction, centre, mean.up()).c2w;
    orbit.push_back(camera);
  }
  return orbit;
}

std::vector<Camera> Dolly(std::span<const Camera> cameras, const DollyOptions& options) {
  CheckFrames(options.frames);
  const Camera mean = MeanCamera(cameras);
  const double depth = mean.forward().dot(FocusPoint(cameras).point - mean.position());
  const double travel = options.travel.value_or(0.3 * std::abs(depth));
  if (!std::isfinite(travel)) {
    throw UsageError("the travel of a dolly must be a finite number: give another one");
  }
  // At the far end the camera must still be in front of what keeps its size, by a tenth of the distance.
  if (options.keep_focus_size && !(depth > 0 && std::abs(travel) / 2 <= 0.9 * depth)) {
    throw UsageError("a dolly zoom cannot travel past what the cameras look at, " + std::to_string(depth) +
                     " away: use a shorter travel");
  }
  std::vector<Camera> dolly;
  for (int i = 0; i < options.frames; ++i) {
    const double offset = (Fraction(i, options.frames) - 0.5) * travel;
    Camera camera = mean;
    camera.c2w.topRightCorner<3, 1>() += offset * mean.forward();
    if (options.keep_focus_size) {
      camera.fx *= (depth - offset) / depth;
      camera.fy *= (depth - offset) / depth;
    }
    dolly.push_back(camera);
  }
  return dolly;
}

Camera ExtendToShape(const Camera& camera, int from_width, int from_height, int width, int height) {
  const double w = from_width, h = from_height;
  const double wide = std::max(w, h * width / height), high = std::max(h, w * height / width);
  Camera extended = camera;
  if (wide == w && high == h) return extended;  // to the bit
  extended.fx = camera.fx * w / wide;
  extended.fy = camera.fy * h / high;
  extended.cx = (camera.cx * w + 0.5 * (wide - w)) / wide;
  extended.cy = (camera.cy * h + 0.5 * (high - h)) / high;
  return extended;
}

}  // namespace wildrayzer
