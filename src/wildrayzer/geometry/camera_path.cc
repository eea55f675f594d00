#include "wildrayzer/geometry/camera_path.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Rotation vector (axis times angle, at most pi) of a unit quaternion, and back.
Eigen::Vector3d Log(const Eigen::Quaterniond& q) {
  const Eigen::Vector3d v = q.w() < 0 ? Eigen::Vector3d(-q.vec()) : Eigen::Vector3d(q.vec());
  const double sine = v.norm();
  const double angle = 2 * std::atan2(sine, std::abs(q.w()));
  return sine > 1e-12 ? Eigen::Vector3d(v * (angle / sine)) : Eigen::Vector3d(2 * v);
}

Eigen::Quaterniond Exp(const Eigen::Vector3d& rotation_vector) {
  const double angle = rotation_vector.norm();
  if (angle < 1e-12) return Eigen::Quaterniond::Identity();
  return Eigen::Quaterniond(Eigen::AngleAxisd(angle, rotation_vector / angle));
}

// Interior points: the weighted mean of the neighbouring slopes that makes Catmull-Rom of any knot spacing.
template <typename Vector>
Vector Tangent(const Vector& slope_before, double step_before, const Vector& slope_after, double step_after) {
  return (step_after * slope_before + step_before * slope_after) / (step_before + step_after);
}

}  // namespace

CameraPath::CameraPath(std::span<const Camera> keys, bool loop) {
  if (keys.empty()) {
    throw UsageError("a camera path needs at least one camera");
  }
  const double scale = SceneScale(keys);
  rotation_radius_ = scale > 0 ? scale : 1;
  AddNodes(keys, loop);
  SetTangents(loop);
  MeasureArc();
}

double CameraPath::Distance(const Camera& a, const Camera& b) const {
  const Eigen::Quaterniond relative(a.rotation().transpose() * b.rotation());
  const Eigen::Vector3d turn = Log(relative);
  const Eigen::Vector4d lens(b.fx - a.fx, b.fy - a.fy, b.cx - a.cx, b.cy - a.cy);
  return std::sqrt((b.position() - a.position()).squaredNorm() +
                   rotation_radius_ * rotation_radius_ * (turn.squaredNorm() + lens.squaredNorm()));
}

void CameraPath::AddNodes(std::span<const Camera> keys, bool loop) {
  const double negligible = 1e-9 * rotation_radius_;
  const auto add = [&](const Camera& key) {
    double knot = 0;
    if (!nodes_.empty()) {
      const double distance = Distance(nodes_.back().camera, key);
      if (distance <= negligible) return;
      knot = nodes_.back().knot + std::sqrt(distance);
    }
    State state;
    state << key.position(), key.fx, key.fy, key.cx, key.cy;
    nodes_.push_back(
        {key, state, QuaternionOf(key.rotation()), knot, State::Zero(), Eigen::Vector3d::Zero()});
  };
  for (const Camera& key : keys) {
    add(key);
    node_of_key_.push_back(nodes_.size() - 1);
  }
  if (loop) add(keys.front());
}

void CameraPath::SetTangents(bool loop) {
  const size_t segments = nodes_.size() - 1;
  if (segments == 0) return;
  std::vector<State> slopes;
  std::vector<Eigen::Vector3d> turns;
  std::vector<double> steps;
  for (size_t i = 0; i < segments; ++i) {
    const Node &from = nodes_[i], &to = nodes_[i + 1];
    steps.push_back(to.knot - from.knot);
    slopes.push_back((to.state - from.state) / steps.back());
    turns.push_back(Log(from.rotation.conjugate() * to.rotation) / steps.back());
  }
  const auto set = [&](size_t node, size_t before, size_t after) {
    nodes_[node].velocity = Tangent(slopes[before], steps[before], slopes[after], steps[after]);
    nodes_[node].angular_velocity = Tangent(turns[before], steps[before], turns[after], steps[after]);
  };
  for (size_t i = 1; i < segments; ++i) set(i, i - 1, i);
  Node &first = nodes_.front(), &last = nodes_.back();
  if (loop) {
    set(0, segments - 1, 0);
    last.velocity = first.velocity;
    last.angular_velocity = first.angular_velocity;
  } else if (segments == 1) {
    first.velocity = last.velocity = slopes[0];
    first.angular_velocity = last.angular_velocity = turns[0];
  } else {  // natural ends: no acceleration there
    first.velocity = 1.5 * slopes.front() - 0.5 * nodes_[1].velocity;
    first.angular_velocity = 1.5 * turns.front() - 0.5 * nodes_[1].angular_velocity;
    last.velocity = 1.5 * slopes.back() - 0.5 * nodes_[segments - 1].velocity;
    last.angular_velocity = 1.5 * turns.back() - 0.5 * nodes_[segments - 1].angular_velocity;
  }
}

void CameraPath::MeasureArc() {
  const size_t segments = nodes_.size() - 1;
  // Enough samples that the chords miss under 1e-4 of the length, and a bounded total for very long lists.
  samples_ = segments == 0 ? 1 : std::clamp<size_t>((size_t{1} << 20) / segments, 8, 256);
  arc_.assign(1, 0.0);
  Camera previous = nodes_.front().camera;
  for (size_t segment = 0; segment < segments; ++segment) {
    for (size_t sample = 1; sample <= samples_; ++sample) {
      const Camera next = Evaluate(segment, static_cast<double>(sample) / static_cast<double>(samples_));
      arc_.push_back(arc_.back() + Distance(previous, next));
      previous = next;
    }
  }
  for (const size_t node : node_of_key_) key_arcs_.push_back(arc_[node * samples_]);
}

Camera CameraPath::At(double arc) const {
  if (nodes_.size() == 1) return nodes_.front().camera;
  const size_t last = arc_.size() - 2;  // start of the last interval
  const auto above = std::upper_bound(arc_.begin(), arc_.end(), arc);
  const size_t index = above == arc_.begin() ? 0 : std::min<size_t>(above - arc_.begin() - 1, last);
  const double width = arc_[index + 1] - arc_[index];
  const double within = width > 0 ? std::clamp((arc - arc_[index]) / width, 0.0, 1.0) : 0.0;
  const size_t segment = index / samples_;
  return Evaluate(segment, (static_cast<double>(index % samples_) + within) / static_cast<double>(samples_));
}

Camera CameraPath::Evaluate(size_t segment, double fraction) const {
  const Node &from = nodes_[segment], &to = nodes_[segment + 1];
  const double s = fraction, step = to.knot - from.knot;
  const double h01 = s * s * (3 - 2 * s), h10 = s * (1 - s) * (1 - s), h11 = s * s * (s - 1);
  const State state =
      (1 - h01) * from.state + h01 * to.state + step * (h10 * from.velocity + h11 * to.velocity);
  // q(s) = q0 exp(w1 b1(s)) exp(w2 b2(s)) exp(w3 b3(s)) with the cumulative Bernstein polynomials b.
  const Eigen::Vector3d w1 = from.angular_velocity * (step / 3), w3 = to.angular_velocity * (step / 3);
  const Eigen::Vector3d w2 = Log(Exp(-w1) * from.rotation.conjugate() * to.rotation * Exp(-w3));
  const Eigen::Quaterniond rotation =
      from.rotation * Exp(w1 * (1 - (1 - s) * (1 - s) * (1 - s))) * Exp(w2 * h01) * Exp(w3 * (s * s * s));
  const Eigen::Matrix4d pose = Pose(rotation.normalized().toRotationMatrix(), state.head<3>());
  return {pose, state[3], state[4], state[5], state[6]};
}

}  // namespace wildrayzer
