// Camera trajectories. Every function returns cameras whose rotations are orthonormal to rounding, and raises
// UsageError when an option makes no sense or no camera is given.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <span>
#include <vector>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

// No trajectory is longer than this.
inline constexpr int kMostFrames = 100000;

// ---- Piecewise interpolation, as the reference renders its videos ----

enum class VisitOrder {
  kGiven,
  kNearest,  // from the first camera always on to the nearest position not yet visited
};

// `steps_per_pair` cameras for each of the n-1 consecutive pairs, both end points included: joints appear
// twice. Quaternion slerp along the shortest path, linear positions and intrinsics. (n-1) * steps_per_pair
// cameras.
std::vector<Camera> InterpolatePairs(std::span<const Camera> keys, int steps_per_pair,
                                     VisitOrder order = VisitOrder::kGiven);

// ---- Smooth interpolation ----

// `frames` cameras at equal arc lengths of a CameraPath (camera_path.h): constant speed. Open paths start at
// the first key and end at the last; a loop starts at the first key and stops one step before it, so that it
// can be repeated.
std::vector<Camera> InterpolateCameras(std::span<const Camera> keys, int frames, bool loop = false);

// ---- Frames of another shape ----

// The camera of frames shaped as width x height that shows all that `camera` shows in a frame of from_width x
// from_height: its focal lengths in pixels stay as they are to each other, and what is added lies evenly
// beyond two opposite sides. `camera` itself where the shapes are the same.
Camera ExtendToShape(const Camera& camera, int from_width, int from_height, int width, int height);

// ---- Motions around what the cameras look at ----

struct Focus {
  Eigen::Vector3d point;
  bool measured;  // false: the fall-back
};

// The point nearest, in the least-squares sense, to the optical axes of all cameras. When the axes are too
// parallel to tell (the smallest eigenvalue of the mean of I - d d^T is under 1e-4, about 0.6 degrees), or
// the point is not clearly in front of the cameras, the fall-back is the point in front of the mean camera at
// `fallback_factor` times the median baseline (at distance 1 when there is no baseline).
Focus FocusPoint(std::span<const Camera> cameras, double fallback_factor = 3.0);

struct OrbitOptions {
  int frames = 120;
  double sweep_degrees = 360;  // (0, 360]; positive turns move the camera to its right, negative to its left
  std::optional<double> radius = {};  // scene units; default: mean distance of the cameras from the focus
};

// Circle around FocusPoint(cameras), axis = up vector of the mean camera through the focus, always looking at
// the focus with that up vector. A sweep of 360 starts in the direction of the mean camera and stops one step
// before it; a smaller sweep is centred on that direction, both ends included. Intrinsics of the mean camera.
std::vector<Camera> Orbit(std::span<const Camera> cameras, const OrbitOptions& options);

struct DollyOptions {
  int frames = 120;
  // Path length along the mean camera's optical axis, centred on its position; negative moves backwards.
  // Default: 0.3 times the depth of FocusPoint(cameras).
  std::optional<double> travel = {};
  // Dolly zoom: the focal length follows the distance, so that what lies at the focus's depth keeps its size.
  bool keep_focus_size = false;
};

std::vector<Camera> Dolly(std::span<const Camera> cameras, const DollyOptions& options);

}  // namespace wildrayzer
