#include "wildrayzer/synth/camera_path.h"

#include <array>

#include "wildrayzer/synth/draw.h"

namespace wildrayzer::synth {
namespace {

constexpr int kGrid = 20;
constexpr int kTries = 80;

float Percentile(std::vector<float> values, float fraction) {
  const auto at = static_cast<size_t>(fraction * static_cast<float>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

Mat3 LookAt(const Vec3& from, const Vec3& to, float roll) {
  const Vec3 forward = (to - from).normalized();
  const Vec3 right = forward.cross(Vec3::UnitY()).normalized();
  Mat3 rotation;
  rotation.col(0) = right;
  rotation.col(1) = forward.cross(right);
  rotation.col(2) = forward;
  return rotation * Eigen::AngleAxisf(roll, Vec3::UnitZ()).toRotationMatrix();
}

// Sum of three slow sines with random phases: a hand does not hold still.
struct Shake {
  std::array<float, 9> phase;
  explicit Shake(Random& random) {
    for (float& p : phase) p = Draw(random, 0, 2 * kPi);
  }
  Vec3 At(float t) const {
    Vec3 sum;
    for (int c = 0; c < 3; ++c) {
      sum[c] = 0.5F * std::sin(7 * t + phase[static_cast<size_t>(c)]) +
               0.3F * std::sin(17 * t + phase[static_cast<size_t>(c) + 3]) +
               0.2F * std::sin(31 * t + phase[static_cast<size_t>(c) + 6]);
    }
    return sum;
  }
};

// Quadratic Bezier curve.
Vec3 Curve(const Vec3& a, const Vec3& control, const Vec3& b, float t) {
  return (1 - t) * (1 - t) * a + 2 * t * (1 - t) * control + t * t * b;
}

bool Clear(const Room& room, const std::vector<Footprint>& furniture, const Vec3& p, float clearance) {
  if (p.x() < clearance || p.z() < clearance || p.x() > room.size.x() - clearance ||
      p.z() > room.size.z() - clearance)
    return false;
  for (const Footprint& f : furniture) {
    // Low things may be leaned over, hanging ones passed under.
    if (f.top < p.y() - clearance || f.bottom > p.y() + clearance) continue;
    if (Distance(f, {p.x(), p.z()}) < clearance) return false;
  }
  return true;
}

struct Draft {
  Vec3 start, control, end, look_start, look_end;
};

Draft DrawDraft(const Room& room, const PathLimits& limits, Random& random) {
  Draft d;
  const Vec3& s = room.size;
  const float height = Draw(random, limits.min_height + 0.1F, limits.max_height - 0.1F);
  d.start = Vec3(Draw(random, 0.3F, s.x() - 0.3F), height, Draw(random, 0.3F, s.z() - 0.3F));
  d.look_start =
      Vec3(s.x() * Draw(random, 0.2F, 0.8F), Draw(random, 0.6F, 1.3F), s.z() * Draw(random, 0.2F, 0.8F));
  const Vec3 forward = Vec3((d.look_start - d.start).x(), 0, (d.look_start - d.start).z()).normalized();
  const Vec3 right = forward.cross(Vec3::UnitY());
  const float heading = Draw(random, 0, 2 * kPi), length = Draw(random, 0.35F, 1.6F);
  // Sideways more often than along the line of sight.
  const Vec3 step = length * (1.3F * std::cos(heading) * right + 0.8F * std::sin(heading) * forward);
  d.end = d.start + step + Vec3(0, Draw(random, -0.08F, 0.08F), 0);
  d.control =
      0.5F * (d.start + d.end) + Draw(random, -0.15F, 0.15F) * forward + Draw(random, -0.15F, 0.15F) * right;
  const float follow = Draw(random, 0, 1);
  d.look_end = d.look_start + follow * step +
               Vec3(Draw(random, -0.3F, 0.3F), Draw(random, -0.15F, 0.15F), Draw(random, -0.3F, 0.3F));
  return d;
}

bool Accept(const PathMeasure& m, const PathLimits& limits) {
  return m.near_depth > 0.9F && m.median_depth > 1.4F && m.parallax >= limits.min_parallax &&
         m.parallax <= limits.max_parallax && m.motion >= limits.min_motion &&
         m.motion <= limits.max_motion && m.overlap >= limits.min_overlap && m.content >= limits.min_content;
}

}  // namespace

PathMeasure MeasurePath(const RayWorld& world, uint32_t shell, const View& first, const View& last) {
  std::vector<float> depths, parallax, motion;
  PathMeasure m;
  View turned = last;  // the last view's rotation without its translation
  turned.position = first.position;
  int content = 0, kept = 0;
  for (int y = 0; y < kGrid; ++y) {
    for (int x = 0; x < kGrid; ++x) {
      const Vec2 image((static_cast<float>(x) + 0.5F) / kGrid, (static_cast<float>(y) + 0.5F) / kGrid);
      const Vec3 ray = first.Ray(image.x(), image.y());
      const Hit hit = world.Cast(first.position, ray, 0, kFar, 0);
      if (!hit) continue;
      content += hit.instance != shell;
      const Vec3 point = first.position + hit.t * ray;
      const Vec3 there = last.Project(point), rotated = turned.Project(point);
      depths.push_back(hit.t);
      if (there.z() <= 0 || rotated.z() <= 0) continue;
      kept += there.x() > 0 && there.x() < 1 && there.y() > 0 && there.y() < 1;
      parallax.push_back((there - rotated).head<2>().norm());
      motion.push_back((there.head<2>() - image).norm());
    }
  }
  if (parallax.empty()) return m;
  m.parallax = Percentile(parallax, 0.5F);
  m.motion = Percentile(motion, 0.5F);
  m.near_depth = Percentile(depths, 0.1F);
  m.median_depth = Percentile(depths, 0.5F);
  m.overlap = static_cast<float>(kept) / (kGrid * kGrid);
  m.content = static_cast<float>(content) / (kGrid * kGrid);
  return m;
}

std::optional<std::vector<View>> MakeCameraPath(const Room& room, const std::vector<Footprint>& furniture,
                                                const RayWorld& world, uint32_t shell, int frames,
                                                float aspect, const PathLimits& limits, Random& random) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const Draft d = DrawDraft(room, limits, random);
    const float fov = Draw(random, limits.min_fov, limits.max_fov) * kPi / 180;
    const Shake shake(random), turn(random);
    const float hand = Draw(random, 0.002F, 0.008F), wrist = Draw(random, 0.001F, 0.005F),
                roll = Draw(random, -0.02F, 0.02F);
    bool clear = (d.look_start - d.start).head<3>().norm() > 1.3F;
    for (int i = 0; clear && i <= 10; ++i) {
      clear = Clear(room, furniture, Curve(d.start, d.control, d.end, static_cast<float>(i) / 10),
                    limits.clearance + 0.02F);
    }
    if (!clear) continue;
    std::vector<View> views;
    for (int i = 0; i < frames; ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(frames - 1);
      const float eased = 0.75F * t + 0.25F * t * t * (3 - 2 * t);
      View view;
      view.position = Curve(d.start, d.control, d.end, eased) + hand * shake.At(t);
      const Vec3 look = d.look_start + eased * (d.look_end - d.look_start) + wrist * 2.0F * turn.At(t);
      view.rotation = LookAt(view.position, look, roll + wrist * turn.At(t + 3).x());
      view.fx = 0.5F / (std::tan(fov / 2) * std::sqrt(aspect));
      view.fy = view.fx * aspect;
      views.push_back(view);
    }
    if (Accept(MeasurePath(world, shell, views.front(), views.back()), limits)) return views;
  }
  return std::nullopt;
}

}  // namespace wildrayzer::synth
