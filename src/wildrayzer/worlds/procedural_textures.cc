// Textures of things, floors and walls. Each kind is a function of a point in the unit square (x right, y
// down), sampled four times a texel.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "wildrayzer/worlds/palette.h"
#include "wildrayzer/worlds/texture_bank.h"

namespace wildrayzer {
namespace {

constexpr int kSamples = 2;  // of a texel, along each axis
constexpr int kGrid = kSamples * kTextureSide;
constexpr float kTurn = 6.2831853F;

using Painter = std::function<Float3(float x, float y)>;

uint32_t DrawSeed(Random& random) { return static_cast<uint32_t>(random.Next() >> 32U); }
int DrawInt(Random& random, int low, int high) {
  return low + static_cast<int>(random.Below(static_cast<uint64_t>(high - low + 1)));
}
bool Chance(Random& random, double probability) { return random.Uniform() < probability; }
float Fraction(float x) { return x - static_cast<float>(FloorOf(x)); }

// A leaf of the dead leaves: a convex shape with a shading of its own.
struct Leaf {
  float x, y, radius, cosine, sine;
  int corners;    // 0: a disc
  float slender;  // height over width
  Float3 colour, gradient;
  float stripes;  // over the leaf; 0: none

  // The colour of a point of the leaf; false outside.
  bool Paint(float px, float py, Float3& out) const {
    const float dx = (px - x) / radius, dy = (py - y) / radius;
    const float a = cosine * dx + sine * dy, b = (cosine * dy - sine * dx) / slender;
    if (corners == 4) {
      if (std::max(std::abs(a), std::abs(b)) > 0.8F) return false;
    } else {
      float reach = 1.0F;
      if (corners > 0) {
        const float sector = kTurn / static_cast<float>(corners);
        const float angle = Fraction(std::atan2(b, a) / sector) - 0.5F;
        reach = std::cos(0.5F * sector) / std::cos(angle * sector);
      }
      if (a * a + b * b > reach * reach) return false;
    }
    const float tone = stripes > 0 && Fraction(stripes * a) < 0.5F ? 0.75F : 1.0F;
    out = tone * (colour + a * gradient);
    return true;
  }
};

Leaf DrawLeaf(const Palette& palette, float smallest, float largest, int corners, bool upright,
              Random& random) {
  Leaf leaf{};
  leaf.x = DrawFloat(random, -0.1, 1.1), leaf.y = DrawFloat(random, -0.1, 1.1);
  // Probability density proportional to radius^-3: scale-free occlusion.
  const float ratio = smallest / largest;
  leaf.radius = smallest / std::sqrt(1.0F - DrawFloat(random, 0, 1) * (1.0F - ratio * ratio));
  const float angle = upright ? 0.0F : DrawFloat(random, 0, kTurn);
  leaf.cosine = std::cos(angle), leaf.sine = std::sin(angle);
  leaf.corners = corners;
  leaf.slender = DrawFloat(random, 0.35, 1);
  leaf.colour = palette.Pick(random);
  leaf.gradient = DrawFloat(random, -0.25, 0.25) * leaf.colour;
  leaf.stripes = Chance(random, 0.15) ? DrawFloat(random, 1, 5) : 0.0F;
  return leaf;
}

Painter DeadLeaves(Random& random) {
  const Palette palette(random);
  std::vector<Float3> grid(static_cast<size_t>(kGrid) * kGrid, palette.Pick(random));
  const float smallest = DrawFloat(random, 0.02, 0.09), largest = DrawFloat(random, 0.2, 0.6);
  const int kind = DrawInt(random, 0, 3);  // discs, boxes, polygons, all
  const bool upright = Chance(random, 0.3);
  // Until the square has been covered about three times over; later leaves lie on earlier ones.
  for (double covered = 0; covered < 3;) {
    const int shape = kind == 3 ? DrawInt(random, 0, 2) : kind;
    const int corners = shape == 0 ? 0 : shape == 1 ? 4 : DrawInt(random, 3, 7);
    const Leaf leaf = DrawLeaf(palette, smallest, largest, corners, upright, random);
    covered += 2.0 * leaf.radius * leaf.radius * leaf.slender;
    const auto first = [](float v) { return std::clamp(static_cast<int>(v * kGrid), 0, kGrid - 1); };
    const float reach = 1.2F * leaf.radius;
    for (int row = first(leaf.y - reach); row <= first(leaf.y + reach); ++row) {
      for (int column = first(leaf.x - reach); column <= first(leaf.x + reach); ++column) {
        leaf.Paint((static_cast<float>(column) + 0.5F) / kGrid, (static_cast<float>(row) + 0.5F) / kGrid,
                   grid[static_cast<size_t>(row * kGrid + column)]);
      }
    }
  }
  return [grid = std::move(grid)](float x, float y) {
    const auto at = [](float v) { return std::clamp(static_cast<int>(v * kGrid), 0, kGrid - 1); };
    return grid[static_cast<size_t>(at(y) * kGrid + at(x))];
  };
}

// 1/f noise through the palette: clouds, stone, plaster, lawn.
Painter Clouds(Random& random) {
  const Palette palette(random);
  const uint32_t seed = DrawSeed(random);
  const float wide = DrawFloat(random, 1.5, 8),
              high = Chance(random, 0.7) ? wide : DrawFloat(random, 1.5, 24);
  const float gain = DrawFloat(random, 0.4, 0.8), contrast = DrawFloat(random, 0.8, 3);
  const float speckle = DrawFloat(random, 0, 0.12);
  return [=](float x, float y) {
    const float level = 0.5F + contrast * (FractalNoise(seed, wide * x, high * y, 6, gain) - 0.5F);
    return (1.0F + speckle * (LatticeNoise(seed + 7, 110 * x, 110 * y) - 0.5F)) * palette.Along(level);
  };
}

Painter Marble(Random& random) {
  const Palette palette(random);
  const uint32_t seed = DrawSeed(random);
  const float angle = DrawFloat(random, 0, kTurn), veins = DrawFloat(random, 3, 14),
              swirl = DrawFloat(random, 2, 9);
  const float along = veins * std::cos(angle), across = veins * std::sin(angle),
              sharp = DrawFloat(random, 0.5, 3);
  return [=](float x, float y) {
    const float wave = along * x + across * y + swirl * FractalNoise(seed, 3 * x, 3 * y, 5, 0.55F);
    return palette.Along(std::pow(0.5F + 0.5F * std::sin(wave), sharp));
  };
}

// A row of bands over [0, 1) of random or equal width.
struct Bands {
  std::vector<float> ends;
  std::vector<Float3> colours;

  Bands(const Palette& palette, int count, float jitter, Random& random) {
    const int kinds = DrawInt(random, 2, 5);
    float end = 0;
    for (int i = 0; i < count; ++i) {
      end += 1.0F + jitter * DrawFloat(random, -0.8, 1.5);
      ends.push_back(end);
      colours.push_back(kinds == 5 ? DrawFloat(random, 0.8, 1.1) * palette.Pick(random)
                                   : palette[static_cast<size_t>(i % kinds)]);
    }
    for (float& e : ends) e /= end;
  }
  size_t At(float t) const {
    const auto place = std::upper_bound(ends.begin(), ends.end(), Fraction(t));
    return std::min(static_cast<size_t>(place - ends.begin()), ends.size() - 1);
  }
};

Painter Stripes(Random& random) {
  const Palette palette(random);
  const Bands bands(palette, DrawInt(random, 2, 14), Chance(random, 0.5) ? 0.0F : 0.9F, random);
  const float repeats = static_cast<float>(DrawInt(random, 1, 3));
  const float angle =
      Chance(random, 0.7) ? 0.25F * kTurn * static_cast<float>(random.Below(2)) : DrawFloat(random, 0, kTurn);
  const float cosine = repeats * std::cos(angle), sine = repeats * std::sin(angle);
  const float wave = Chance(random, 0.3) ? DrawFloat(random, 0.01, 0.06) : 0.0F;
  const uint32_t seed = DrawSeed(random);
  return [=](float x, float y) {
    const float t = cosine * x + sine * y + wave * std::sin(4 * kTurn * (cosine * y - sine * x) / repeats);
    return (0.94F + 0.12F * LatticeNoise(seed, 70 * x, 70 * y)) * bands.colours[bands.At(t)];
  };
}

// Woven cloth: bands along both axes.
Painter Plaid(Random& random) {
  const Palette palette(random);
  const Bands warp(palette, DrawInt(random, 3, 8), 0.9F, random);
  const Bands weft = Chance(random, 0.6) ? warp : Bands(palette, DrawInt(random, 3, 8), 0.9F, random);
  const float repeats = static_cast<float>(DrawInt(random, 1, 4));
  const uint32_t seed = DrawSeed(random);
  return [=](float x, float y) {
    const Float3 mixed = Blend(warp.colours[warp.At(repeats * x)], weft.colours[weft.At(repeats * y)], 0.5F);
    return (0.88F + 0.24F * LatticeNoise(seed, 100 * x, 100 * y)) * mixed;
  };
}

// Tiles, bricks and checkers, with or without joints.
Painter Tiles(Random& random) {
  const Palette palette(random);
  const uint32_t seed = DrawSeed(random);
  const bool bricks = Chance(random, 0.4), checkers = !bricks && Chance(random, 0.4);
  const float columns = static_cast<float>(DrawInt(random, 2, 8));
  const float rows = bricks                ? std::round(columns * DrawFloat(random, 1.5, 3))
                     : Chance(random, 0.7) ? columns
                                           : std::round(columns * DrawFloat(random, 0.5, 2));
  const float joint = Chance(random, 0.8) ? DrawFloat(random, 0.004, 0.014) : 0.0F;
  const Float3 mortar = Chance(random, 0.5) ? palette[4] : palette[0];
  const Float3 one = palette[1 + random.Below(3)], other = checkers ? palette[4 * random.Below(2)] : one;
  const float variety = DrawFloat(random, 0, 0.35), mottle = DrawFloat(random, 0, 0.4),
              odd = Chance(random, 0.25) ? 0.2F : 0.0F;
  return [=](float x, float y) {
    const float gy = rows * y;
    const int row = FloorOf(gy);
    const float gx = columns * x + (bricks && row % 2 != 0 ? 0.5F : 0.0F);
    const int column = FloorOf(gx);
    const float dx = std::min(gx - static_cast<float>(column), static_cast<float>(column + 1) - gx) / columns;
    const float dy = std::min(gy - static_cast<float>(row), static_cast<float>(row + 1) - gy) / rows;
    if (std::min(dx, dy) < joint) return (0.9F + 0.2F * LatticeNoise(seed + 1, 80 * x, 80 * y)) * mortar;
    const float chance = LatticeValue(seed, column, row);
    const Float3 colour = odd > chance ? palette.Along(5 * chance) : (row + column) % 2 == 0 ? one : other;
    const float tone = 1.0F + variety * (LatticeValue(seed + 2, column, row) - 0.5F);
    return (tone * (1.0F + mottle * (FractalNoise(seed + 3, 9 * x, 9 * y, 4, 0.6F) - 0.5F))) * colour;
  };
}

// Boards with grain, or one piece of wood.
Painter Wood(Random& random) {
  const uint32_t seed = DrawSeed(random);
  const Float3 light = DrawColour(random, {0.04, 0.11}, {0.15, 0.65}, {0.3, 0.9});
  const Float3 dark = DrawFloat(random, 0.35, 0.8) * light;
  const int boards = Chance(random, 0.3) ? 1 : DrawInt(random, 3, 10);
  const float rings = DrawFloat(random, 5, 22), pieces = DrawFloat(random, 0.7, 2),
              variety = DrawFloat(random, 0.1, 0.45);
  const bool upright = Chance(random, 0.5);
  return [=](float x, float y) {
    const float along = upright ? y : x, across = (upright ? x : y) * static_cast<float>(boards);
    const int board = FloorOf(across);
    const float length = pieces * along + LatticeValue(seed, board, 0);
    const int piece = FloorOf(length);
    const float gap_across =
        std::min(across - static_cast<float>(board), static_cast<float>(board + 1) - across);
    const float gap = std::min(gap_across / static_cast<float>(boards), Fraction(length) / pieces);
    const uint32_t own = seed + static_cast<uint32_t>(101 * board + 13 * piece);
    const float centre = LatticeValue(own, 1, 1) * 2.0F - 0.5F;
    const float side = across - static_cast<float>(board) - centre;
    const float ring = Fraction(rings * std::abs(side) * (0.8F + 0.4F * LatticeNoise(own, 3 * along, side)) +
                                1.5F * FractalNoise(own + 1, 2.5F * along, 2 * side, 3, 0.5F));
    const float pores = LatticeNoise(own + 2, 10 * along, 130 * side / static_cast<float>(boards));
    const float tone = 1.0F + variety * (LatticeValue(own, 2, 2) - 0.5F);
    const float seam = boards > 1 && gap < 0.005F ? 0.5F : 1.0F;
    return (seam * tone) * Blend(light, dark, std::clamp(0.65F * ring + 0.35F * pores, 0.0F, 1.0F));
  };
}

// Shelves of books.
Painter Books(Random& random) {
  const Palette palette(random), second(random);
  const uint32_t seed = DrawSeed(random);
  const int shelves = DrawInt(random, 2, 5);
  std::vector<Bands> rows;
  for (int i = 0; i < shelves; ++i) {
    rows.emplace_back(palette, DrawInt(random, 8, 22), 0.7F, random);
    for (Float3& colour : rows.back().colours) {
      colour = DrawFloat(random, 0.7, 1.1) * (Chance(random, 0.5) ? palette : second).Pick(random);
    }
  }
  const Float3 board = 0.8F * palette.Pick(random);
  const float label = DrawFloat(random, 0.2, 0.7);
  return [=](float x, float y) {
    const float g = y * static_cast<float>(shelves);
    const int shelf = std::min(FloorOf(g), shelves - 1);
    const float up = static_cast<float>(shelf + 1) - g;  // 0: the shelf's board, 1: the one above
    if (up < 0.08F) return board;
    const Bands& books = rows[static_cast<size_t>(shelf)];
    const size_t book = books.At(x);
    const float height = 0.65F + 0.28F * LatticeValue(seed, static_cast<int>(book), shelf);
    if (up > height) return 0.15F * board;
    const float begin = book == 0 ? 0.0F : books.ends[book - 1], middle = 0.5F * (begin + books.ends[book]);
    const float round = 1.0F - 0.35F * std::abs(x - middle) / std::max(middle - begin, 1e-3F);
    const bool marked =
        std::abs(up - label) < 0.06F && LatticeValue(seed + 1, static_cast<int>(book), shelf) < 0.6F;
    return round * (marked ? palette[4] : books.colours[book]);
  };
}

// The square cut into panels again and again: doors of cupboards, windows, screens, posters.
Painter Panels(Random& random) {
  struct Panel {
    float left, top, right, bottom;
    Float3 colour;
  };
  const Palette palette(random);
  std::vector<Panel> panels{{0, 0, 1, 1, palette[2]}};
  const int cuts = DrawInt(random, 2, 14);
  for (int i = 0; i < cuts; ++i) {
    // The widest of three, so that sizes differ without slivers.
    size_t chosen = random.Below(panels.size());
    for (int tries = 0; tries < 2; ++tries) {
      const size_t c = random.Below(panels.size());
      const auto area = [&](size_t k) {
        return (panels[k].right - panels[k].left) * (panels[k].bottom - panels[k].top);
      };
      if (area(c) > area(chosen)) chosen = c;
    }
    Panel half = panels[chosen];
    const float at = Chance(random, 0.5) ? 0.5F : DrawFloat(random, 0.3, 0.7);
    if (half.right - half.left > half.bottom - half.top) {
      half.left = panels[chosen].right = half.left + at * (half.right - half.left);
    } else {
      half.top = panels[chosen].bottom = half.top + at * (half.bottom - half.top);
    }
    half.colour = DrawFloat(random, 0.85, 1.1) * (Chance(random, 0.5) ? half.colour : palette.Pick(random));
    panels.push_back(half);
  }
  const float frame = DrawFloat(random, 0.004, 0.025), sheen = DrawFloat(random, -0.3, 0.3);
  const Float3 edge = DrawFloat(random, 0.5, 1.1) * palette.Pick(random);
  const uint32_t seed = DrawSeed(random);
  return [=](float x, float y) {
    for (const Panel& p : panels) {
      if (x < p.left || x > p.right || y < p.top || y > p.bottom) continue;
      const float inside = std::min({x - p.left, p.right - x, y - p.top, p.bottom - y});
      if (inside < frame) return edge;
      const float slope = 1.0F + sheen * ((y - p.top) / (p.bottom - p.top) - 0.5F);
      return (slope * (0.96F + 0.08F * LatticeNoise(seed, 40 * x, 40 * y))) * p.colour;
    }
    return edge;
  };
}

// Paint, plaster, carpet.
Painter Plain(Random& random) {
  const Float3 colour = Palette(random).Pick(random);
  const uint32_t seed = DrawSeed(random);
  const float coarse = DrawFloat(random, 0.02, 0.2),
              fine = Chance(random, 0.3) ? DrawFloat(random, 0.2, 0.6) : DrawFloat(random, 0, 0.08);
  return [=](float x, float y) {
    const float tone = coarse * (FractalNoise(seed, 3 * x, 3 * y, 4, 0.5F) - 0.5F) +
                       fine * (LatticeNoise(seed + 9, 90 * x, 90 * y) - 0.5F);
    return (1.0F + tone) * colour;
  };
}

Painter DrawPainter(Random& random) {
  struct Kind {
    double share;
    Painter (*draw)(Random&);
  };
  static constexpr Kind kKinds[] = {{0.17, DeadLeaves}, {0.12, Clouds}, {0.05, Marble}, {0.09, Stripes},
                                    {0.06, Plaid},      {0.16, Tiles},  {0.13, Wood},   {0.07, Books},
                                    {0.11, Panels},     {0.04, Plain}};
  double place = random.Uniform();
  for (const Kind& kind : kKinds) {
    if ((place -= kind.share) < 0) return kind.draw(random);
  }
  return Plain(random);
}

// Patches of one in another, or one faintly over another.
Painter Mixed(Random& random) {
  const Painter below = DrawPainter(random), above = DrawPainter(random);
  const uint32_t seed = DrawSeed(random);
  if (Chance(random, 0.5)) {
    const float share = DrawFloat(random, 0.15, 0.5);
    return [=](float x, float y) { return Blend(below(x, y), above(x, y), share); };
  }
  const float patches = DrawFloat(random, 1.5, 5), level = DrawFloat(random, 0.45, 0.6);
  return [=](float x, float y) {
    return FractalNoise(seed, patches * x, patches * y, 3, 0.4F) > level ? above(x, y) : below(x, y);
  };
}

}  // namespace

Texture ProceduralTexture(Random& random) {
  const Painter paint = Chance(random, 0.15) ? Mixed(random) : DrawPainter(random);
  // Unevenness of what has been used and is not lit evenly.
  const uint32_t seed = DrawSeed(random);
  const float uneven = Chance(random, 0.4) ? DrawFloat(random, 0.05, 0.4) : 0.0F;
  Texture texture(static_cast<size_t>(kTextureSide) * kTextureSide * 4);
  for (int row = 0; row < kTextureSide; ++row) {
    for (int column = 0; column < kTextureSide; ++column) {
      Float3 sum;
      for (int sample = 0; sample < kSamples * kSamples; ++sample) {
        const int x = kSamples * column + sample % kSamples, y = kSamples * row + sample / kSamples;
        sum = sum + paint((static_cast<float>(x) + 0.5F) / kGrid, (static_cast<float>(y) + 0.5F) / kGrid);
      }
      const float u = static_cast<float>(column) / kTextureSide, v = static_cast<float>(row) / kTextureSide;
      const float tone =
          uneven > 0 ? 1.0F + uneven * (FractalNoise(seed, 2.5F * u, 2.5F * v, 3, 0.5F) - 0.5F) : 1.0F;
      uint8_t* texel = &texture[4 * static_cast<size_t>(row * kTextureSide + column)];
      for (int channel = 0; channel < 3; ++channel) {
        const float value = tone * At(sum, channel) / (kSamples * kSamples);
        texel[channel] = static_cast<uint8_t>(255.0F * std::clamp(value, 0.0F, 1.0F) + 0.5F);
      }
      texel[3] = 255;
    }
  }
  return texture;
}

}  // namespace wildrayzer
