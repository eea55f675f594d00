// The handheld camera: a smooth walk through the room at eye level with a little shake.
#pragma once

#include <optional>
#include <vector>

#include "wildrayzer/synth/ray_world.h"
#include "wildrayzer/synth/room.h"

namespace wildrayzer::synth {

// One pinhole camera. OpenCV axes: x right, y down, z forward. Pixel (column, row) covers [column, column +
// 1] x [row, row + 1] of the image plane.
struct View {
  Mat3 rotation;                               // camera to world; the columns are the camera's axes
  Vec3 position;                               // metres
  float fx = 1, fy = 1, cx = 0.5F, cy = 0.5F;  // normalised by the image's width and height

  // World direction through the normalised image point (u, v), scaled so that its camera z is 1: the ray
  // parameter of a hit is its depth.
  Vec3 Ray(float u, float v) const { return rotation * Vec3((u - cx) / fx, (v - cy) / fy, 1.0F); }
  // Normalised image point and depth of a world point.
  Vec3 Project(const Vec3& point) const {
    const Vec3 c = rotation.transpose() * (point - position);
    return {fx * c.x() / c.z() + cx, fy * c.y() / c.z() + cy, c.z()};
  }
};

// What every accepted path obeys, measured on a 20 x 20 grid of rays of the first view against the static
// scene.
struct PathLimits {
  float min_fov = 45, max_fov = 75;  // degrees, of a square frame of as many pixels
  float min_height = 1.25F,
        max_height = 1.75F;  // metres above the floor (shake of a few millimetres comes on top)
  float min_parallax = 0.04F,
        max_parallax = 0.40F;  // median displacement first -> last that is due to translation alone
  float min_motion = 0.05F,
        max_motion = 0.50F;  // median displacement first -> last; both as a fraction of the width
  float min_overlap = 0.5F;  // fraction of the first view's points that the last view has in frame
  float min_content = 0.1F;  // fraction of rays that meet furniture
  float clearance = 0.3F;    // metres from walls and furniture in the horizontal plane
};

// Median displacements between two views, as fractions of the width, of the points seen by a.
struct PathMeasure {
  float parallax = 0, motion = 0, overlap = 0, content = 0;
  float near_depth = 0, median_depth = 0;  // 10th and 50th percentile of the first view's depth, metres
};

// shell: index of the room's own instance, which does not count as content.
PathMeasure MeasurePath(const RayWorld& world, uint32_t shell, const View& first, const View& last);

// A path of `frames` >= 2 views, or nothing when none was found in a bounded number of tries.
std::optional<std::vector<View>> MakeCameraPath(const Room& room, const std::vector<Footprint>& furniture,
                                                const RayWorld& world, uint32_t shell, int frames,
                                                float aspect, const PathLimits& limits, Random& random);

}  // namespace wildrayzer::synth
