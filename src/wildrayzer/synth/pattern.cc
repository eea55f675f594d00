#include "wildrayzer/synth/pattern.h"

#include <functional>

#include "wildrayzer/synth/draw.h"
#include "wildrayzer/synth/sampling.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

float Lattice(uint64_t seed, int x, int y) {
  return UnitFloat(
      MixKeys(seed, (static_cast<uint64_t>(static_cast<uint32_t>(y)) << 32) | static_cast<uint32_t>(x)));
}

// Value noise on a lattice of px x py cells over the unit square, seamless, in [0, 1].
float Noise(uint64_t seed, float x, float y, int px, int py) {
  const float gx = x * static_cast<float>(px), gy = y * static_cast<float>(py);
  const float fx = std::floor(gx), fy = std::floor(gy);
  float ax = gx - fx, ay = gy - fy;
  ax = ax * ax * (3 - 2 * ax);
  ay = ay * ay * (3 - 2 * ay);
  const auto wrap = [](int i, int n) { return ((i % n) + n) % n; };
  const int x0 = wrap(static_cast<int>(fx), px), y0 = wrap(static_cast<int>(fy), py);
  const int x1 = (x0 + 1) % px, y1 = (y0 + 1) % py;
  return (1 - ay) * ((1 - ax) * Lattice(seed, x0, y0) + ax * Lattice(seed, x1, y0)) +
         ay * ((1 - ax) * Lattice(seed, x0, y1) + ax * Lattice(seed, x1, y1));
}

// Sum of octaves, mean 0.5.
float Fractal(uint64_t seed, float x, float y, int px, int py, int octaves) {
  float sum = 0, weight = 0, amplitude = 1;
  for (int o = 0; o < octaves; ++o) {
    sum += amplitude * Noise(seed + static_cast<uint64_t>(o), x, y, px << o, py << o);
    weight += amplitude;
    amplitude *= 0.55F;
  }
  return sum / weight;
}

using Painter = std::function<Vec3(float x, float y)>;  // x right, y up, both in [0, 1); sRGB

Vec3 WoodColor(Random& random) {
  const float tone = Draw(random, 0.3F, 0.8F);
  return ColorFromHsv(Draw(random, 0.05F, 0.11F), Draw(random, 0.25F, 0.65F), tone);
}

Vec3 Grain(uint64_t seed, const Vec3& base, float along, float across, float contrast) {
  const float rings = Fractal(seed, along, across, 2, 24, 3);
  const float pores = Noise(seed + 99, along, across, 16, 128);
  return base * (1.0F + contrast * (rings - 0.5F) + 0.35F * contrast * (pores - 0.5F));
}

Painter Planks(uint64_t seed, Random& random) {
  const Vec3 base = WoodColor(random);
  const int boards = 4 + static_cast<int>(random.Below(6));
  const float contrast = Draw(random, 0.3F, 0.9F);
  return [=](float x, float y) {
    const float row = std::floor(y * static_cast<float>(boards));
    const float shift = Lattice(seed + 1, static_cast<int>(row), 0);
    const float length = x * 2 + shift;
    const int piece = static_cast<int>(std::floor(length)) % 2;
    const float tone = 0.8F + 0.4F * Lattice(seed + 2, static_cast<int>(row), piece);
    const float dy = y * static_cast<float>(boards) - row, dx = length - std::floor(length);
    const bool gap = dy < 0.035F || dx < 0.008F;
    const Vec3 color = Grain(seed + static_cast<uint64_t>(row), base, x, y, contrast) * tone;
    return Vec3(gap ? Vec3(color * 0.45F) : color);
  };
}

Painter Tiles(uint64_t seed, Random& random) {
  const Vec3 base = ColorFromHsv(Draw(random, 0, 1), Draw(random, 0.02F, 0.35F), Draw(random, 0.45F, 0.92F));
  const bool chess = random.Below(3) == 0;
  const Vec3 other = chess ? Vec3(base * Draw(random, 0.3F, 0.6F)) : base;
  const Vec3 joint = Vec3::Constant(Draw(random, 0.35F, 0.75F));
  const int n = 2 * (1 + static_cast<int>(random.Below(2)));
  return [=](float x, float y) {
    const float gx = x * static_cast<float>(n), gy = y * static_cast<float>(n);
    const int ix = static_cast<int>(gx), iy = static_cast<int>(gy);
    const float dx = gx - static_cast<float>(ix), dy = gy - static_cast<float>(iy);
    if (std::min({dx, dy, 1 - dx, 1 - dy}) < 0.018F) return joint;
    const float mottle = 0.85F + 0.3F * Fractal(seed, x, y, 8, 8, 4);
    const float tone = 0.93F + 0.14F * Lattice(seed + 7, ix, iy);
    return Vec3(((ix + iy) % 2 == 0 ? base : other) * mottle * tone);
  };
}

Vec3 WallColor(Random& random) {
  return ColorFromHsv(Draw(random, 0, 1), Draw(random, 0.02F, 0.38F), Draw(random, 0.62F, 0.95F));
}

Painter Plaster(uint64_t seed, Random& random) {
  const Vec3 base = WallColor(random);
  const float contrast = Draw(random, 0.06F, 0.22F);
  return [=](float x, float y) {
    const float coarse = Fractal(seed, x, y, 3, 3, 4), fine = Noise(seed + 50, x, y, 96, 96);
    return Vec3(base * (1 + contrast * (coarse - 0.5F) + 0.07F * (fine - 0.5F)));
  };
}

Painter Stripes(uint64_t seed, Random& random) {
  const Vec3 a = WallColor(random), b = a * Draw(random, 0.7F, 0.9F);
  const int n = 3 + static_cast<int>(random.Below(6));
  const float width = Draw(random, 0.25F, 0.6F);
  return [=](float x, float y) {
    const float p = x * static_cast<float>(n) - std::floor(x * static_cast<float>(n));
    return Vec3((p < width ? b : a) * (0.97F + 0.06F * Noise(seed, x, y, 64, 64)));
  };
}

Painter Ornament(uint64_t seed, Random& random) {
  const Vec3 a = WallColor(random), b = a * Draw(random, 0.55F, 0.85F);
  const Vec3 accent = ColorFromHsv(Draw(random, 0, 1), 0.5F, 0.6F);
  const int n = 2 + static_cast<int>(random.Below(4)), petals = 3 + static_cast<int>(random.Below(5));
  const float depth = Draw(random, 0.2F, 0.6F);
  return [=](float x, float y) {
    const float gy = y * static_cast<float>(2 * n), row = std::floor(gy);
    const float gx = x * static_cast<float>(n) + (static_cast<int>(row) % 2 == 0 ? 0.0F : 0.5F);
    const float dx = (gx - std::floor(gx) - 0.5F) * 2, dy = (gy - row - 0.5F);
    const float r = std::hypot(dx, dy),
                edge = 0.34F * (1 + depth * std::cos(static_cast<float>(petals) * std::atan2(dy, dx)));
    const Vec3 color = r < 0.1F ? accent : r < edge ? b : a;
    return Vec3(color * (0.96F + 0.08F * Noise(seed, x, y, 64, 64)));
  };
}

Painter Brick(uint64_t seed, Random& random) {
  const Vec3 base = ColorFromHsv(Draw(random, 0, 0.1F), Draw(random, 0.1F, 0.6F), Draw(random, 0.45F, 0.85F));
  const Vec3 mortar = Vec3::Constant(Draw(random, 0.5F, 0.85F));
  return [=](float x, float y) {
    const float gy = y * 12, row = std::floor(gy);
    const float gx = x * 4 + (static_cast<int>(row) % 2 == 0 ? 0.0F : 0.5F), column = std::floor(gx);
    const float dx = gx - column, dy = gy - row;
    if (dx < 0.04F || dy < 0.12F) return Vec3(mortar * (0.9F + 0.2F * Noise(seed, x, y, 64, 64)));
    const float tone = 0.75F + 0.5F * Lattice(seed + 3, static_cast<int>(column) % 4, static_cast<int>(row));
    return Vec3(base * tone * (0.85F + 0.3F * Fractal(seed + 4, x, y, 24, 24, 3)));
  };
}

Painter Carpet(uint64_t seed, Random& random) {
  const Vec3 base = ColorFromHsv(Draw(random, 0, 1), Draw(random, 0.05F, 0.5F), Draw(random, 0.3F, 0.75F));
  return [=](float x, float y) {
    return Vec3(base *
                (0.65F + 0.5F * Noise(seed, x, y, 128, 128) + 0.2F * Fractal(seed + 9, x, y, 4, 4, 3)));
  };
}

Painter Rug(uint64_t seed, Random& random) {
  const float hue = Draw(random, 0, 1);
  const Vec3 field = ColorFromHsv(hue, Draw(random, 0.3F, 0.8F), Draw(random, 0.3F, 0.7F));
  const Vec3 border = ColorFromHsv(hue + Draw(random, 0.2F, 0.6F), 0.6F, Draw(random, 0.25F, 0.8F));
  const Vec3 motif = ColorFromHsv(hue + Draw(random, 0.1F, 0.9F), 0.5F, 0.85F);
  const int n = 3 + static_cast<int>(random.Below(5));
  return [=](float x, float y) {
    const float edge = std::min({x, y, 1 - x, 1 - y});
    const float gx = x * static_cast<float>(n), gy = y * static_cast<float>(n);
    const float diamond = std::abs(gx - std::floor(gx) - 0.5F) + std::abs(gy - std::floor(gy) - 0.5F);
    Vec3 color = edge < 0.03F || (edge > 0.07F && edge < 0.09F) ? border : diamond < 0.3F ? motif : field;
    if (edge >= 0.09F && diamond > 0.42F) color = 0.5F * (color + border);
    return Vec3(color * (0.75F + 0.5F * Noise(seed, x, y, 128, 128)));
  };
}

Painter Fabric(uint64_t seed, Random& random) {
  const Vec3 a = ColorFromHsv(Draw(random, 0, 1), Draw(random, 0.1F, 0.7F), Draw(random, 0.25F, 0.85F));
  const Vec3 b = a * Draw(random, 0.5F, 0.95F);
  const int n = 2 + static_cast<int>(random.Below(8));
  return [=](float x, float y) {
    const bool sx = std::fmod(x * static_cast<float>(n), 1.0F) < 0.4F,
               sy = std::fmod(y * static_cast<float>(n), 1.0F) < 0.4F;
    const Vec3 color = sx && sy ? b : sx || sy ? Vec3(0.5F * (a + b)) : a;
    return Vec3(color * (0.85F + 0.3F * Noise(seed, x, y, 100, 100)));
  };
}

Painter Wood(uint64_t seed, Random& random) {
  const Vec3 base = WoodColor(random);
  const float contrast = Draw(random, 0.3F, 0.8F);
  return [=](float x, float y) { return Grain(seed, base, y, x, contrast); };
}

Painter Marble(uint64_t seed, Random& random) {
  const Vec3 base = ColorFromHsv(Draw(random, 0, 1), Draw(random, 0, 0.2F), Draw(random, 0.5F, 0.95F));
  const float sign = random.Below(2) == 0 ? -0.5F : 0.35F;
  return [=](float x, float y) {
    const float vein = 1 - std::abs(2 * Fractal(seed, x, y, 3, 3, 5) - 1);
    return Vec3(base *
                (1 + sign * std::pow(vein, 12.0F) + 0.15F * (Fractal(seed + 20, x, y, 4, 4, 3) - 0.5F)));
  };
}

Painter Skin(uint64_t seed, Random& random) {
  return [=](float x, float y) { return Vec3(Vec3::Constant(0.8F + 0.25F * Fractal(seed, x, y, 6, 6, 4))); };
}

// Hills under a sky, or shapes on a ground: what hangs in frames.
Painter Painting(uint64_t seed, Random& random) {
  const float hue = Draw(random, 0, 1);
  const Vec3 sky = ColorFromHsv(hue, Draw(random, 0.1F, 0.6F), 0.9F),
             land = ColorFromHsv(hue + 0.4F, 0.55F, 0.5F);
  if (random.Below(2) == 0) {
    return [=](float x, float y) {
      const float hill = 0.35F + 0.35F * (Fractal(seed, x * 0.6F, 0.3F, 4, 1, 4) - 0.3F);
      const float near = 0.15F + 0.2F * Fractal(seed + 5, x * 0.7F, 0.6F, 6, 1, 3);
      const Vec3 color = y < near ? Vec3(land * 0.6F) : y < hill ? land : Vec3(sky * (0.7F + 0.3F * y));
      return Vec3(color * (0.8F + 0.4F * Fractal(seed + 8, x, y, 16, 16, 3)));
    };
  }
  struct Shape {
    float x, y, r;
    Vec3 color;
  };
  std::vector<Shape> shapes;
  for (int i = 0; i < 9; ++i) {
    shapes.push_back(
        {Draw(random, 0, 1), Draw(random, 0, 1), Draw(random, 0.06F, 0.3F),
         ColorFromHsv(hue + Draw(random, 0, 0.5F), Draw(random, 0.3F, 0.9F), Draw(random, 0.2F, 0.95F))});
  }
  return [=](float x, float y) {
    Vec3 color = sky;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const Shape& s = shapes[i];
      const float dx = x - s.x, dy = y - s.y;
      const bool inside =
          i % 2 == 0 ? std::hypot(dx, dy) < s.r : std::max(std::abs(dx), std::abs(dy) * 1.6F) < s.r;
      if (inside) color = s.color;
    }
    return Vec3(color * (0.9F + 0.2F * Noise(seed, x, y, 40, 40)));
  };
}

Painter Landscape(uint64_t seed, Random& random) {
  const float haze = Draw(random, 0.3F, 0.8F), hue = Draw(random, 0.22F, 0.36F);
  const Vec3 blue = ColorFromHsv(Draw(random, 0.55F, 0.62F), Draw(random, 0.1F, 0.5F), 1.0F);
  return [=](float x, float y) {
    const float cloud = std::clamp(2 * Fractal(seed + 1, x, y, 4, 6, 5) - 0.7F, 0.0F, 1.0F);
    const float tree = 0.36F + 0.25F * (Fractal(seed, x, 0.2F, 8, 1, 5) - 0.4F);
    if (y > tree) return Vec3(blue + cloud * haze * (Vec3::Ones() - blue));
    const float leaf = Fractal(seed + 2, x, y, 24, 24, 4);
    const Vec3 green = ColorFromHsv(hue, 0.45F, 0.3F + 0.5F * leaf);
    return Vec3(y < 0.2F ? ColorFromHsv(hue, 0.4F, 0.55F + 0.2F * leaf) : green);
  };
}

Painter MakePainter(Pattern pattern, uint64_t seed, Random& random) {
  switch (pattern) {
    case Pattern::kPlanks:
      return Planks(seed, random);
    case Pattern::kTiles:
      return Tiles(seed, random);
    case Pattern::kPlaster:
      return Plaster(seed, random);
    case Pattern::kStripes:
      return Stripes(seed, random);
    case Pattern::kOrnament:
      return Ornament(seed, random);
    case Pattern::kBrick:
      return Brick(seed, random);
    case Pattern::kCarpet:
      return Carpet(seed, random);
    case Pattern::kRug:
      return Rug(seed, random);
    case Pattern::kFabric:
      return Fabric(seed, random);
    case Pattern::kWood:
      return Wood(seed, random);
    case Pattern::kMarble:
      return Marble(seed, random);
    case Pattern::kSkin:
      return Skin(seed, random);
    case Pattern::kPainting:
      return Painting(seed, random);
    case Pattern::kLandscape:
      break;
  }
  return Landscape(seed, random);
}

}  // namespace

Vec3 ColorFromHsv(float hue, float saturation, float value) {
  const auto channel = [&](float offset) {
    const float k = std::fmod(offset + hue * 6.0F + 60.0F, 6.0F);
    return value - value * saturation * std::clamp(std::min(k, 4.0F - k), 0.0F, 1.0F);
  };
  return {channel(5), channel(3), channel(1)};
}

TexturePtr MakePattern(Pattern pattern, uint64_t seed, int size) {
  Random random(seed, "pattern");
  const Painter paint = MakePainter(pattern, seed, random);
  std::vector<uint8_t> rgb(3 * static_cast<size_t>(size) * static_cast<size_t>(size));
  size_t out = 0;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const Vec3 color = paint((static_cast<float>(column) + 0.5F) / static_cast<float>(size),
                               1.0F - (static_cast<float>(row) + 0.5F) / static_cast<float>(size));
      for (int c = 0; c < 3; ++c)
        rgb[out++] = static_cast<uint8_t>(std::lround(255 * std::clamp(color[c], 0.0F, 1.0F)));
    }
  }
  return std::make_shared<const Texture>(size, size, std::move(rgb));
}

}  // namespace wildrayzer::synth
