#include "wildrayzer/synth/movers.h"

#include "wildrayzer/synth/draw.h"
#include "wildrayzer/synth/furnish.h"

namespace wildrayzer::synth {
namespace {

constexpr int kPlaces = 32;
constexpr int kMoverTries = 60;

// A walker's way on the floor: a bent line walked at an uneven but always positive speed.
struct Walk {
  Vec2 start, heading;  // heading is a unit vector
  float length, bend;   // metres; metres of sideways offset in the middle
  float rhythm, phase;

  Vec2 At(float t) const {
    const float s = t + 0.03F * std::sin(2 * kPi * t + phase);  // slope at least 0.8
    const Vec2 side(-heading.y(), heading.x());
    return start + length * s * heading + bend * 4 * s * (1 - s) * side;
  }
  float Yaw(float t) const {
    const Vec2 d = At(t + 0.01F) - At(t - 0.01F);
    return std::atan2(d.x(), d.y());
  }
};

class Planner {
 public:
  Planner(const Room& room, const std::vector<Footprint>& furniture, const RayWorld& world,
          const Catalogue& catalogue, Split split, const std::vector<View>& views, const MoverLimits& limits,
          Random& random)
      : room_(room),
        furniture_(furniture),
        world_(world),
        catalogue_(catalogue),
        split_(split),
        views_(views),
        limits_(limits),
        random_(random) {}

  std::optional<std::vector<Mover>> Run() {
    for (int attempt = 0; attempt < kMoverTries; ++attempt) {
      movers_.clear();
      walks_.clear();
      const double u = random_.Uniform();
      const int people = u < 0.12 ? 0 : u < 0.65 ? 1 : u < 0.92 ? 2 : 3;
      const int pets = people == 0 ? 1 : random_.Uniform() < 0.3 ? 1 : 0;
      for (int i = 0; i < people; ++i) AddWalker(Role::kPerson);
      for (int i = 0; i < pets; ++i) AddWalker(Role::kPet);
      if (!movers_.empty() && CoversEnough()) return std::move(movers_);
    }
    return std::nullopt;
  }

 private:
  std::optional<size_t> Choose(Role role) {
    const std::vector<size_t>& all = catalogue_.Find(role, split_);
    if (all.empty()) return std::nullopt;
    return all[random_.Below(all.size())];
  }

  // Starts on the floor where some view looks at.
  Walk DrawWalk(Role role) {
    const View& view = views_[random_.Below(views_.size())];
    const Vec3 ray = view.Ray(Draw(random_, 0.05F, 0.95F), 0.5F);
    const Vec2 flat = Vec2(ray.x(), ray.z()).normalized();
    const float near = role == Role::kPet ? 1.0F : 1.2F;
    Walk walk;
    walk.start = Vec2(view.position.x(), view.position.z()) + Draw(random_, near, near + 2.2F) * flat;
    // Across the view more often than along it.
    const float side = random_.Below(2) == 0 ? 1.0F : -1.0F;
    const float angle = side * (0.5F * kPi + Draw(random_, -0.9F, 0.9F));
    walk.heading = Eigen::Rotation2Df(angle) * flat;
    walk.length = Draw(random_, 0.5F, 2.0F) * (role == Role::kPet ? 0.8F : 1.0F);
    walk.bend = Draw(random_, -0.15F, 0.15F);
    walk.rhythm = walk.length * (role == Role::kPet ? 14.0F : 7.0F);
    walk.phase = Draw(random_, 0, 2 * kPi);
    // The start is where the walker is seen; let it be the middle of the way as often as its ends.
    walk.start -= Draw(random_, 0, 1) * walk.length * walk.heading;
    return walk;
  }

  bool Passable(const Walk& walk, float radius) const {
    for (size_t f = 0; f < views_.size(); ++f) {
      const Vec2 p = walk.At(Time(f));
      if (p.x() < radius || p.y() < radius || p.x() > room_.size.x() - radius ||
          p.y() > room_.size.z() - radius)
        return false;
      for (const Footprint& piece : furniture_) {
        if (piece.bottom < 1.9F && Distance(piece, p) < radius) return false;
      }
      const Vec3& eye = views_[f].position;
      if ((Vec2(eye.x(), eye.z()) - p).norm() < limits_.camera_gap + radius) return false;
      for (const auto& [other, other_radius] : walks_) {
        if ((other.At(Time(f)) - p).norm() < radius + other_radius) return false;
      }
      if (f > 0 && (p - walk.At(Time(f - 1))).norm() < limits_.min_step) return false;
    }
    return true;
  }

  float Time(size_t frame) const { return static_cast<float>(frame) / static_cast<float>(views_.size() - 1); }

  void AddWalker(Role role) {
    const std::optional<size_t> model = Choose(role);
    if (!model || !catalogue_.Load(*model)) return;
    const Vec3& size = catalogue_.models()[*model].size;
    const bool with_cargo = role == Role::kPerson && random_.Uniform() < 0.3;
    const float radius = 0.5F * std::max(size.x(), size.z()) + (with_cargo ? 0.35F : 0.0F);
    for (int tries = 0; tries < 25; ++tries) {
      const Walk walk = DrawWalk(role);
      if (!Passable(walk, radius)) continue;
      walks_.emplace_back(walk, radius);
      const bool person = role == Role::kPerson;
      movers_.push_back(
          Follow(*model, walk, RandomTint(random_, 0.22F), Vec3::Zero(), person ? 0.012F : 0.006F));
      if (with_cargo) AddCargo(walk, size);
      return;
    }
  }

  // A box in the arms, or something pushed along on the floor.
  void AddCargo(const Walk& walk, const Vec3& walker) {
    const std::optional<size_t> model = Choose(Role::kCargo);
    if (!model || !catalogue_.Load(*model)) return;
    const Vec3& size = catalogue_.models()[*model].size;
    const bool carried = size.y() < 0.55F && size.x() < 0.6F && random_.Uniform() < 0.7;
    const Vec3 offset(0, carried ? 0.52F * walker.y() : 0.0F,
                      0.5F * (walker.z() + size.z()) * (carried ? 0.8F : 1.0F));
    movers_.push_back(Follow(*model, walk, RandomTint(random_, 0.2F), offset, carried ? 0.012F : 0.0F));
  }

  Mover Follow(size_t model, const Walk& walk, const Vec3& tint, const Vec3& offset, float bob) const {
    Mover mover;
    mover.model = model;
    mover.tint = tint;
    for (size_t f = 0; f < views_.size(); ++f) {
      const float t = Time(f), beat = walk.rhythm * t + walk.phase;
      const Vec2 p = walk.At(t);
      const Mat3 turned = YawRotation(walk.Yaw(t) + 0.05F * std::sin(beat));
      const Mat3 sway = Eigen::AngleAxisf(bob * 2.0F * std::sin(beat), Vec3::UnitZ()).toRotationMatrix();
      Pose pose;
      pose.linear = turned * sway;
      pose.offset = Vec3(p.x(), 0.002F + bob * (1 + std::sin(2 * beat)), p.y()) + turned * offset;
      mover.poses.push_back(pose);
    }
    return mover;
  }

  bool CoversEnough() const {
    RayWorld movers(catalogue_.device());
    for (const Mover& m : movers_) movers.Add({.model = catalogue_.Load(m.model), .pose = m.poses[0]});
    float sum = 0;
    for (size_t f = 0; f < views_.size(); ++f) {
      for (uint32_t m = 0; m < movers_.size(); ++m) movers.Move(m, movers_[m].poses[f]);
      movers.Commit();
      int covered = 0;
      for (int i = 0; i < kPlaces * kPlaces; ++i) {
        const float u = (static_cast<float>(i % kPlaces) + 0.5F) / kPlaces,
                    v = (static_cast<float>(i / kPlaces) + 0.5F) / kPlaces;
        const View& view = views_[f];
        const Vec3 ray = view.Ray(u, v);
        const Hit hit = movers.Cast(view.position, ray, 0, kFar, 0);
        covered += hit && !world_.Occluded(view.position, ray, 0, hit.t);
      }
      const float cover = static_cast<float>(covered) / (kPlaces * kPlaces);
      if (cover > limits_.max_frame_cover) return false;
      sum += cover;
    }
    const float mean = sum / static_cast<float>(views_.size());
    return mean >= limits_.min_cover && mean <= limits_.max_cover;
  }

  const Room& room_;
  const std::vector<Footprint>& furniture_;
  const RayWorld& world_;
  const Catalogue& catalogue_;
  Split split_;
  const std::vector<View>& views_;
  const MoverLimits& limits_;
  Random& random_;
  std::vector<Mover> movers_;
  std::vector<std::pair<Walk, float>> walks_;
};

}  // namespace

std::optional<std::vector<Mover>> MakeMovers(const Room& room, const std::vector<Footprint>& furniture,
                                             const RayWorld& world, const Catalogue& catalogue, Split split,
                                             const std::vector<View>& views, const MoverLimits& limits,
                                             Random& random) {
  return Planner(room, furniture, world, catalogue, split, views, limits, random).Run();
}

}  // namespace wildrayzer::synth
