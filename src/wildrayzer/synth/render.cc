#include "wildrayzer/synth/render.h"

#include "wildrayzer/synth/sampling.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

constexpr float kNear = 0.01F;
constexpr float kContactReach = 0.8F;  // metres up to which a mover takes bounced light from a surface
constexpr int kMoverBounces = 2;       // bounce rays a sample on movers
const Vec3 kSky(0.75F, 0.85F, 1.0F);   // display-linear, beyond everything

// Display-linear to 8 bits.
void Store(const Vec3& color, uint8_t* pixel) {
  for (int c = 0; c < 3; ++c) pixel[c] = ByteFromLinear(color[c]);
}

Bounds WorldBounds(const RayModel& model, const Pose& pose) {
  Bounds b;
  for (int corner = 0; corner < 8; ++corner) {
    const Vec3& low = model.bounds().low;
    const Vec3& high = model.bounds().high;
    b.Add(pose(
        {corner & 1 ? high.x() : low.x(), corner & 2 ? high.y() : low.y(), corner & 4 ? high.z() : low.z()}));
  }
  return b;
}

float CellSize(const RenderOptions& options) {
  if (options.cell > 0) return options.cell;
  return std::clamp(0.08F * std::sqrt(128.0F / static_cast<float>(options.width)), 0.03F, 0.1F);
}

}  // namespace

Renderer::Renderer(const Scene& scene, const Catalogue& catalogue, const RenderOptions& options,
                   uint64_t seed)
    : scene_(scene),
      options_(options),
      seed_(SplitMix64(seed)),
      light_(*scene.world, scene.room.lights, CellSize(options), 0.5F * scene.room.size,
             SplitMix64(seed + 1)),
      movers_(catalogue.device()) {
  for (const Mover& mover : scene.movers)
    movers_.Add({.model = catalogue.Load(mover.model), .pose = mover.poses[0], .tint = mover.tint});
  pixel_angle_ = 1.0F / (scene.views[0].fx * static_cast<float>(options.width) *
                         std::sqrt(static_cast<float>(options.samples)));
  SetExposure(seed_ + 2);
}

Vec3 Renderer::Tone(const Vec3& radiance) const {
  constexpr float kShoulder = 0.7F;
  Vec3 out = radiance * exposure_;
  for (int c = 0; c < 3; ++c) {
    if (out[c] > kShoulder)
      out[c] = kShoulder + (1 - kShoulder) * (1 - std::exp(-(out[c] - kShoulder) / (1 - kShoulder)));
  }
  return out;
}

void Renderer::SetExposure(uint64_t seed) {
  // Mean radiance of a coarse look at the first, middle and last view decides, as in a camera's automatic
  // exposure.
  constexpr int kGrid = 12;
  float sum = 0;
  int count = 0;
  for (const size_t f : {size_t{0}, scene_.views.size() / 2, scene_.views.size() - 1}) {
    const View& view = scene_.views[f];
    for (int i = 0; i < kGrid * kGrid; ++i) {
      const Vec3 ray = view.Ray((static_cast<float>(i % kGrid) + 0.5F) / kGrid,
                                (static_cast<float>(i / kGrid) + 0.5F) / kGrid);
      const Hit hit = scene_.world->Cast(view.position, ray, kNear, kFar, 0);
      if (!hit) continue;
      const Surface s = Shade(*scene_.world, hit, view.position, ray, hit.t * 0.05F);
      if (s.glow > 0) continue;
      const Vec3 e = light_.Total(light_.At(s.position, s.normal, hit.instance, {0.5F, 0.5F}));
      sum += s.albedo.cwiseProduct(e).mean();
      ++count;
    }
  }
  Random random(seed, "exposure");
  const float target =
      static_cast<float>(random.Uniform(0.20, 0.34));  // display-linear mean; 0.27 is sRGB 0.56
  if (count > 0 && sum > 0) exposure_ = target * static_cast<float>(count) / sum;
}

bool Renderer::NearMover(const Vec3& point) const {
  for (const Bounds& b : mover_bounds_) {
    const Vec3 reach = Vec3::Constant(kContactReach);
    if (Bounds{b.low - reach, b.high + reach}.Contains(point)) return true;
  }
  return false;
}

bool Renderer::MayMeetMover(const Vec3& origin, const Vec3& direction, float far) const {
  const Vec3 inverse = direction.cwiseInverse();
  for (const Bounds& b : mover_bounds_) {
    if (b.Meets(origin, inverse, far)) return true;
  }
  return false;
}

bool Renderer::MoverBlocks(const Vec3& origin, const Vec3& direction, float far) const {
  return MayMeetMover(origin, direction, far) && movers_.Occluded(origin, direction, 0, far);
}

// Light on a static surface without movers; with movers it goes to *seen, and *shaded says whether it
// differs.
Vec3 Renderer::StaticLight(const Surface& surface, uint32_t instance, uint64_t key, uint32_t index,
                           bool* shaded, Vec3* seen) {
  const Irradiance e =
      light_.At(surface.position, surface.normal, instance, LowDiscrepancy(index, MixKeys(key, 3)));
  const Vec3 clean = light_.Total(e);
  *seen = clean;
  if (mover_bounds_.empty() || !options_.mover_shadows) return clean;
  const Vec3 from = surface.position + kEpsilon * surface.normal;
  for (size_t l = 0; l < light_.light_count(); ++l) {
    if (e.direct[l] <= 0) continue;
    const Vec3 target = light_.PointOn(l, LowDiscrepancy(index, MixKeys(key, 100 + l)));
    if (!MoverBlocks(from, target - from, 0.995F)) continue;
    *seen -= e.direct[l] * light_.color(l);
    *shaded = true;
  }
  if (NearMover(surface.position)) {
    const Vec3 direction = CosineDirection(surface.normal, LowDiscrepancy(index, MixKeys(key, 50)));
    if (MoverBlocks(from, direction, kContactReach)) {
      *seen -= 0.8F * e.indirect;  // the mover itself gives some light back
      *shaded = true;
    }
  }
  return clean;
}

Vec3 Renderer::MoverLight(const Surface& surface, uint64_t key, uint32_t index) {
  const Vec3 from = surface.position + kEpsilon * surface.normal;
  Vec3 sum = Vec3::Zero();
  for (size_t l = 0; l < light_.light_count(); ++l) {
    const Vec3 target = light_.PointOn(l, LowDiscrepancy(index, MixKeys(key, 100 + l)));
    const float strength = light_.Strength(l, surface.position, surface.normal, target);
    if (strength <= 0) continue;
    if (scene_.world->Occluded(from, target - from, 0, 0.995F) || MoverBlocks(from, target - from, 0.995F))
      continue;
    sum += strength * light_.color(l);
  }
  Vec3 bounced = Vec3::Zero();
  for (uint32_t i = 0; i < kMoverBounces; ++i) {
    const Vec3 direction =
        CosineDirection(surface.normal, LowDiscrepancy(index * kMoverBounces + i, MixKeys(key, 200)));
    const Hit hit = scene_.world->Cast(from, direction, 0, kFar, 0);
    if (MoverBlocks(from, direction, hit ? hit.t : kFar)) {
      bounced += 0.3F * light_.ambient();
    } else if (hit) {
      const Surface s = Shade(*scene_.world, hit, from, direction, 0.3F);
      if (s.glow > 0) continue;
      bounced += s.albedo.cwiseProduct(light_.Known(s.position, hit.normal, hit.instance));
    }
  }
  return sum + bounced / kMoverBounces;
}

Renderer::Sample Renderer::Trace(const View& view, const Vec3& ray, uint64_t key, uint32_t index) {
  Sample sample;
  const uint64_t alpha_key = MixKeys(key, 1000 + index) | 1;
  const Hit hit = scene_.world->Cast(view.position, ray, kNear, kFar, alpha_key);
  const float length = ray.norm();
  sample.clean = sample.seen = kSky;
  if (hit) {
    const Surface s = Shade(*scene_.world, hit, view.position, ray, hit.t * length * pixel_angle_);
    if (s.glow > 0) {
      sample.clean = sample.seen = s.albedo * s.glow;
    } else {
      Vec3 seen;
      const Vec3 clean = StaticLight(s, hit.instance, key, index, &sample.shaded, &seen);
      sample.clean = Tone(s.albedo.cwiseProduct(clean));
      sample.seen = sample.shaded ? Tone(s.albedo.cwiseProduct(seen.cwiseMax(0.0F))) : sample.clean;
    }
  }
  if (!MayMeetMover(view.position, ray, hit ? hit.t : kFar)) return sample;
  const Hit front = movers_.Cast(view.position, ray, kNear, hit ? hit.t : kFar, alpha_key);
  if (!front) return sample;
  const Surface s = Shade(movers_, front, view.position, ray, front.t * length * pixel_angle_);
  sample.mover = true;
  sample.seen = s.glow > 0 ? Vec3(s.albedo * s.glow) : Tone(s.albedo.cwiseProduct(MoverLight(s, key, index)));
  return sample;
}

Frame Renderer::Render(size_t frame) {
  const int w = options_.width, h = options_.height;
  const auto pixels = static_cast<size_t>(w) * static_cast<size_t>(h);
  Frame out;
  out.rgb = Image(w, h);
  out.clean = Image(w, h);
  out.mask.assign(pixels, 0);
  out.shadow.assign(pixels, 0);
  out.cover.assign(pixels, 0);
  out.depth.assign(pixels, 0);
  mover_bounds_.clear();
  for (uint32_t m = 0; m < scene_.movers.size(); ++m) {
    const Pose& pose = scene_.movers[m].poses[frame];
    movers_.Move(m, pose);
    mover_bounds_.push_back(WorldBounds(*movers_.instances()[m].model, pose));
  }
  if (!mover_bounds_.empty()) movers_.Commit();
  out.clean_depth.assign(pixels, 0);
  const float scale = 1.0F / static_cast<float>(options_.samples);
  const View& view = scene_.views[frame];
  for (size_t p = 0; p < pixels; ++p) {
    const auto x = static_cast<float>(p % static_cast<size_t>(w)),
               y = static_cast<float>(p / static_cast<size_t>(w));
    const uint64_t key = MixKeys(MixKeys(seed_, frame), p);
    Vec3 seen = Vec3::Zero(), clean = Vec3::Zero();
    for (int i = 0; i < options_.samples; ++i) {
      const Vec2 offset = LowDiscrepancy(static_cast<uint32_t>(i), MixKeys(key, 1));
      const Vec3 ray =
          view.Ray((x + offset.x()) / static_cast<float>(w), (y + offset.y()) / static_cast<float>(h));
      const Sample s = Trace(view, ray, key, static_cast<uint32_t>(i));
      seen += s.seen;
      clean += s.clean;
      out.cover[p] += s.mover ? scale : 0.0F;
    }
    out.mask[p] = out.cover[p] > 0 ? 1 : 0;
    Store(seen * scale, &out.rgb.rgb[3 * p]);
    Store(clean * scale, &out.clean.rgb[3 * p]);
    const Vec3 center = view.Ray((x + 0.5F) / static_cast<float>(w), (y + 0.5F) / static_cast<float>(h));
    const Hit hit = scene_.world->Cast(view.position, center, kNear, kFar, 0);
    out.clean_depth[p] = out.depth[p] = hit ? hit.t : 0.0F;
    if (!MayMeetMover(view.position, center, hit ? hit.t : kFar)) continue;
    const Hit front = movers_.Cast(view.position, center, kNear, hit ? hit.t : kFar, 0);
    if (!front) continue;
    out.depth[p] = front.t;
    out.mask[p] = 1;
  }
  for (size_t p = 0; p < pixels; ++p) {
    const bool differs = !std::equal(&out.rgb.rgb[3 * p], &out.rgb.rgb[3 * p] + 3, &out.clean.rgb[3 * p]);
    out.shadow[p] = differs && out.mask[p] == 0 ? 1 : 0;
  }
  return out;
}

}  // namespace wildrayzer::synth
