// Small vectors of the ray caster. The world is right-handed: x right, y up, z towards the viewer, metres;
// the floor of a room is y = 0.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace wildrayzer::synth {

using Vec2 = Eigen::Vector2f;
using Vec3 = Eigen::Vector3f;
using Mat3 = Eigen::Matrix3f;

inline constexpr float kPi = std::numbers::pi_v<float>;

// x -> linear * x + offset.
struct Pose {
  Mat3 linear = Mat3::Identity();
  Vec3 offset = Vec3::Zero();

  Vec3 operator()(const Vec3& point) const { return linear * point + offset; }
};

// first `inner`, then `outer`.
inline Pose Compose(const Pose& outer, const Pose& inner) {
  return {Mat3(outer.linear * inner.linear), Vec3(outer.linear * inner.offset + outer.offset)};
}

// Rotation about +y by `yaw` radians; it turns +z towards +x.
inline Mat3 YawRotation(float yaw) { return Eigen::AngleAxisf(yaw, Vec3::UnitY()).toRotationMatrix(); }

// Two unit vectors that complete the unit vector `n` to an orthonormal frame.
inline void TangentFrame(const Vec3& n, Vec3* t, Vec3* b) {
  // Duff et al. 2017, "Building an Orthonormal Basis, Revisited".
  const float sign = std::copysign(1.0F, n.z());
  const float a = -1.0F / (sign + n.z());
  const float c = n.x() * n.y() * a;
  *t = Vec3(1.0F + sign * n.x() * n.x() * a, sign * c, -sign * n.x());
  *b = Vec3(c, sign + n.y() * n.y() * a, -n.y());
}

// Axis-aligned box; empty until something is added.
struct Bounds {
  Vec3 low = Vec3::Constant(1e30F);
  Vec3 high = Vec3::Constant(-1e30F);

  void Add(const Vec3& point) {
    low = low.cwiseMin(point);
    high = high.cwiseMax(point);
  }
  // Whether origin + t * direction lies inside for some t in [0, far] (slabs).
  bool Meets(const Vec3& origin, const Vec3& inverse_direction, float far) const {
    const Vec3 a = (low - origin).cwiseProduct(inverse_direction),
               b = (high - origin).cwiseProduct(inverse_direction);
    return std::max(a.cwiseMin(b).maxCoeff(), 0.0F) <= std::min(a.cwiseMax(b).minCoeff(), far);
  }
  bool Contains(const Vec3& point) const {
    return (point.array() >= low.array()).all() && (point.array() <= high.array()).all();
  }
  Vec3 size() const { return high - low; }
  Vec3 center() const { return 0.5F * (low + high); }
};

}  // namespace wildrayzer::synth
