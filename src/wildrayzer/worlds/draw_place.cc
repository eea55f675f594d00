#include <algorithm>
#include <array>

#include "wildrayzer/worlds/drawing.h"

namespace wildrayzer {
namespace {

// Metres of a texture across a wall, or over one thing.
constexpr double kWallMetres = 2.0, kThingMetres = 0.8, kGroundMetres = 6.0;
constexpr double kFlatWalls = 0.4, kFlatThings = 0.2;
constexpr float kShadeOfThings = 0.55F;

Float3 Grey(float value) { return {value, value, value}; }

Float3 RandomColour(Random& random, float low, float high, float saturation) {
  const float value = Between(random, low, high);
  const auto channel = [&] { return value * (1.0F - saturation * Between(random, 0, 1)); };
  return {channel(), channel(), channel()};
}

Primitive Solid(Shape shape, Float3 centre, Float3 half, const Frame3& axes, int paper, Random& random) {
  Primitive thing;
  thing.shape = shape;
  thing.centre = centre;
  thing.half = half;
  thing.axes = axes;
  std::fill(std::begin(thing.paper), std::end(thing.paper), paper);
  thing.specular = Chance(random, 0.1) ? Between(random, 0.1, 0.5) : 0.0F;
  thing.shade = kShadeOfThings;
  return thing;
}

// A box whose faces have papers of their own.
Primitive Cuboid(const TextureBank& bank, Float3 centre, Float3 half, const Frame3& axes, Random& random,
                 World& world) {
  const double metres = kThingMetres * std::max({half.x, half.y, half.z}) * 2;
  Primitive box =
      Solid(Shape::kBox, centre, half, axes, DrawPaper(bank, metres, kFlatThings, random, world), random);
  for (int face = 2; face < 6; face += 2) {
    if (Chance(random, 0.5)) box.paper[face] = DrawPaper(bank, metres, kFlatThings, random, world);
  }
  return box;
}

// A top on legs, or boards on top of each other: what furniture is made of.
void AddTable(const TextureBank& bank, Float3 half, Random& random, World& world,
              std::vector<Primitive>& parts) {
  const int paper = DrawPaper(bank, kThingMetres, kFlatThings, random, world);
  const float thick = Between(random, 0.015, 0.04), leg = Between(random, 0.015, 0.04);
  parts.push_back(
      Solid(Shape::kBox, {0, -2 * half.y + thick, 0}, {half.x, thick, half.z}, {}, paper, random));
  for (int corner = 0; corner < 4; ++corner) {
    const float x = (corner % 2 == 0 ? -1.0F : 1.0F) * (half.x - leg),
                z = (corner < 2 ? -1.0F : 1.0F) * (half.z - leg);
    parts.push_back(
        Solid(Shape::kBox, {x, -half.y + thick, z}, {leg, half.y - thick, leg}, {}, paper, random));
  }
}

void AddShelf(const TextureBank& bank, Float3 half, Random& random, World& world,
              std::vector<Primitive>& parts) {
  const int paper = DrawPaper(bank, kThingMetres, kFlatThings, random, world);
  const float thick = 0.02F;
  const int boards = 2 + static_cast<int>(random.Below(3));
  for (int i = 0; i < boards; ++i) {
    const float y =
        -thick - (2 * half.y - 2 * thick) * static_cast<float>(i) / static_cast<float>(boards - 1);
    parts.push_back(Solid(Shape::kBox, {0, y, 0}, {half.x, thick, half.z}, {}, paper, random));
  }
  for (const float side : {-1.0F, 1.0F})
    parts.push_back(
        Solid(Shape::kBox, {side * half.x, -half.y, 0}, {thick, half.y, half.z}, {}, paper, random));
}

Primitive Card(const TextureBank& bank, float height, Random& random, World& world) {
  // Half of them show people and animals that stand still, so that masks cannot go by the looks.
  if (Chance(random, 0.5) && bank.cutouts().count() > 0) {
    const int texture =
        bank.cutouts().begin + static_cast<int>(random.Below(static_cast<uint64_t>(bank.cutouts().count())));
    const Float3 half{0.5F * height * bank.Aspect(texture), 0.5F * height, 0};
    const int paper =
        CutoutPaper(texture, half, Chance(random, 0.5), Grey(Between(random, 0.8, 1.15)), world);
    return Solid(Shape::kCard, {0, -half.y, 0}, half, {}, paper, random);
  }
  const Float3 half{0.5F * height * LogBetween(random, 0.6, 1.7), 0.5F * height, 0};
  return Solid(Shape::kCard, {0, -half.y, 0}, half, {}, DrawPaper(bank, height, 0.1, random, world), random);
}

struct Spot {
  Float3 base;
  float yaw = 0;
};
// On the floor 60 %, on a wall 25 %, hanging 15 %.
Spot DrawSpot(const Place& place, float depth, float height, Random& random) {
  const float x = Between(random, -1, 1), z = Between(random, -1, 1);
  Spot spot{{x * place.half_x, place.floor, z * place.half_z}, Between(random, 0, 6.2832)};
  if (Chance(random, 0.4))
    spot.yaw = Radians(90.0 * static_cast<double>(random.Below(4)) + random.Uniform(-5, 5));
  const double kind = random.Uniform();
  if (kind < 0.6 || place.open) return spot;
  const float above = place.floor - Between(random, 0.2, 1.0) * (place.floor - place.ceiling - height);
  spot.base.y = above;
  if (kind > 0.85) return spot;
  // Its back to the wall.
  const auto wall = static_cast<int>(random.Below(4));
  spot.yaw = Radians(90.0 * wall);
  const float gap = depth + 0.01F;
  if (wall == 0) spot.base.z = place.half_z - gap;
  if (wall == 1) spot.base.x = place.half_x - gap;
  if (wall == 2) spot.base.z = gap - place.half_z;
  if (wall == 3) spot.base.x = gap - place.half_x;
  if (Chance(random, 0.4)) spot.base.y = place.floor;
  return spot;
}

void AddThings(const TextureBank& bank, const Place& place, Random& random, World& world) {
  const int count = 6 + static_cast<int>(random.Below(15));
  for (int i = 0; i < count; ++i) {
    const float size = place.open ? LogBetween(random, 0.4, 3.5) : LogBetween(random, 0.3, 2.2);
    const std::vector<Primitive> parts = DrawThing(bank, size, random, world);
    float depth = 0, height = 0;
    for (const Primitive& part : parts) {
      depth = std::max(depth, std::abs(part.centre.z) + part.half.z);
      height = std::max(height, part.half.y - part.centre.y);
    }
    const Spot spot = DrawSpot(place, depth, height, random);
    for (const Primitive& part : parts) world.primitives.push_back(Placed(part, spot.base, spot.yaw));
  }
}

// Large upright cards about the place, as houses and trees are.
void AddFarCards(const TextureBank& bank, const Place& place, Random& random, World& world) {
  const int count = 4 + static_cast<int>(random.Below(9));
  for (int i = 0; i < count; ++i) {
    const float away = LogBetween(random, 6, 20), bearing = Between(random, 0, 6.2832);
    const Primitive card = Card(bank, LogBetween(random, 2, 7), random, world);
    world.primitives.push_back(Placed(card, {away * std::sin(bearing), place.floor, away * std::cos(bearing)},
                                      bearing + Between(random, -0.8, 0.8)));
  }
}

void DrawRoom(const TextureBank& bank, const Place& place, Random& random, World& world) {
  Primitive room = Solid(Shape::kRoom, {0, 0.5F * (place.floor + place.ceiling), 0},
                         {place.half_x, 0.5F * (place.floor - place.ceiling), place.half_z}, {}, 0, random);
  room.specular = 0;
  room.shade = Between(random, 0.2, 0.45);
  room.shade_reach = Between(random, 0.15, 0.5);
  const int wall = DrawPaper(bank, kWallMetres, kFlatWalls, random, world);
  for (int& paper : room.paper) {
    paper = Chance(random, 0.65) ? wall : DrawPaper(bank, kWallMetres, kFlatWalls, random, world);
  }
  room.paper[2] = DrawPaper(bank, kWallMetres, 0.8, random, world);   // ceiling
  room.paper[3] = DrawPaper(bank, kWallMetres, 0.15, random, world);  // floor
  world.primitives.push_back(room);
  const bool second = Chance(random, 0.5);
  for (int i = 0; i < (second ? 2 : 1); ++i) {
    Light& light = world.lights[i];
    light.position = {Between(random, -0.8, 0.8) * place.half_x, place.ceiling + Between(random, 0.1, 0.6),
                      Between(random, -0.8, 0.8) * place.half_z};
    light.colour = Between(random, 0.4, second ? 0.8 : 1.2) * RandomColour(random, 1.0F, 1.0F, 0.25F);
    light.reach = Between(random, 2.5, 7);
  }
  world.ambient = Between(random, 0.4, 0.75) * RandomColour(random, 1.0F, 1.0F, 0.15F);
}

void DrawOpen(const TextureBank& bank, const Place& place, Random& random, World& world) {
  Primitive around = Solid(Shape::kRoom, {0, 0.5F * (place.floor + place.ceiling), 0},
                           {place.half_x, 0.5F * (place.floor - place.ceiling), place.half_z}, {}, 0, random);
  around.specular = around.shade = 0;
  const int sky = DrawPaper(bank, 60, 1.0, random, world);
  world.papers[static_cast<size_t>(sky)].base = RandomColour(random, 0.6F, 1.0F, 0.35F);
  std::fill(std::begin(around.paper), std::end(around.paper), sky);
  around.paper[3] = DrawPaper(bank, kGroundMetres, 0.1, random, world);
  world.primitives.push_back(around);
  world.lights[0].position = {Between(random, -60, 60), -60, Between(random, -60, 60)};
  world.lights[0].colour = Between(random, 0.3, 0.8) * RandomColour(random, 1.0F, 1.0F, 0.15F);
  world.lights[0].reach = 1e4F;
  world.ambient = Between(random, 0.45, 0.8) * RandomColour(random, 1.0F, 1.0F, 0.1F);
}

}  // namespace

int DrawPaper(const TextureBank& bank, double metres, double flat, Random& random, World& world) {
  Paper paper;
  const bool photographic = Chance(random, 0.375) && bank.crops().count() > 0;
  const TextureBank::Range range = photographic ? bank.crops() : bank.procedural();
  paper.texture = range.begin + static_cast<int>(random.Below(static_cast<uint64_t>(range.count())));
  const float scale = 1.0F / (static_cast<float>(metres) * LogBetween(random, 0.3, 1.6));
  const float turn =
      Chance(random, 0.7) ? Radians(90.0 * static_cast<double>(random.Below(4))) : Between(random, 0, 6.2832);
  const float cosine = scale * std::cos(turn), sine = scale * std::sin(turn);
  paper.u[0] = Between(random, 0, 2);
  paper.u[1] = cosine;
  paper.u[2] = sine;
  paper.v[0] = Between(random, 0, 2);
  paper.v[1] = -sine;
  paper.v[2] = cosine;
  if (Chance(random, flat)) {
    const float gain = Between(random, 0.02, 0.15);
    const Float3 colour = RandomColour(random, 0.35F, 1.0F, Chance(random, 0.2) ? 0.7F : 0.2F);
    paper.base = colour - Grey(0.5F * gain);
    paper.gain = Grey(gain);
  } else {
    const float contrast = Between(random, 0.4, 1.0);
    const Float3 gain = Between(random, 0.75, 1.25) * RandomColour(random, 1.0F, 1.0F, 0.3F);
    paper.base = (0.4F * (1.0F - contrast)) * gain;
    paper.gain = contrast * gain;
  }
  world.papers.push_back(paper);
  return static_cast<int>(world.papers.size()) - 1;
}

int CutoutPaper(int texture, Float3 half, bool mirrored, Float3 gain, World& world) {
  Paper paper;
  paper.texture = texture;
  paper.cutout = 1;
  paper.gain = gain;
  paper.u[0] = paper.v[0] = 0.5F;
  paper.u[1] = (mirrored ? -0.5F : 0.5F) / half.x;
  paper.v[2] = 0.5F / half.y;
  world.papers.push_back(paper);
  return static_cast<int>(world.papers.size()) - 1;
}

Primitive Placed(const Primitive& part, Float3 base, float yaw) {
  Primitive placed = part;
  const Frame3 turn = Turned(yaw);
  placed.centre = base + ToWorld(turn, part.centre);
  placed.axes = Compose(turn, part.axes);
  return placed;
}

std::vector<Primitive> DrawThing(const TextureBank& bank, float size, Random& random, World& world) {
  std::vector<Primitive> parts;
  const auto side = [&] { return size * Between(random, 0.25, 0.6); };
  const Float3 half{side(), side(), side()};
  const double kind = random.Uniform();
  const auto paper = [&] { return DrawPaper(bank, kThingMetres * size, kFlatThings, random, world); };
  if (kind < 0.30) {
    parts.push_back(Cuboid(bank, {0, -half.y, 0}, half, {}, random, world));
  } else if (kind < 0.42) {
    AddTable(bank, half, random, world, parts);
  } else if (kind < 0.50) {
    AddShelf(bank, {half.x, 1.5F * half.y, 0.4F * half.z}, random, world, parts);
  } else if (kind < 0.64) {
    const float radius = 0.7F * half.x;
    parts.push_back(Solid(Shape::kCylinder, {0, -half.y, 0}, {radius, half.y, radius}, {}, paper(), random));
  } else if (kind < 0.74) {
    const float radius = 0.7F * half.x;
    parts.push_back(Solid(Shape::kSphere, {0, -radius, 0}, {radius, radius, radius}, {}, paper(), random));
  } else if (kind < 0.82) {
    // A board, leaning or lying.
    const Float3 flat{half.x, half.y, 0.02F};
    const Frame3 lean = Turned(0, Between(random, -0.3, 0.3));
    parts.push_back(Solid(Shape::kBox, {0, -half.y, 0}, flat, lean, paper(), random));
  } else {
    parts.push_back(Card(bank, 2 * half.y, random, world));
  }
  return parts;
}

Place DrawPlace(const TextureBank& bank, const WorldOptions& options, Random& random, World& world) {
  Place place;
  place.open = Chance(random, options.open);
  if (place.open) {
    const float sky = Between(random, 35, 60);
    place = {true, 0.0F, -2 * sky, sky, sky};
    DrawOpen(bank, place, random, world);
    AddFarCards(bank, place, random, world);
    place.half_x = place.half_z = Between(random, 4, 9);  // where things stand
  } else {
    const float height = Between(random, 1.1, 1.8);
    place = {false, height, -height, Between(random, 1.6, 4), Between(random, 1.6, 4)};
    DrawRoom(bank, place, random, world);
  }
  AddThings(bank, place, random, world);
  world.open = place.open;
  world.still = static_cast<int32_t>(world.primitives.size());
  return place;
}

}  // namespace wildrayzer
