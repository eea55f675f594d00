#include "wildrayzer/worlds/sprite.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/worlds/palette.h"

namespace wildrayzer {
namespace {

constexpr int kSpriteSamples = 2;  // of a texel, along each axis
constexpr int kSpriteGrid = kSpriteSamples * kTextureSide;

float Dot2(Point2 a, Point2 b) { return a.x * b.x + a.y * b.y; }

struct SpriteSample {
  Float3 colour;
  bool covered = false;
};

// Texels from samples: alpha is the share that is covered, the colour the mean of that.
Texture MeansOf(const std::vector<SpriteSample>& samples) {
  Texture texture(static_cast<size_t>(kTextureSide) * kTextureSide * 4);
  for (int row = 0; row < kTextureSide; ++row) {
    for (int column = 0; column < kTextureSide; ++column) {
      Float3 sum;
      int covered = 0;
      for (int k = 0; k < kSpriteSamples * kSpriteSamples; ++k) {
        const int x = kSpriteSamples * column + k % kSpriteSamples,
                  y = kSpriteSamples * row + k / kSpriteSamples;
        const SpriteSample& sample = samples[static_cast<size_t>(y * kSpriteGrid + x)];
        if (!sample.covered) continue;
        sum = sum + sample.colour;
        ++covered;
      }
      uint8_t* texel = &texture[4 * static_cast<size_t>(row * kTextureSide + column)];
      for (int channel = 0; channel < 3 && covered > 0; ++channel) {
        const float value = std::clamp(At(sum, channel) / static_cast<float>(covered), 0.0F, 1.0F);
        texel[channel] = static_cast<uint8_t>(std::lround(255.0F * value));
      }
      texel[3] = static_cast<uint8_t>(255 * covered / (kSpriteSamples * kSpriteSamples));
    }
  }
  return texture;
}

}  // namespace

Float3 Material::At(Point2 p) const {
  const float u = scale * (cosine * p.x + sine * p.y), v = scale * (cosine * p.y - sine * p.x);
  const auto odd = [](float x) { return FloorOf(x) % 2 != 0; };
  float share = 0;  // of the other colour
  switch (pattern) {
    case Pattern::kPlain:
      break;
    case Pattern::kStripes:
      share = odd(2.0F * u) ? 1.0F : 0.0F;
      break;
    case Pattern::kChecks:
      share = 0.5F * ((odd(2.0F * u) ? 1.0F : 0.0F) + (odd(2.0F * v) ? 1.0F : 0.0F));
      break;
    case Pattern::kSpots:
      share = FractalNoise(seed, u, v, 2, 0.3F) > 0.56F ? 1.0F : 0.0F;
      break;
    case Pattern::kClouds:
      share = std::clamp(2.0F * FractalNoise(seed, u, v, 4, 0.6F) - 0.5F, 0.0F, 1.0F);
      break;
  }
  const float tone = 1.0F + folds * (2.0F * FractalNoise(seed + 1, 14.0F * p.x, 9.0F * p.y, 2, 0.6F) - 1.0F);
  return tone * Blend(colour, other, share);
}

Material Material::Darker(float factor) const {
  Material darker = *this;
  darker.colour = factor * colour;
  darker.other = factor * other;
  return darker;
}

Material DrawMaterial(Float3 colour, Float3 other, double patterned, Random& random) {
  Material material;
  material.colour = colour, material.other = other;
  const bool plain = random.Uniform() >= patterned;
  const auto pattern = static_cast<Material::Pattern>(1 + random.Below(4));
  material.pattern = plain ? Material::Pattern::kPlain : pattern;
  material.scale = DrawFloat(random, 5, 25);
  // Stripes lie along or across more often than aslant.
  const float angle =
      random.Uniform() < 0.8 ? 1.5707963F * static_cast<float>(random.Below(2)) : DrawFloat(random, 0, 3);
  material.cosine = std::cos(angle), material.sine = std::sin(angle);
  material.folds = DrawFloat(random, 0.05, 0.3);
  material.relief = DrawFloat(random, 0.3, 0.7);
  material.seed = static_cast<uint32_t>(random.Next() >> 32U);
  return material;
}

Material DrawMaterial(const Palette& palette, double patterned, Random& random) {
  const Float3 colour = palette.Pick(random), other = palette.Pick(random);
  return DrawMaterial(colour, other, patterned, random);
}

bool Sprite::Shape2::Contains(Point2 p, Point2& normal) const {
  switch (kind) {
    case Kind::kCapsule: {
      const Point2 axis = b - a;
      const float t = std::clamp(Dot2(p - a, axis) / std::max(Dot2(axis, axis), 1e-12F), 0.0F, 1.0F);
      normal = (1.0F / (from + t * (to - from))) * (p - (a + t * axis));
      return Dot2(normal, normal) <= 1.0F;
    }
    case Kind::kEllipse: {
      const Point2 d = p - a;
      const Point2 unit{(cosine * d.x + sine * d.y) / b.x, (cosine * d.y - sine * d.x) / b.y};
      normal = {cosine * unit.x - sine * unit.y, sine * unit.x + cosine * unit.y};
      return Dot2(unit, unit) <= 1.0F;
    }
    case Kind::kPolygon: {
      bool inside = false;
      for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
        const Point2 from_corner = corners[j], to_corner = corners[i];
        if ((from_corner.y > p.y) == (to_corner.y > p.y)) continue;
        const float t = (p.y - from_corner.y) / (to_corner.y - from_corner.y);
        if (p.x < from_corner.x + t * (to_corner.x - from_corner.x)) inside = !inside;
      }
      // Rounded across its width.
      normal = {0.8F * (2.0F * (p.x - low.x) / (high.x - low.x) - 1.0F), 0};
      return inside;
    }
  }
  return false;
}

void Sprite::Capsule(Point2 a, Point2 b, float from, float to, const Material& material) {
  Shape2 shape{Shape2::Kind::kCapsule, a, b, from, to, 1, 0, {}, material, {}, {}};
  shape.low = {std::min(a.x - from, b.x - to), std::min(a.y - from, b.y - to)};
  shape.high = {std::max(a.x + from, b.x + to), std::max(a.y + from, b.y + to)};
  shapes_.push_back(shape);
}

void Sprite::Ellipse(Point2 centre, float rx, float ry, float angle, const Material& material) {
  const float c = std::cos(angle), s = std::sin(angle);
  const Point2 reach{std::hypot(rx * c, ry * s), std::hypot(rx * s, ry * c)};
  shapes_.push_back(
      {Shape2::Kind::kEllipse, centre, {rx, ry}, 0, 0, c, s, {}, material, centre - reach, centre + reach});
}

void Sprite::Polygon(std::vector<Point2> corners, const Material& material) {
  Point2 low = corners.front(), high = low;
  for (const Point2& p : corners) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  }
  shapes_.push_back({Shape2::Kind::kPolygon, {}, {}, 0, 0, 1, 0, std::move(corners), material, low, high});
}

Cutout Sprite::Paint(Point2 light) const {
  Point2 low = shapes_.front().low, high = shapes_.front().high;
  for (const Shape2& shape : shapes_) {
    low = {std::min(low.x, shape.low.x), std::min(low.y, shape.low.y)};
    high = {std::max(high.x, shape.high.x), std::max(high.y, shape.high.y)};
  }
  const Point2 step = (1.0F / kSpriteGrid) * (high - low);
  const float towards = std::sqrt(std::max(1.0F - Dot2(light, light), 0.0F));
  std::vector<SpriteSample> samples(static_cast<size_t>(kSpriteGrid) * kSpriteGrid);
  for (const Shape2& shape : shapes_) {
    const auto index = [](float v) { return std::clamp(static_cast<int>(v), 0, kSpriteGrid - 1); };
    const int first = index((shape.low.x - low.x) / step.x), last = index((shape.high.x - low.x) / step.x);
    for (int row = index((shape.low.y - low.y) / step.y); row <= index((shape.high.y - low.y) / step.y);
         ++row) {
      for (int column = first; column <= last; ++column) {
        const Point2 p = low + Point2{(static_cast<float>(column) + 0.5F) * step.x,
                                      (static_cast<float>(row) + 0.5F) * step.y};
        Point2 n;
        if (!shape.Contains(p, n)) continue;
        const float facing = Dot2(n, light) + towards * std::sqrt(std::max(1.0F - Dot2(n, n), 0.0F));
        const float shade = 1.0F - shape.material.relief * (1.0F - std::clamp(facing, 0.0F, 1.0F));
        samples[static_cast<size_t>(row * kSpriteGrid + column)] = {shade * shape.material.At(p), true};
      }
    }
  }
  return {MeansOf(samples), (high.x - low.x) / (high.y - low.y)};
}

}  // namespace wildrayzer
