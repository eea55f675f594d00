#include "wildrayzer/worlds/procedural_cutouts.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/worlds/palette.h"

namespace wildrayzer {
namespace {

constexpr float kPiOfThings = 3.14159265F;

float Vary(Random& random, float value, float share) {
  return value * DrawFloat(random, 1.0 - share, 1.0 + share);
}

Material AnyMaterial(Random& random, double patterned) {
  return DrawMaterial(Palette(random), patterned, random);
}

// A closed outline around (0, 0): few waves are smooth, many are ragged.
std::vector<Point2> Outline(Random& random, int waves, float depth) {
  std::vector<float> strength, phase;
  for (int i = 0; i < waves; ++i) {
    strength.push_back(depth * DrawFloat(random, 0, 1) / static_cast<float>(i + 1));
    phase.push_back(DrawFloat(random, 0, 2 * kPiOfThings));
  }
  std::vector<Point2> points;
  for (int i = 0; i < 60; ++i) {
    const float angle = 2 * kPiOfThings * static_cast<float>(i) / 60;
    float radius = 0.5F;
    for (int k = 0; k < waves; ++k) {
      radius *= 1.0F + strength[static_cast<size_t>(k)] *
                           std::sin(static_cast<float>(k + 1) * angle + phase[static_cast<size_t>(k)]);
    }
    points.push_back({radius * std::cos(angle), radius * std::sin(angle)});
  }
  return points;
}

void Blob(Sprite& sprite, Random& random) {
  sprite.Polygon(Outline(random, 2 + static_cast<int>(random.Below(6)), DrawFloat(random, 0.2, 0.6)),
                 AnyMaterial(random, 0.8));
}

void Ball(Sprite& sprite, Random& random) {
  Material material = AnyMaterial(random, 0.7);
  material.scale = DrawFloat(random, 1, 4);
  material.relief = 0.8F;
  sprite.Ellipse({0, 0}, 0.5F, 0.5F, 0, material);
}

void Balloon(Sprite& sprite, Random& random) {
  Material material = AnyMaterial(random, 0.2);
  material.folds = 0;
  const Material string = material.Darker(0.5F);
  sprite.Capsule({0, -0.4F}, {DrawFloat(random, -0.06, 0.06), 0}, 0.008F, 0.008F, string);
  sprite.Ellipse({0, -0.7F}, 0.24F, 0.3F, 0, material);
  sprite.Polygon({{-0.035F, -0.37F}, {0, -0.42F}, {0.035F, -0.37F}}, string);
  Material gleam = material;
  gleam.colour = Blend(material.colour, {1, 1, 1}, 0.6F), gleam.other = gleam.colour;
  sprite.Ellipse({-0.09F, -0.82F}, 0.04F, 0.06F, 0.5F, gleam);
}

void Car(Sprite& sprite, Random& random) {
  Material body = AnyMaterial(random, 0.05);
  body.folds = 0.04F, body.relief = 0.3F;
  const Material glass = DrawMaterial({0.2F, 0.25F, 0.3F}, {0.5F, 0.55F, 0.6F}, 0.5, random);
  const Material tyre = DrawMaterial({0.08F, 0.08F, 0.08F}, {}, 0, random);
  const Material rim = DrawMaterial({0.6F, 0.6F, 0.62F}, {}, 0, random);
  const float length = DrawFloat(random, 1.0, 1.35), bonnet = DrawFloat(random, 0.2, 0.5),
              boot = DrawFloat(random, 0.05, 0.35);
  const float waist = Vary(random, -0.5F, 0.1F), roof = Vary(random, -0.9F, 0.12F);
  sprite.Polygon({{-length, -0.18F},
                  {-length, waist + 0.06F},
                  {-length + 0.1F, waist},
                  {length - boot, waist},
                  {length, waist + 0.05F},
                  {length, -0.18F}},
                 body);
  const float front = -length + bonnet, rear = length - boot;
  sprite.Polygon({{front, waist + 0.01F}, {front + 0.3F, roof}, {rear - 0.22F, roof}, {rear, waist + 0.01F}},
                 body.Darker(0.95F));
  const float middle = 0.5F * (front + rear);
  sprite.Polygon({{front + 0.1F, waist},
                  {front + 0.34F, roof + 0.06F},
                  {middle - 0.02F, roof + 0.06F},
                  {middle - 0.02F, waist}},
                 glass);
  sprite.Polygon({{middle + 0.03F, waist},
                  {middle + 0.03F, roof + 0.06F},
                  {rear - 0.25F, roof + 0.06F},
                  {rear - 0.1F, waist}},
                 glass);
  for (const float x : {-0.62F * length, 0.62F * length}) {
    sprite.Ellipse({x, -0.18F}, 0.19F, 0.19F, 0, tyre);
    sprite.Ellipse({x, -0.18F}, 0.1F, 0.1F, 0, rim);
  }
  sprite.Ellipse({-length + 0.05F, waist + 0.12F}, 0.05F, 0.04F, 0,
                 DrawMaterial({1, 0.95F, 0.7F}, {}, 0, random));
}

void Bird(Sprite& sprite, Random& random) {
  const Material feathers = AnyMaterial(random, 0.5), wing = AnyMaterial(random, 0.5);
  const Material horn = DrawMaterial({0.8F, 0.55F, 0.15F}, {}, 0, random);
  const float raised = DrawFloat(random, -0.5, 0.3);
  for (const float x : {-0.03F, 0.06F}) sprite.Capsule({x, 0.1F}, {x, 0.38F}, 0.012F, 0.012F, horn);
  sprite.Polygon(
      {{-0.25F, -0.02F}, {-0.65F, 0.02F + raised * 0.3F}, {-0.6F, 0.14F + raised * 0.3F}, {-0.2F, 0.12F}},
      wing);
  sprite.Ellipse({0, 0}, 0.34F, 0.19F, 0.2F, feathers);
  sprite.Polygon({{0.42F, -0.24F}, {0.58F, -0.18F}, {0.42F, -0.14F}}, horn);
  sprite.Ellipse({0.33F, -0.2F}, 0.13F, 0.12F, 0, feathers);
  sprite.Ellipse({0.37F, -0.23F}, 0.02F, 0.02F, 0, DrawMaterial({0.05F, 0.05F, 0.05F}, {}, 0, random));
  sprite.Ellipse({-0.08F, 0.01F}, 0.24F, 0.1F, 0.25F + raised, wing);
}

void Suitcase(Sprite& sprite, Random& random) {
  const Material shell = AnyMaterial(random, 0.4), metal = DrawMaterial({0.35F, 0.35F, 0.37F}, {}, 0, random);
  const float half = DrawFloat(random, 0.22, 0.4), handle = DrawFloat(random, 0.1, 0.35);
  for (const float x : {-0.4F * half, 0.4F * half})
    sprite.Capsule({x, -0.65F}, {x, -0.65F - handle}, 0.015F, 0.015F, metal);
  sprite.Capsule({-0.4F * half, -0.65F - handle}, {0.4F * half, -0.65F - handle}, 0.025F, 0.025F, metal);
  for (const float x : {-0.8F * half, 0.8F * half}) sprite.Ellipse({x, -0.04F}, 0.045F, 0.045F, 0, metal);
  sprite.Polygon({{-half, -0.62F},
                  {-half + 0.05F, -0.67F},
                  {half - 0.05F, -0.67F},
                  {half, -0.62F},
                  {half, -0.1F},
                  {half - 0.05F, -0.06F},
                  {-half + 0.05F, -0.06F},
                  {-half, -0.1F}},
                 shell);
  for (float x = -0.7F * half; x < 0.8F * half; x += 0.35F * half)
    sprite.Capsule({x, -0.6F}, {x, -0.13F}, 0.01F, 0.01F, shell.Darker(0.7F));
}

void Plant(Sprite& sprite, Random& random) {
  const float green = DrawFloat(random, 0.2, 0.4);
  const Material pot = AnyMaterial(random, 0.3);
  const int leaves = 8 + static_cast<int>(random.Below(14));
  for (int i = 0; i < leaves; ++i) {
    const float angle = DrawFloat(random, -1.3, 1.3), reach = DrawFloat(random, 0.25, 0.6);
    const Point2 tip{reach * std::sin(angle), -0.3F - reach * std::cos(angle)};
    const Float3 colour = DrawColour(random, {green - 0.04, green + 0.04}, {0.3, 0.8}, {0.2, 0.65});
    const Material leaf = DrawMaterial(colour, 0.8F * colour, 0.3, random);
    sprite.Capsule({0, -0.28F}, tip, 0.012F, 0.008F, leaf.Darker(0.7F));
    sprite.Ellipse(tip, 0.05F, DrawFloat(random, 0.08, 0.16), angle, leaf);
  }
  sprite.Polygon({{-0.17F, -0.3F}, {0.17F, -0.3F}, {0.12F, 0}, {-0.12F, 0}}, pot);
  sprite.Capsule({-0.17F, -0.3F}, {0.17F, -0.3F}, 0.02F, 0.02F, pot.Darker(0.85F));
}

void Umbrella(Sprite& sprite, Random& random) {
  const Material cloth = AnyMaterial(random, 0.5), wood = DrawMaterial({0.3F, 0.2F, 0.12F}, {}, 0, random);
  sprite.Capsule({0, -0.9F}, {0, -0.08F}, 0.012F, 0.012F, wood);
  sprite.Capsule({0, -0.04F}, {0.07F, -0.03F}, 0.018F, 0.018F, wood);
  // The dome's panels, seen from the side.
  const int panels = 6;
  const auto on_dome = [](float longitude, float latitude) {
    return Point2{-0.5F * std::cos(longitude) * std::sin(latitude), -0.6F - 0.35F * std::cos(latitude)};
  };
  for (int i = 0; i < panels; ++i) {
    const float left = kPiOfThings * static_cast<float>(i) / panels, right = left + kPiOfThings / panels;
    std::vector<Point2> corners;
    for (int k = 0; k <= 8; ++k)
      corners.push_back(on_dome(left, 0.0625F * kPiOfThings * static_cast<float>(k)));
    const Point2 rim = 0.5F * (on_dome(left, 0.5F * kPiOfThings) + on_dome(right, 0.5F * kPiOfThings));
    corners.push_back(rim - Point2{0, 0.03F});
    for (int k = 8; k > 0; --k)
      corners.push_back(on_dome(right, 0.0625F * kPiOfThings * static_cast<float>(k)));
    sprite.Polygon(corners, cloth.Darker(i % 2 == 0 ? 1.0F : 0.8F));
  }
}

}  // namespace

void DrawThing(Sprite& sprite, Random& random) {
  static constexpr void (*kThings[])(Sprite&, Random&) = {Blob, Ball,     Balloon, Car,
                                                          Bird, Suitcase, Plant,   Umbrella};
  kThings[random.Below(std::size(kThings))](sprite, random);
}

void DrawAnimal(Sprite& sprite, Random& random) {
  const double kind = random.Uniform();
  const Float3 coat = kind < 0.6   ? DrawColour(random, {0.03, 0.1}, {0.15, 0.65}, {0.15, 0.85})
                      : kind < 0.9 ? DrawColour(random, {0.05, 0.1}, {0, 0.08}, {0.1, 0.95})
                                   : Palette(random).Pick(random);
  Material fur = DrawMaterial(coat, kind < 0.3 ? Float3{0.9F, 0.88F, 0.85F} : 0.4F * coat, 0.6, random);
  fur.scale = DrawFloat(random, 3, 9);
  const float side = random.Uniform() < 0.5 ? 1.0F : -1.0F;
  const auto at = [&](float x, float y) { return Point2{side * x, y}; };
  const float leg = DrawFloat(random, 0.25, 0.55), thick = DrawFloat(random, 0.1, 0.17),
              slim = DrawFloat(random, 0.028, 0.05);
  const float back = -leg - 0.6F * thick, length = DrawFloat(random, 0.25, 0.38);
  const float stride = DrawFloat(random, 0, 0.35F * leg);
  const auto limb = [&](float x, float phase, float tone) {
    const Material m = fur.Darker(tone);
    const float step = phase * stride, knee = (x < 0 ? -0.06F : 0.03F) + 0.5F * step;
    sprite.Capsule(at(x, back), at(x + knee, -0.5F * leg), 1.9F * slim, 1.1F * slim, m);
    sprite.Capsule(at(x + knee, -0.5F * leg), at(x + step, -slim), 1.1F * slim, 0.9F * slim, m);
    sprite.Capsule(at(x + step, -slim), at(x + step + 0.04F, -slim), slim, 0.9F * slim, m.Darker(0.8F));
  };
  limb(length - 0.05F, -0.8F, 0.65F);
  limb(-length + 0.03F, 1, 0.65F);
  limb(length - 0.02F, 0.9F, 0.95F);
  limb(-length, -1, 0.95F);
  const float tail = DrawFloat(random, -1, 1.2), tail_length = DrawFloat(random, 0.1, 0.4);
  const Point2 tip = at(-length - tail_length * std::cos(tail), back - tail_length * std::sin(tail));
  sprite.Capsule(at(-length, back - 0.3F * thick), tip, 0.035F, DrawFloat(random, 0.01, 0.04), fur);
  sprite.Capsule(at(length, back), at(-length, back + 0.01F), thick, Vary(random, 0.9F * thick, 0.1F), fur);
  const float raise = DrawFloat(random, 0.2, 1.2), neck = DrawFloat(random, 0.12, 0.35),
              head = DrawFloat(random, 0.07, 0.11);
  const float hx = length + neck * std::cos(raise), hy = back - 0.3F * thick - neck * std::sin(raise);
  sprite.Capsule(at(length - 0.02F, back - 0.15F * thick), at(hx, hy), 0.75F * thick, 0.75F * head, fur);
  const float ear = DrawFloat(random, 0.05, 0.14);
  if (random.Uniform() < 0.5) {
    sprite.Polygon({at(hx - 0.6F * head, hy - 0.4F * head), at(hx - 0.4F * head, hy - 0.7F * head - ear),
                    at(hx + 0.3F * head, hy - 0.7F * head)},
                   fur.Darker(0.8F));
  }
  const float snout = DrawFloat(random, 0.04, 0.16);
  sprite.Capsule(at(hx + 0.2F * head, hy + 0.15F * head), at(hx + head + snout, hy + 0.4F * head),
                 0.7F * head, 0.4F * head, fur);
  sprite.Ellipse(at(hx, hy), 1.1F * head, head, 0, fur);
  const Material dark = DrawMaterial({0.08F, 0.06F, 0.06F}, {}, 0, random);
  sprite.Ellipse(at(hx + head + snout + 0.25F * head, hy + 0.3F * head), 0.2F * head, 0.18F * head, 0, dark);
  sprite.Ellipse(at(hx + 0.5F * head, hy - 0.25F * head), 0.13F * head, 0.13F * head, 0, dark);
  if (random.Uniform() < 0.5)
    sprite.Ellipse(at(hx - 0.5F * head, hy + 0.3F * head), 0.3F * head, 0.5F * head + 0.5F * ear, 0.2F * side,
                   fur.Darker(0.75F));
}

Cutout ProceduralCutout(Random& random) {
  Sprite sprite;
  const double kind = random.Uniform();
  if (kind < 0.55) {
    DrawPerson(sprite, random);
  } else if (kind < 0.75) {
    DrawAnimal(sprite, random);
  } else {
    DrawThing(sprite, random);
  }
  const float across = DrawFloat(random, -0.6, 0.6);
  return sprite.Paint({across, DrawFloat(random, -0.6, 0)});
}

}  // namespace wildrayzer
