#include "wildrayzer/synth/room.h"

#include <set>

#include "wildrayzer/synth/draw.h"
#include "wildrayzer/synth/pattern.h"

namespace wildrayzer::synth {
namespace {

constexpr float kWallThickness = 0.2F;

bool Chance(Random& random, double probability) { return random.Uniform() < probability; }

Material Textured(Pattern pattern, Random& random) {
  Material material;
  material.albedo = Vec3::Ones();
  material.texture = MakePattern(pattern, random.Next());
  return material;
}

Material Painted(float srgb) {
  Material material;
  material.albedo = Vec3::Constant(SrgbToLinear(srgb));
  return material;
}

Pattern FloorPattern(RoomKind kind, Random& random) {
  if (kind == RoomKind::kKitchen || kind == RoomKind::kBathroom)
    return Chance(random, 0.75) ? Pattern::kTiles : Pattern::kPlanks;
  const double u = random.Uniform();
  return u < 0.55   ? Pattern::kPlanks
         : u < 0.75 ? Pattern::kCarpet
         : u < 0.9  ? Pattern::kTiles
                    : Pattern::kMarble;
}

Pattern WallPattern(RoomKind kind, Random& random) {
  if (kind == RoomKind::kBathroom && Chance(random, 0.6)) return Pattern::kTiles;
  const double u = random.Uniform();
  return u < 0.5    ? Pattern::kPlaster
         : u < 0.68 ? Pattern::kStripes
         : u < 0.88 ? Pattern::kOrnament
                    : Pattern::kBrick;
}

bool Free(const std::vector<Opening>& openings, int wall, float start, float end, float margin) {
  for (const Opening& o : openings) {
    if (o.wall == wall && start < o.start + o.width + margin && end > o.start - margin) return false;
  }
  return true;
}

void PlaceOpenings(Room& room, Random& random) {
  for (int tries = 0, doors = 0; tries < 10 && doors < 1; ++tries) {
    Opening door{false, static_cast<int>(random.Below(4)), 0, Draw(random, 0.75F, 0.95F),
                 0,     Draw(random, 2.0F, 2.1F)};
    const float length = WallLength(room.size, door.wall);
    door.start = Draw(random, 0.25F, length - door.width - 0.25F);
    room.openings.push_back(door);
    ++doors;
  }
  const int windows = 1 + static_cast<int>(random.Below(3));
  for (int tries = 0, placed = 0; tries < 12 && placed < windows; ++tries) {
    Opening w{true, static_cast<int>(random.Below(4)), 0, Draw(random, 0.8F, 2.0F), Draw(random, 0.75F, 1.0F),
              0};
    if (Chance(random, 0.2)) w.bottom = 0.1F;  // French window
    w.height = std::min(room.size.y() - 0.25F, Draw(random, 2.0F, 2.3F)) - w.bottom;
    const float length = WallLength(room.size, w.wall);
    if (length < w.width + 0.8F) continue;
    w.start = Draw(random, 0.4F, length - w.width - 0.4F);
    if (!Free(room.openings, w.wall, w.start, w.start + w.width, 0.35F)) continue;
    room.openings.push_back(w);
    ++placed;
  }
}

// The wall as a grid of rectangles that leaves the windows open.
void BuildWall(MeshBuilder& builder, const Room& room, int wall) {
  std::set<float> xs = {0, WallLength(room.size, wall)}, ys = {0, room.size.y()};
  for (const Opening& o : room.openings) {
    if (o.wall != wall || !o.window) continue;
    xs.insert({o.start, o.start + o.width});
    ys.insert({o.bottom, o.bottom + o.height});
  }
  for (auto x = xs.begin(); std::next(x) != xs.end(); ++x) {
    for (auto y = ys.begin(); std::next(y) != ys.end(); ++y) {
      const float cx = 0.5F * (*x + *std::next(x)), cy = 0.5F * (*y + *std::next(y));
      bool open = false;
      for (const Opening& o : room.openings) {
        open |= o.wall == wall && o.window && cx > o.start && cx < o.start + o.width && cy > o.bottom &&
                cy < o.bottom + o.height;
      }
      if (open) continue;
      builder.Quad({*x, *y, 0}, {*std::next(x) - *x, 0, 0}, {0, *std::next(y) - *y, 0}, false, {*x, *y});
    }
  }
}

void BuildWindow(MeshBuilder& builder, const Opening& o, Random& random) {
  const float x0 = o.start, x1 = o.start + o.width, y0 = o.bottom, y1 = o.bottom + o.height,
              t = kWallThickness;
  builder.UseMaterial(Painted(0.9F));
  builder.Quad({x0, y0, -t}, {0, 0, t}, {0, y1 - y0, 0});
  builder.Quad({x1, y0, 0}, {0, 0, -t}, {0, y1 - y0, 0});
  builder.Quad({x0, y1, 0}, {x1 - x0, 0, 0}, {0, 0, -t});
  builder.Quad({x0, y0, -t}, {x1 - x0, 0, 0}, {0, 0, t});
  builder.Box({x0 - 0.06F, y0 - 0.035F, 0}, {x1 + 0.06F, y0, 0.1F});  // sill
  builder.UseMaterial(Painted(Chance(random, 0.7) ? 0.95F : 0.35F));
  const float b = 0.055F, z0 = -0.14F, z1 = -0.08F;
  builder.Box({x0, y0, z0}, {x0 + b, y1, z1});
  builder.Box({x1 - b, y0, z0}, {x1, y1, z1});
  builder.Box({x0, y0, z0}, {x1, y0 + b, z1});
  builder.Box({x0, y1 - b, z0}, {x1, y1, z1});
  const int panes = 1 + static_cast<int>(random.Below(3));
  for (int i = 1; i < panes; ++i) {
    const float x = x0 + o.width * static_cast<float>(i) / static_cast<float>(panes);
    builder.Box({x - 0.025F, y0, z0}, {x + 0.025F, y1, z1});
  }
  if (Chance(random, 0.4)) {
    const float y = y0 + 0.6F * o.height;
    builder.Box({x0, y - 0.02F, z0}, {x1, y + 0.02F, z1});
  }
}

void BuildDoor(MeshBuilder& builder, const Opening& o, Random& random) {
  const float x0 = o.start, x1 = o.start + o.width, h = o.height;
  const bool wooden = Chance(random, 0.5);
  const Material leaf = wooden ? Textured(Pattern::kWood, random) : Painted(Draw(random, 0.75F, 0.95F));
  builder.UseMaterial(leaf);
  builder.Box({x0, 0.005F, 0}, {x1, h, 0.02F});
  builder.UseMaterial(wooden ? leaf : Painted(Draw(random, 0.8F, 0.95F)));
  builder.Box({x0 - 0.08F, 0, 0}, {x0, h + 0.08F, 0.035F});
  builder.Box({x1, 0, 0}, {x1 + 0.08F, h + 0.08F, 0.035F});
  builder.Box({x0, h, 0}, {x1, h + 0.08F, 0.035F});
  const int panels = 1 + static_cast<int>(random.Below(3));
  for (int i = 0; i < panels; ++i) {
    const float step = (h - 0.2F) / static_cast<float>(panels), y = 0.12F + step * static_cast<float>(i);
    builder.Box({x0 + 0.12F, y, 0.02F}, {x1 - 0.12F, y + step - 0.1F, 0.03F});
  }
  builder.UseMaterial(Painted(0.45F));
  builder.Box({x1 - 0.12F, 1.0F, 0.02F}, {x1 - 0.09F, 1.12F, 0.03F});
  builder.Box({x1 - 0.2F, 1.05F, 0.05F}, {x1 - 0.09F, 1.07F, 0.065F});
}

void BuildSkirting(MeshBuilder& builder, const Room& room, int wall, const Material& material, float height) {
  const float length = WallLength(room.size, wall);
  float from = 0.014F;
  std::vector<std::pair<float, float>> gaps;
  for (const Opening& o : room.openings) {
    if (o.wall == wall && (!o.window || o.bottom < height))
      gaps.emplace_back(o.start - 0.08F, o.start + o.width + 0.08F);
  }
  std::sort(gaps.begin(), gaps.end());
  gaps.emplace_back(length - 0.014F, length);
  builder.UseMaterial(material);
  for (const auto& [start, end] : gaps) {
    if (start > from) builder.Box({from, 0, 0}, {start, height, 0.014F});
    from = std::max(from, end);
  }
}

void HangPictures(MeshBuilder& builder, const Room& room, int wall, Random& random) {
  const int wanted = static_cast<int>(random.Below(4));
  std::vector<Opening> taken = room.openings;
  for (int tries = 0, hung = 0; tries < 12 && hung < wanted; ++tries) {
    const float w = Draw(random, 0.3F, 1.1F), h = w * Draw(random, 0.6F, 1.4F);
    const float length = WallLength(room.size, wall);
    if (length < w + 0.4F || h > 1.1F) continue;
    const float x = Draw(random, 0.2F, length - w - 0.2F), y = Draw(random, 1.5F, 1.7F) - h / 2;
    if (!Free(taken, wall, x, x + w, 0.15F)) continue;
    taken.push_back({true, wall, x, w, y, h});
    const float frame = Draw(random, 0.015F, 0.06F);
    builder.UseMaterial(Chance(random, 0.5) ? Textured(Pattern::kWood, random)
                                            : Painted(Draw(random, 0.05F, 0.9F)));
    builder.Box({x, y, 0}, {x + w, y + h, 0.025F});
    builder.UseMaterial(Textured(Pattern::kPainting, random));
    builder.Quad({x + frame, y + frame, 0.027F}, {w - 2 * frame, 0, 0}, {0, h - 2 * frame, 0}, true);
    ++hung;
  }
}

// Windows shine inwards; when it is dark outside the ceiling lamps do the work.
void AddLights(Room& room, MeshBuilder& builder, Random& random) {
  for (const Opening& o : room.openings) {
    if (!o.window) continue;
    const Pose pose = WallPose(room.size, o.wall);
    RectLight light;
    light.center = pose({o.start + o.width / 2, o.bottom + o.height / 2, -kWallThickness + 0.01F});
    light.half_u = pose.linear * Vec3(o.width / 2 - 0.02F, 0, 0);
    light.half_v = pose.linear * Vec3(0, o.height / 2 - 0.02F, 0);
    light.normal = pose.linear * Vec3::UnitZ();
    light.radiance = Vec3(0.88F, 0.95F, 1.0F) * (room.day ? Draw(random, 4.0F, 9.0F) : 0.15F);
    room.lights.push_back(light);
  }
  const int panels = room.size.x() * room.size.z() > 22 ? 2 : 1;
  const bool on = !room.day || Chance(random, 0.45);
  for (int i = 0; i < panels; ++i) {
    const float along = panels == 1 ? 0.5F : i == 0 ? 0.27F : 0.73F;
    const bool wide = room.size.x() > room.size.z();
    const Vec3 center(room.size.x() * (wide ? along : 0.5F), room.size.y(),
                      room.size.z() * (wide ? 0.5F : along));
    const float a = Draw(random, 0.12F, 0.35F), b = Draw(random, 0.12F, 0.35F);
    Material shine;
    shine.albedo = Vec3(1.0F, 0.96F, 0.88F);
    shine.glow = on ? 1.0F : 0.0F;
    builder.UseMaterial(shine);
    builder.Box(center - Vec3(a, 0.06F, b), center + Vec3(a, -0.001F, b));
    if (!on) continue;
    RectLight light;
    light.center = center - Vec3(0, 0.065F, 0);
    light.half_u = Vec3(a, 0, 0);
    light.half_v = Vec3(0, 0, b);
    light.normal = -Vec3::UnitY();
    const float power = Draw(random, 4.0F, 8.0F) * (room.day ? 0.6F : 1.0F);
    light.radiance = Vec3(1.0F, Draw(random, 0.86F, 0.95F), Draw(random, 0.7F, 0.88F)) * power / light.area();
    room.lights.push_back(light);
  }
}

void BuildOutside(MeshBuilder& builder, const Room& room, Random& random) {
  Material view = Textured(Pattern::kLandscape, random);
  view.glow = room.day ? Draw(random, 0.7F, 1.0F) : 0.04F;
  for (const Opening& o : room.openings) {
    if (!o.window) continue;
    builder.SetPose(WallPose(room.size, o.wall));
    builder.UseMaterial(view);
    const float center = o.start + o.width / 2;
    builder.Quad({center - 8, -2.5F, -5}, {16, 0, 0}, {0, 9, 0}, true);
  }
}

}  // namespace

bool Overlap(const Footprint& a, const Footprint& b, float gap) {
  const auto separated = [&](const Footprint& frame, const Footprint& other) {
    const float c = std::cos(frame.yaw), s = std::sin(frame.yaw);
    const float relative = other.yaw - frame.yaw;
    const Vec2 d = other.center - frame.center;
    // Axes of a rectangle turned by yaw about +y: (cos, -sin) and (sin, cos) in (x, z).
    const Vec2 local(c * d.x() - s * d.y(), s * d.x() + c * d.y());
    const float cr = std::abs(std::cos(relative)), sr = std::abs(std::sin(relative));
    const Vec2 reach(cr * other.half.x() + sr * other.half.y(), sr * other.half.x() + cr * other.half.y());
    return std::abs(local.x()) > frame.half.x() + reach.x() + gap ||
           std::abs(local.y()) > frame.half.y() + reach.y() + gap;
  };
  return !separated(a, b) && !separated(b, a);
}

float Distance(const Footprint& footprint, const Vec2& point) {
  const float c = std::cos(footprint.yaw), s = std::sin(footprint.yaw);
  const Vec2 d = point - footprint.center;
  const Vec2 local(std::abs(c * d.x() - s * d.y()), std::abs(s * d.x() + c * d.y()));
  return (local - footprint.half).cwiseMax(0.0F).norm();
}

Pose WallPose(const Vec3& size, int wall) {
  switch (wall) {
    case 0:
      return {Mat3::Identity(), Vec3::Zero()};
    case 1:
      return {YawRotation(-kPi / 2), Vec3(size.x(), 0, 0)};
    case 2:
      return {YawRotation(kPi), Vec3(size.x(), 0, size.z())};
    default:
      return {YawRotation(kPi / 2), Vec3(0, 0, size.z())};
  }
}

float WallLength(const Vec3& size, int wall) { return wall % 2 == 0 ? size.x() : size.z(); }

Room MakeRoom(Random& random) {
  Room room;
  const double u = random.Uniform();
  room.kind = u < 0.4    ? RoomKind::kLiving
              : u < 0.6  ? RoomKind::kBedroom
              : u < 0.75 ? RoomKind::kKitchen
              : u < 0.92 ? RoomKind::kOffice
                         : RoomKind::kBathroom;
  room.size = Vec3(Draw(random, 3.4F, 6.5F), Draw(random, 2.4F, 3.0F), Draw(random, 3.4F, 6.5F));
  room.day = Chance(random, 0.7);
  PlaceOpenings(room, random);

  MeshBuilder builder;
  const Material wall = Textured(WallPattern(room.kind, random), random);
  const Material feature = Chance(random, 0.35) ? Textured(WallPattern(room.kind, random), random) : wall;
  const Material floor = Textured(FloorPattern(room.kind, random), random);
  const Material skirting = Chance(random, 0.6) ? Painted(0.93F) : Textured(Pattern::kWood, random);
  const float scale = Draw(random, 0.9F, 1.8F), skirting_height = Draw(random, 0.06F, 0.12F);
  const Vec3& s = room.size;
  builder.UseMaterial(floor, Draw(random, 0.9F, 1.8F));
  builder.Quad({0, 0, s.z()}, {s.x(), 0, 0}, {0, 0, -s.z()});
  builder.UseMaterial(Painted(Draw(random, 0.88F, 0.97F)));
  builder.Quad({0, s.y(), 0}, {s.x(), 0, 0}, {0, 0, s.z()});
  for (int w = 0; w < 4; ++w) {
    builder.SetPose(WallPose(s, w));
    builder.UseMaterial(w == 0 ? feature : wall, scale);
    BuildWall(builder, room, w);
    BuildSkirting(builder, room, w, skirting, skirting_height);
    HangPictures(builder, room, w, random);
  }
  for (const Opening& o : room.openings) {
    const Pose pose = WallPose(s, o.wall);
    builder.SetPose(pose);
    if (o.window) {
      BuildWindow(builder, o, random);
      continue;
    }
    BuildDoor(builder, o, random);
    const Vec3 front = pose({o.start + o.width / 2, 0, 0.45F});
    const bool turned = o.wall % 2 == 1;
    const Vec2 half(o.width / 2 + 0.1F, 0.45F);
    room.blocked.push_back({{front.x(), front.z()}, turned ? Vec2(half.y(), half.x()) : half, 0, 0, 2});
  }
  builder.SetPose({});
  AddLights(room, builder, random);
  BuildOutside(builder, room, random);
  room.shell = std::make_shared<const Mesh>(builder.Build());
  return room;
}

}  // namespace wildrayzer::synth
