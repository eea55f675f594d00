// An empty room: floor, walls with windows and a door, skirting, ceiling, pictures, and the light that falls
// in.
#pragma once

#include <vector>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/mesh.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {

// Hole or door in a wall, in metres along the wall (from its left end as seen from inside) and above the
// floor.
struct Opening {
  bool window = true;
  int wall = 0;  // 0: z = 0, 1: x = width, 2: z = depth, 3: x = 0
  float start = 0, width = 0, bottom = 0, height = 0;
};

// One-sided rectangular area light.
struct RectLight {
  Vec3 center, half_u, half_v;  // corners are center +- half_u +- half_v
  Vec3 normal;                  // unit, the side that shines
  Vec3 radiance;
  float area() const { return 4.0F * half_u.norm() * half_v.norm(); }
};

// Upright box that furniture, people or nothing else may enter: a rectangle on the floor turned by `yaw`,
// from `bottom` to `top`.
struct Footprint {
  Vec2 center;  // x, z
  Vec2 half;    // half width and depth before turning
  float yaw = 0;
  float bottom = 0, top = 0;
};

// Whether two rectangles come nearer than `gap` (separating axes); heights are ignored.
bool Overlap(const Footprint& a, const Footprint& b, float gap);
// Distance of a point on the floor from the rectangle, 0 inside.
float Distance(const Footprint& footprint, const Vec2& point);

struct Room {
  RoomKind kind = RoomKind::kLiving;
  Vec3 size;  // width, height, depth; the room is [0, size]
  std::vector<Opening> openings;
  std::vector<RectLight> lights;
  std::vector<Footprint> blocked;  // in front of doors
  MeshPtr shell;
  bool day = true;  // light comes mainly through the windows
};

// Local frame of a wall: x along it, y up, z into the room.
Pose WallPose(const Vec3& room_size, int wall);
float WallLength(const Vec3& room_size, int wall);

// 3.2-7 m wide and deep, 2.4-3 m high.
Room MakeRoom(Random& random);

}  // namespace wildrayzer::synth
