#include "wildrayzer/synth/light_field.h"

#include "wildrayzer/synth/sampling.h"

namespace wildrayzer::synth {
namespace {

constexpr uint32_t kLightSamples = 12;
constexpr uint32_t kBounceSamples = 24;
constexpr float kCoarseCell = 0.3F;  // metres
constexpr uint32_t kCoarseSamples = 6;

uint64_t CellKey(const Vec3& p, const Vec3& n, uint32_t instance, float cell) {
  // The odd offset keeps walls, which lie on round coordinates, off the borders of cells.
  const auto index = [cell](float v) {
    return static_cast<uint64_t>(static_cast<int64_t>(std::floor(v / cell + 0.37F)) + 2048) & 0xFFF;
  };
  // Normals on a 7 x 7 octahedral grid whose cell centres include the axes.
  const Vec3 o = n / (std::abs(n.x()) + std::abs(n.y()) + std::abs(n.z()));
  float x = o.x(), y = o.z();
  if (o.y() < 0) {
    const float fx = (1 - std::abs(y)) * (x < 0 ? -1.0F : 1.0F),
                fy = (1 - std::abs(x)) * (y < 0 ? -1.0F : 1.0F);
    x = fx;
    y = fy;
  }
  const auto nx = static_cast<uint64_t>(std::lround(3 * x + 3)),
             ny = static_cast<uint64_t>(std::lround(3 * y + 3));
  return index(p.x()) | (index(p.y()) << 12) | (index(p.z()) << 24) | (nx << 36) | (ny << 40) |
         (static_cast<uint64_t>(instance) << 44);
}

}  // namespace

LightField::LightField(const RayWorld& world, std::vector<RectLight> lights, float cell, const Vec3& middle,
                       uint64_t seed)
    : world_(world), lights_(std::move(lights)), cell_(cell) {
  if (lights_.size() > kMaxLights) lights_.resize(kMaxLights);
  for (const RectLight& light : lights_) {
    strengths_.push_back(light.radiance.maxCoeff());
    colors_.push_back(light.radiance / light.radiance.maxCoeff());
  }
  cells_.reserve(1 << 15);
  ambient_ = EstimateAmbient(middle, seed);
  bounce_limit_ = 8 * ambient_.maxCoeff();
}

Vec3 LightField::PointOn(size_t light, const Vec2& u) const {
  const RectLight& l = lights_[light];
  return l.center + (2 * u.x() - 1) * l.half_u + (2 * u.y() - 1) * l.half_v;
}

float LightField::Strength(size_t light, const Vec3& point, const Vec3& normal, const Vec3& on_light) const {
  const Vec3 d = on_light - point;
  const float d2 = std::max(d.squaredNorm(), 0.01F);
  const float cos_here = d.dot(normal), cos_there = -d.dot(lights_[light].normal);
  if (cos_here <= 0 || cos_there <= 0) return 0;
  return strengths_[light] * lights_[light].area() * cos_here * cos_there / (kPi * d2 * d2);
}

Vec3 LightField::Total(const Irradiance& e) const {
  Vec3 sum = e.indirect;
  for (size_t l = 0; l < lights_.size(); ++l) sum += e.direct[l] * colors_[l];
  return sum;
}

float LightField::Direct(size_t light, const Vec3& point, const Vec3& normal, uint32_t samples,
                         uint64_t shift) const {
  const Vec3 from = point + kEpsilon * normal;
  float sum = 0;
  for (uint32_t i = 0; i < samples; ++i) {
    const Vec3 target = PointOn(light, LowDiscrepancy(i, shift));
    const float strength = Strength(light, point, normal, target);
    if (strength > 0 && !world_.Occluded(from, target - from, 0, 0.995F)) sum += strength;
  }
  return sum / static_cast<float>(samples);
}

const Vec3& LightField::Coarse(const Vec3& point, const Vec3& normal, uint32_t instance) {
  const uint64_t key = CellKey(point, normal, instance, kCoarseCell);
  const auto found = coarse_.find(key);
  if (found != coarse_.end()) return found->second;
  Vec3 sum = Vec3::Zero();
  for (size_t l = 0; l < lights_.size(); ++l) {
    sum += Direct(l, point, normal, kCoarseSamples, MixKeys(key, l)) * colors_[l];
  }
  return coarse_.emplace(key, sum).first->second;
}

Vec3 LightField::Known(const Vec3& point, const Vec3& normal, uint32_t instance) const {
  const auto found = coarse_.find(CellKey(point, normal, instance, kCoarseCell));
  return found == coarse_.end() ? ambient_ : Vec3(found->second.cwiseMin(bounce_limit_) + ambient_);
}

Irradiance LightField::Gather(const Vec3& point, const Vec3& normal, uint64_t key) {
  Irradiance result;
  for (size_t l = 0; l < lights_.size(); ++l) {
    result.direct[l] = Direct(l, point, normal, kLightSamples, MixKeys(key, l));
  }
  const Vec3 from = point + kEpsilon * normal;
  Vec3 sum = Vec3::Zero();
  const uint64_t shift = MixKeys(key, 1001);
  for (uint32_t i = 0; i < kBounceSamples; ++i) {
    const Vec3 direction = CosineDirection(normal, LowDiscrepancy(i, shift));
    const Hit hit = world_.Cast(from, direction, 0, kFar, 0);
    if (!hit) continue;
    const Instance& instance = world_.instances()[hit.instance];
    const Mesh& mesh = instance.model->mesh();
    const Material& material = mesh.materials[mesh.material_of[hit.triangle]];
    if (material.glow > 0) continue;  // lamps and windows are sampled as lights
    const Vec3 albedo = material.MeanAlbedo().cwiseProduct(instance.tint);
    const Vec3 direct = Coarse(from + hit.t * direction, hit.normal, hit.instance).cwiseMin(bounce_limit_);
    sum += albedo.cwiseProduct(direct + ambient_);
  }
  result.indirect = sum / kBounceSamples;
  return result;
}

Vec3 LightField::EstimateAmbient(const Vec3& middle, uint64_t seed) {
  // Mean direct light on what is seen from the middle of the room, carried on by a grey room:
  // E_n+1 = 0.5 E_n summed from the second bounce on.
  Vec3 sum = Vec3::Zero();
  constexpr uint32_t kRays = 128;
  for (uint32_t i = 0; i < kRays; ++i) {
    const Vec2 u = LowDiscrepancy(i, seed);
    const float z = 1 - 2 * u.x(), r = std::sqrt(std::max(0.0F, 1 - z * z)), phi = 2 * kPi * u.y();
    const Vec3 direction(r * std::cos(phi), z, r * std::sin(phi));
    const Hit hit = world_.Cast(middle, direction, 0, kFar, 0);
    if (hit) sum += Coarse(middle + hit.t * direction, hit.normal, hit.instance);
  }
  return 0.5F * sum / kRays;
}

const Irradiance& LightField::At(const Vec3& point, const Vec3& normal, uint32_t instance,
                                 const Vec2& jitter) {
  Vec3 t, b;
  TangentFrame(normal, &t, &b);
  const Vec3 moved = point + cell_ * ((jitter.x() - 0.5F) * t + (jitter.y() - 0.5F) * b);
  const uint64_t key = CellKey(moved, normal, instance, cell_);
  const auto found = cells_.find(key);
  if (found != cells_.end()) return found->second;
  return cells_.emplace(key, Gather(point, normal, key)).first->second;
}

}  // namespace wildrayzer::synth
