#include "wildrayzer/synth/furnish.h"

#include <optional>

#include "wildrayzer/synth/draw.h"

namespace wildrayzer::synth {
namespace {

class Furnisher {
 public:
  Furnisher(Room& room, const Catalogue& catalogue, Split split, Random& random)
      : room_(room), catalogue_(catalogue), split_(split), random_(random), taken_(room.blocked) {}

  Furnishing Run() {
    const float area = room_.size.x() * room_.size.z();
    const int wall_pieces = 3 + static_cast<int>(random_.Below(static_cast<uint64_t>(2 + area / 6)));
    for (int i = 0; i < wall_pieces; ++i) AgainstWall();
    const int free_pieces = 1 + static_cast<int>(random_.Below(static_cast<uint64_t>(2 + area / 9)));
    for (int i = 0; i < free_pieces; ++i) Free(Role::kFreePiece, true);
    if (random_.Uniform() < 0.6) FloorLamp();
    if (random_.Uniform() < 0.35) Pendant();
    if (random_.Uniform() < 0.35) StillPerson();
    if (random_.Uniform() < 0.08) StillPerson();
    const size_t furniture = result_.pieces.size();
    for (size_t i = 0; i < furniture; ++i) OnTop(i);
    return std::move(result_);
  }

 private:
  // A model of the role, three times out of four of the room's own kind.
  std::optional<size_t> Choose(Role role) {
    const std::vector<size_t>& all = catalogue_.Find(role, split_);
    if (all.empty()) return std::nullopt;
    std::vector<size_t> fitting;
    for (const size_t i : all) {
      const RoomKind kind = catalogue_.models()[i].room;
      if (kind == room_.kind || kind == RoomKind::kAny) fitting.push_back(i);
    }
    const bool own = !fitting.empty() && random_.Uniform() < 0.85;
    const std::vector<size_t>& pool = own ? fitting : all;
    return pool[random_.Below(pool.size())];
  }

  bool Fits(const Footprint& f, float gap) const {
    for (const Footprint& other : taken_) {
      if (Overlap(f, other, gap)) return false;
    }
    return true;
  }

  bool Put(size_t model, const Vec3& position, float yaw, float tint) {
    if (!catalogue_.Load(model)) return false;
    Placed placed;
    placed.model = model;
    placed.pose = {YawRotation(yaw), position};
    placed.tint = RandomTint(random_, tint);
    placed.footprint = FootprintOf(catalogue_.models()[model].size, position, yaw);
    taken_.push_back(placed.footprint);
    result_.pieces.push_back(placed);
    return true;
  }

  void AgainstWall() {
    const std::optional<size_t> model = Choose(Role::kWallPiece);
    if (!model) return;
    const Vec3& size = catalogue_.models()[*model].size;
    if (size.y() > room_.size.y() - 0.05F) return;
    for (int tries = 0; tries < 12; ++tries) {
      const int wall = static_cast<int>(random_.Below(4));
      const float length = WallLength(room_.size, wall), slack = length - size.x() - 0.06F;
      const float depth = WallLength(room_.size, wall + 1);
      if (slack < 0 || size.z() > 0.55F * depth) continue;
      const float start = 0.03F + Draw(random_, 0, slack);
      bool covers = false;
      for (const Opening& o : room_.openings) {
        const float top = o.window ? o.bottom : 0;
        covers |= o.wall == wall && start < o.start + o.width + 0.1F && start + size.x() > o.start - 0.1F &&
                  size.y() > top + 0.1F;
      }
      if (covers) continue;
      const Pose pose = WallPose(room_.size, wall);
      const Vec3 position = pose({start + size.x() / 2, 0.001F, 0.02F + size.z() / 2});
      static constexpr float kYaw[4] = {0, -kPi / 2, kPi, kPi / 2};
      if (!Fits(FootprintOf(size, position, kYaw[wall]), 0.03F)) continue;
      Put(*model, position, kYaw[wall], 0.15F);
      return;
    }
  }

  void Free(Role role, bool seats) {
    const std::optional<size_t> model = Choose(role);
    if (!model) return;
    const Vec3& size = catalogue_.models()[*model].size;
    for (int tries = 0; tries < 15; ++tries) {
      const float margin = 0.15F + 0.5F * std::max(size.x(), size.z());
      if (2 * margin > std::min(room_.size.x(), room_.size.z())) return;
      const Vec3 position(Draw(random_, margin, room_.size.x() - margin), 0.001F,
                          Draw(random_, margin, room_.size.z() - margin));
      const float yaw = random_.Uniform() < 0.6 ? 0.5F * kPi * static_cast<float>(random_.Below(4))
                                                : Draw(random_, 0, 2 * kPi);
      const Footprint footprint = FootprintOf(size, position, yaw);
      if (!Fits(footprint, 0.2F) || !Put(*model, position, yaw, 0.15F)) continue;
      if (seats && size.y() > 0.55F && size.y() < 0.95F && size.x() > 0.6F) Seats(footprint);
      return;
    }
  }

  // Chairs of one model on the sides of a table, facing it.
  void Seats(const Footprint& table) {
    const std::optional<size_t> model = Choose(Role::kSeat);
    if (!model) return;
    const Vec3& size = catalogue_.models()[*model].size;
    for (int side = 0; side < 4; ++side) {
      if (random_.Uniform() < 0.3) continue;
      const float yaw = table.yaw + 0.5F * kPi * static_cast<float>(side);
      const float reach = (side % 2 == 0 ? table.half.y() : table.half.x()) + size.z() / 2 + 0.04F;
      const Vec3 out = YawRotation(yaw) * Vec3::UnitZ();
      const Vec3 position = Vec3(table.center.x(), 0.001F, table.center.y()) + out * reach;
      const float turned = yaw + kPi + Draw(random_, -0.25F, 0.25F);
      if (!Inside(position, 0.3F) || !Fits(FootprintOf(size, position, turned), 0.01F)) continue;
      Put(*model, position, turned, 0.1F);
    }
  }

  bool Inside(const Vec3& p, float margin) const {
    return p.x() > margin && p.z() > margin && p.x() < room_.size.x() - margin &&
           p.z() < room_.size.z() - margin;
  }

  void FloorLamp() {
    const size_t before = result_.pieces.size();
    Free(Role::kFloorLamp, false);
    if (result_.pieces.size() == before || room_.day || room_.lights.size() > 4) return;
    const Placed& lamp = result_.pieces.back();
    RectLight light;  // the shade is open at the top; the ceiling spreads the light
    const float top = catalogue_.models()[lamp.model].size.y();
    if (top > room_.size.y() - 0.3F) return;
    light.center = lamp.pose.offset + Vec3(0, top + 0.02F, 0);
    light.half_u = Vec3(0, 0, 0.1F);
    light.half_v = Vec3(0.1F, 0, 0);
    light.normal = Vec3::UnitY();
    light.radiance = Vec3(1.0F, 0.82F, 0.6F) * Draw(random_, 25.0F, 60.0F);
    room_.lights.push_back(light);
  }

  void Pendant() {
    const std::optional<size_t> model = Choose(Role::kPendant);
    if (!model) return;
    const Vec3& size = catalogue_.models()[*model].size;
    if (size.y() > 1.1F || size.x() > 1.2F || size.z() > 1.2F) return;
    // Off the middle, where the ceiling panels are.
    const Vec3 position(room_.size.x() * (random_.Below(2) == 0 ? 0.3F : 0.7F), room_.size.y() - size.y(),
                        room_.size.z() * (random_.Below(2) == 0 ? 0.3F : 0.7F));
    for (const Placed& piece : result_.pieces) {
      if (piece.footprint.top > position.y() - 0.1F &&
          Overlap(piece.footprint, FootprintOf(size, position, 0), 0.1F))
        return;
    }
    if (Put(*model, position, 0, 0.1F)) taken_.pop_back();  // the floor below stays free
  }

  void StillPerson() {
    const size_t before = result_.pieces.size();
    Free(Role::kPerson, false);
    if (result_.pieces.size() > before) result_.still_people.push_back(before);
  }

  // Things on tables, desks and low cabinets.
  void OnTop(size_t support) {
    const Placed base = result_.pieces[support];
    const ModelInfo& info = catalogue_.models()[base.model];
    const bool flat = info.role == Role::kWallPiece || info.role == Role::kFreePiece;
    if (!flat || info.size.y() < 0.35F || info.size.y() > 1.3F) return;
    const RayModelPtr model = catalogue_.Load(base.model);
    const int count = static_cast<int>(random_.Below(4));
    std::vector<Footprint> on_it;
    for (int i = 0; i < count; ++i) {
      const std::optional<size_t> thing = Choose(Role::kTabletop);
      if (!thing) return;
      const Vec3& size = catalogue_.models()[*thing].size;
      const Vec3 half = info.size / 2 - Vec3(size.x(), 0, size.z()) * 0.7F;
      if (half.x() < 0.02F || half.z() < 0.02F) continue;
      const Vec3 local(Draw(random_, -half.x(), half.x()), 0, Draw(random_, -half.z(), half.z()));
      const std::optional<float> height = FlatTop(model, local, 0.4F * size);
      if (!height) continue;
      Vec3 position = base.pose(local);
      position.y() = base.pose.offset.y() + *height + 0.001F;
      const Footprint footprint =
          FootprintOf(size, position, base.footprint.yaw + Draw(random_, -0.4F, 0.4F));
      bool free = position.y() + size.y() < room_.size.y();
      for (const Footprint& other : on_it) free &= !Overlap(footprint, other, 0.01F);
      if (!free || !Put(*thing, position, footprint.yaw, 0.2F)) continue;
      taken_.pop_back();  // it stands on floor that is taken already
      on_it.push_back(footprint);
    }
  }

  // Height of the model's upper side under a thing of this half size, when it is level there and nothing is
  // above it.
  std::optional<float> FlatTop(const RayModelPtr& model, const Vec3& at, const Vec3& half) {
    RayWorld world(catalogue_.device());
    world.Add({.model = model});
    world.Commit();
    const float top = model->bounds().high.y();
    float low = 1e9F, high = -1e9F;
    for (int i = 0; i < 9; ++i) {
      const Vec3 from(at.x() + half.x() * static_cast<float>(i % 3 - 1), top + 0.1F,
                      at.z() + half.z() * static_cast<float>(i / 3 - 1));
      const Hit hit = world.Cast(from, -Vec3::UnitY(), 0, 10, 0);
      if (!hit) return std::nullopt;
      low = std::min(low, from.y() - hit.t);
      high = std::max(high, from.y() - hit.t);
    }
    if (high - low > 0.006F || high < top - 0.25F || high < 0.35F) return std::nullopt;
    return high;
  }

  Room& room_;
  const Catalogue& catalogue_;
  Split split_;
  Random& random_;
  std::vector<Footprint> taken_;
  Furnishing result_;
};

}  // namespace

Vec3 RandomTint(Random& random, float spread) {
  Vec3 tint;
  for (int c = 0; c < 3; ++c) tint[c] = Draw(random, 1 - spread, 1 + spread);
  return tint;
}

Footprint FootprintOf(const Vec3& size, const Vec3& position, float yaw) {
  Footprint f;
  f.center = Vec2(position.x(), position.z());
  f.half = Vec2(size.x() / 2, size.z() / 2);
  f.yaw = yaw;
  f.bottom = position.y();
  f.top = position.y() + size.y();
  return f;
}

Furnishing Furnish(Room& room, const Catalogue& catalogue, Split split, Random& random) {
  return Furnisher(room, catalogue, split, random).Run();
}

}  // namespace wildrayzer::synth
