// Flat pictures of things, put together from soft-shaded shapes, with alpha.
#pragma once

#include <vector>

#include "wildrayzer/util/random.h"
#include "wildrayzer/worlds/palette.h"
#include "wildrayzer/worlds/texture_bank.h"

namespace wildrayzer {

// In the sprite's own units, x right, y down.
struct Point2 {
  float x = 0, y = 0;
};
inline Point2 operator+(Point2 a, Point2 b) { return {a.x + b.x, a.y + b.y}; }
inline Point2 operator-(Point2 a, Point2 b) { return {a.x - b.x, a.y - b.y}; }
inline Point2 operator*(float s, Point2 a) { return {s * a.x, s * a.y}; }

// Skin, cloth, fur.
struct Material {
  enum class Pattern { kPlain, kStripes, kChecks, kSpots, kClouds };
  Float3 colour, other;
  Pattern pattern = Pattern::kPlain;
  float scale = 10;  // repeats a unit
  float cosine = 1, sine = 0;
  float folds = 0.15F;   // strength of uneven brightness
  float relief = 0.55F;  // how much darker what faces away from the light is, in [0, 1]
  uint32_t seed = 0;

  Float3 At(Point2 point) const;
  Material Darker(float factor) const;
};

// `patterned`: probability of a pattern.
Material DrawMaterial(Float3 colour, Float3 other, double patterned, Random& random);
Material DrawMaterial(const Palette& palette, double patterned, Random& random);

class Sprite {
 public:
  // Later shapes lie over earlier ones. A capsule's radius goes from `from` at a to `to` at b.
  void Capsule(Point2 a, Point2 b, float from, float to, const Material& material);
  // angle: radians by which the axes are turned.
  void Ellipse(Point2 centre, float rx, float ry, float angle, const Material& material);
  void Polygon(std::vector<Point2> corners, const Material& material);

  // The picture of everything, lit from `light` (x right, y down, towards the light; at most of length 1).
  Cutout Paint(Point2 light) const;

 private:
  struct Shape2 {
    enum class Kind { kCapsule, kEllipse, kPolygon } kind = Kind::kCapsule;
    Point2 a, b;  // ends, or centre and radii
    float from = 0, to = 0, cosine = 1, sine = 0;
    std::vector<Point2> corners;
    Material material;
    Point2 low, high;  // the box around it

    // Whether a point lies in it, and the normal's x and y there.
    bool Contains(Point2 point, Point2& normal) const;
  };
  std::vector<Shape2> shapes_;
};

}  // namespace wildrayzer
