#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "wildrayzer/worlds/palette.h"
#include "wildrayzer/worlds/procedural_cutouts.h"

namespace wildrayzer {
namespace {

constexpr float kDegreesOfLimbs = 0.017453293F;

bool PersonChance(Random& random, double probability) { return random.Uniform() < probability; }

// From `start`, `length` along the direction that hangs down when `degrees` is 0 and points to +x at 90.
Point2 Swing(Point2 start, float length, float degrees) {
  return {start.x + length * std::sin(degrees * kDegreesOfLimbs),
          start.y + length * std::cos(degrees * kDegreesOfLimbs)};
}

struct Clothes {
  Material skin, hair, shirt, trousers, shoes;
  bool short_sleeves, short_trousers, dress, coat;
};

Clothes DrawClothes(Random& random) {
  Clothes c{};
  // The fairer, the less saturated.
  const float fair = DrawFloat(random, 0, 1), hue = DrawFloat(random, 0.045, 0.085);
  c.skin = DrawMaterial(ColourFromHsv(hue, 0.58F - 0.28F * fair, 0.35F + 0.6F * fair), {}, 0, random);
  c.skin.folds = 0.05F;
  const double kind = random.Uniform();
  const Float3 hair = kind < 0.7    ? DrawColour(random, {0.04, 0.1}, {0.2, 0.6}, {0.06, 0.4})
                      : kind < 0.85 ? DrawColour(random, {0.09, 0.13}, {0.4, 0.6}, {0.6, 0.9})
                                    : DrawColour(random, {0, 1}, {0, 0.2}, {0.5, 0.9});
  c.hair = DrawMaterial(hair, 0.7F * hair, 0.5, random);
  const Palette top(random), bottom(random);
  c.shirt = DrawMaterial(top, 0.5, random);
  c.trousers = DrawMaterial(bottom, 0.15, random);
  c.shoes = DrawMaterial(bottom, 0, random).Darker(DrawFloat(random, 0.1, 1));
  c.short_sleeves = PersonChance(random, 0.4);
  c.short_trousers = PersonChance(random, 0.2);
  c.dress = PersonChance(random, 0.2);
  c.coat = !c.dress && PersonChance(random, 0.2);
  return c;
}

// Where the joints are; heads are at -1, feet about 0.
struct Body {
  float facing;   // -1 or 1: the side to which it looks, of the profile
  float frontal;  // 0: in profile, 1: from the front or the back
  bool back;      // seen from behind
  float head;     // radius of the head
  Point2 hip, chest, neck;
  float shoulders, hips;  // half widths as seen
};

Body DrawBody(Random& random) {
  Body b{};
  b.facing = PersonChance(random, 0.5) ? 1.0F : -1.0F;
  b.frontal = PersonChance(random, 0.6) ? DrawFloat(random, 0.75, 1) : DrawFloat(random, 0, 0.4);
  b.back = b.frontal > 0.5F && PersonChance(random, 0.35);
  const bool child = PersonChance(random, 0.2);
  b.head = child ? DrawFloat(random, 0.085, 0.11) : DrawFloat(random, 0.06, 0.072);
  const float lean = (1.0F - b.frontal) * b.facing * DrawFloat(random, -4, 14) + DrawFloat(random, -4, 4);
  b.hip = {0, DrawFloat(random, -0.53, -0.46)};
  const float trunk = 1.0F - 2.3F * b.head + b.hip.y;
  b.chest = Swing(b.hip, -trunk, lean);
  b.neck = Swing(b.chest, -0.35F * b.head, lean);
  const float build = DrawFloat(random, 0.85, 1.35);
  b.shoulders = build * (0.055F + 0.06F * b.frontal);
  b.hips = build * (0.06F + 0.02F * b.frontal);
  return b;
}

// One leg from the hip; `thigh` and `shin` in degrees as Swing has them.
void Leg(Sprite& sprite, const Body& body, const Clothes& c, Point2 from, float thigh, float shin,
         float tone) {
  const float half = -0.47F * body.hip.y;
  const Point2 knee = Swing(from, half, thigh), ankle = Swing(knee, half, shin);
  const Material cloth = c.trousers.Darker(tone), skin = c.skin.Darker(tone);
  const bool bare = c.short_trousers || c.dress;
  const float wide = 0.75F * body.hips + 0.01F;
  sprite.Capsule(knee, ankle, 0.62F * wide, 0.42F * wide, bare ? skin : cloth);
  sprite.Capsule(from, knee, wide, 0.65F * wide, cloth);
  const float toe = body.facing * (0.075F - 0.05F * body.frontal);
  const Point2 heel{ankle.x, ankle.y + 0.012F};
  sprite.Capsule(heel, {heel.x + toe, heel.y + (body.back ? 0.0F : 0.012F)}, 0.024F, 0.02F,
                 c.shoes.Darker(tone));
}

void Arm(Sprite& sprite, const Clothes& c, Point2 shoulder, float upper, float lower, float tone) {
  const Point2 elbow = Swing(shoulder, 0.16F, upper), wrist = Swing(elbow, 0.14F, lower);
  const Material cloth = c.shirt.Darker(tone), skin = c.skin.Darker(tone);
  sprite.Capsule(elbow, wrist, 0.03F, 0.022F, c.short_sleeves ? skin : cloth);
  sprite.Ellipse(Swing(wrist, 0.02F, lower), 0.02F, 0.03F, -lower * kDegreesOfLimbs, skin);
  sprite.Capsule(shoulder, elbow, 0.036F, 0.031F, cloth);
}

void Head(Sprite& sprite, const Body& b, const Clothes& c, Random& random) {
  const float r = b.head;
  const Point2 centre{b.neck.x, b.neck.y - r};
  const float forward = b.facing * (1.0F - b.frontal);
  const bool long_hair = PersonChance(random, 0.35), bald = !long_hair && PersonChance(random, 0.12);
  if (long_hair) {
    const Point2 crown{centre.x - 0.2F * r * forward, centre.y};
    sprite.Capsule(crown, {crown.x - 0.2F * r * forward, crown.y + DrawFloat(random, 0.8, 2) * r}, 0.92F * r,
                   0.75F * r, c.hair);
  }
  sprite.Capsule({b.neck.x, b.neck.y - 0.3F * r}, {b.chest.x, b.chest.y + 0.01F}, 0.45F * r, 0.5F * r,
                 c.skin.Darker(0.85F));
  if (b.back && !bald) {
    sprite.Ellipse(centre, 0.8F * r, 1.05F * r, 0, c.hair);
    return;
  }
  if (!bald)
    sprite.Ellipse({centre.x - 0.18F * r * forward, centre.y - 0.1F * r}, 0.86F * r, 1.0F * r, 0, c.hair);
  const Point2 face{centre.x + 0.12F * r * forward, centre.y + (bald ? 0.0F : 0.17F * r)};
  sprite.Ellipse(face, 0.72F * r, (bald ? 1.0F : 0.86F) * r, 0, c.skin);
  if (b.back) return;
  const Material dark = DrawMaterial({0.12F, 0.08F, 0.07F}, {}, 0, random);
  const Material lips = c.skin.Darker(0.6F);
  for (const float side : {-1.0F, 1.0F}) {
    const float x = face.x + 0.45F * r * forward + side * 0.28F * r * b.frontal;
    sprite.Ellipse({x, face.y - 0.12F * r}, 0.09F * r, 0.07F * r, 0, dark);
    if (b.frontal < 0.5F) break;  // one eye in profile
  }
  sprite.Ellipse({face.x + 0.75F * r * forward, face.y + 0.12F * r}, 0.09F * r, 0.13F * r, 0,
                 c.skin.Darker(0.9F));
  sprite.Ellipse({face.x + 0.5F * r * forward, face.y + 0.42F * r}, 0.2F * r, 0.05F * r, 0, lips);
}

void Trunk(Sprite& sprite, const Body& b, const Clothes& c) {
  if (c.dress || c.coat) {
    const float hem = c.dress ? 0.55F * b.hip.y : 0.65F * b.hip.y;
    const float flare = c.dress ? 1.9F : 1.3F;
    sprite.Polygon({{b.hip.x - b.hips - 0.015F, b.hip.y - 0.05F},
                    {b.hip.x + b.hips + 0.015F, b.hip.y - 0.05F},
                    {b.hip.x + flare * b.hips + 0.02F, hem},
                    {b.hip.x - flare * b.hips - 0.02F, hem}},
                   c.shirt);
  }
  // From the neck round over shoulder, armpit, waist and hip, and back up the other side.
  const Point2 waist{0.5F * (b.chest.x + b.hip.x), 0.4F * b.chest.y + 0.6F * b.hip.y};
  const std::pair<Point2, float> rows[] = {{b.chest, 0.45F * b.shoulders + 0.01F},
                                           {b.chest + Point2{0, 0.02F}, b.shoulders + 0.01F},
                                           {b.chest + Point2{0, 0.05F}, b.shoulders + 0.024F},
                                           {b.chest + Point2{0, 0.12F}, b.shoulders + 0.01F},
                                           {waist, 0.5F * (b.shoulders + b.hips)},
                                           {b.hip, b.hips + 0.016F},
                                           {b.hip + Point2{0, 0.03F}, b.hips + 0.012F}};
  std::vector<Point2> outline;
  for (const auto& [middle, half] : rows) outline.push_back(middle + Point2{half, 0});
  for (auto row = std::rbegin(rows); row != std::rend(rows); ++row)
    outline.push_back(row->first - Point2{row->second, 0});
  sprite.Polygon(outline, c.shirt);
}

}  // namespace

void DrawPerson(Sprite& sprite, Random& random) {
  const Body b = DrawBody(random);
  const Clothes c = DrawClothes(random);
  const float profile = 1.0F - b.frontal;
  const float stride = PersonChance(random, 0.6) ? DrawFloat(random, 8, 34) : DrawFloat(random, 0, 6);
  const auto swing = [&](float phase) {
    return b.facing * profile * phase * stride + DrawFloat(random, -2, 2);
  };
  const auto bend = [&](float phase) {
    return b.facing * profile * (phase < 0 ? DrawFloat(random, 0.3, 1.2) : 0.1F) * stride;
  };
  const Point2 left{b.hip.x - 0.6F * b.hips * b.frontal, b.hip.y},
      right{b.hip.x + 0.6F * b.hips * b.frontal, b.hip.y};
  // Seen from the front one foot of a stride is nearer, that is lower, and legs are a little apart.
  const float apart = b.frontal * DrawFloat(random, 1, 9);
  float upper[2], lower[2];
  for (int side = 0; side < 2; ++side) {
    const float outward = side == 0 ? -1.0F : 1.0F;
    if (PersonChance(random, 0.25)) {  // a gesture
      upper[side] = (b.frontal > 0.5F ? outward : b.facing) * DrawFloat(random, 20, 150);
      lower[side] = upper[side] + (b.frontal > 0.5F ? outward : b.facing) * DrawFloat(random, -20, 100);
    } else {
      upper[side] =
          b.frontal * outward * DrawFloat(random, 4, 18) + b.facing * profile * outward * stride * 0.9F;
      lower[side] = upper[side] + b.facing * profile * DrawFloat(random, 5, 35) -
                    b.frontal * outward * DrawFloat(random, 0, 20);
    }
  }
  const Point2 joint{std::max(b.shoulders - 0.005F, 0.0F) * b.frontal, 0};
  const Point2 shoulder = b.chest + Point2{0, 0.045F};
  const float far_tone = 1.0F - 0.3F * profile;
  Arm(sprite, c, shoulder - joint, upper[0], lower[0], far_tone);
  Leg(sprite, b, c, left, swing(1) - apart, swing(1) - apart - bend(1), far_tone);
  Leg(sprite, b, c, right, swing(-1) + apart, swing(-1) + apart - bend(-1), 1);
  Trunk(sprite, b, c);
  if (!b.back && PersonChance(random, 0.2)) {  // print on the shirt
    sprite.Ellipse(b.chest + Point2{0, 0.14F}, 0.5F * b.shoulders, 0.4F * b.shoulders, 0,
                   DrawMaterial(c.trousers.colour, c.shirt.other, 0.5, random));
  }
  Head(sprite, b, c, random);
  if (b.back ? PersonChance(random, 0.4) : profile > 0.5F && PersonChance(random, 0.25)) {  // rucksack
    const Point2 bag = b.chest + Point2{-b.facing * profile * (b.shoulders + 0.06F), 0.17F};
    sprite.Ellipse(bag, 0.075F, 0.12F, 0,
                   DrawMaterial(Palette(random).Pick(random), c.shoes.colour, 0.4, random));
  }
  Arm(sprite, c, shoulder + joint, upper[1], lower[1], 1);
}

}  // namespace wildrayzer
