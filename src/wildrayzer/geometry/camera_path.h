// A smooth curve through cameras.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <span>
#include <vector>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

// A smooth curve through key cameras, parameterised by arc length.
//
// Position and intrinsics: cubic Hermite with the tangents of the centripetal Catmull-Rom spline (knot
// spacing = square root of the distance between keys; natural ends). Rotation: the cumulative Hermite
// quaternion curve of Kim, Kim and Shin (1995) with the same tangent rule on angular velocities; between two
// keys alone it is slerp. All of them are continuously differentiable. The distance between cameras is
// sqrt(|dt|^2 + r^2 (angle^2 + dfx^2 + dfy^2 + dcx^2 + dcy^2)) with r = SceneScale(keys), or 1 when all
// positions coincide: a turn by one radian counts as much as a move by the scene's radius. Keys at distance
// zero from their predecessor are skipped, so repeated cameras are harmless.
class CameraPath {
 public:
  // `loop` returns from the last key to the first.
  CameraPath(std::span<const Camera> keys, bool loop);

  // Total arc length; 0 when all keys coincide.
  double length() const { return arc_.back(); }
  // Arc length at which each key (in the order given) lies.
  const std::vector<double>& key_arcs() const { return key_arcs_; }
  // Camera at arc length `arc`, clamped to [0, length()].
  Camera At(double arc) const;
  // Distance between two cameras in the measure above, for this path's r.
  double Distance(const Camera& a, const Camera& b) const;

 private:
  using State = Eigen::Vector<double, 7>;  // position, fx, fy, cx, cy
  struct Node {
    Camera camera;
    State state;
    Eigen::Quaterniond rotation;
    double knot;                       // centripetal parameter
    State velocity;                    // d state / d knot
    Eigen::Vector3d angular_velocity;  // body frame, radian per unit of knot
  };
  void AddNodes(std::span<const Camera> keys, bool loop);
  void SetTangents(bool loop);
  void MeasureArc();
  Camera Evaluate(size_t segment, double fraction) const;

  double rotation_radius_ = 1;
  std::vector<Node> nodes_;
  std::vector<size_t> node_of_key_;
  size_t samples_ = 1;       // of the arc length, per segment
  std::vector<double> arc_;  // at segment * samples_ + sample, plus the end
  std::vector<double> key_arcs_;
};

}  // namespace wildrayzer
