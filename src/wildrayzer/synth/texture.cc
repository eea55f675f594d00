#include "wildrayzer/synth/texture.h"

#include "wildrayzer/util/error.h"

namespace wildrayzer::synth {
namespace {

constexpr int kEncodeSteps = 16384;

const std::array<float, 256>& LinearTable() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> t{};
    for (int i = 0; i < 256; ++i) t[static_cast<size_t>(i)] = SrgbToLinear(static_cast<float>(i) / 255.0F);
    return t;
  }();
  return table;
}

}  // namespace

float SrgbToLinear(float encoded) {
  return encoded <= 0.04045F ? encoded / 12.92F : std::pow((encoded + 0.055F) / 1.055F, 2.4F);
}

float LinearToSrgb(float linear) {
  return linear <= 0.0031308F ? 12.92F * linear : 1.055F * std::pow(linear, 1.0F / 2.4F) - 0.055F;
}

float LinearFromByte(uint8_t code) { return LinearTable()[code]; }

uint8_t ByteFromLinear(float linear) {
  static const std::vector<uint8_t> table = [] {
    std::vector<uint8_t> t(kEncodeSteps + 1);
    for (int i = 0; i <= kEncodeSteps; ++i) {
      t[static_cast<size_t>(i)] =
          static_cast<uint8_t>(std::lround(255.0F * LinearToSrgb(static_cast<float>(i) / kEncodeSteps)));
    }
    return t;
  }();
  const float clamped = std::clamp(linear, 0.0F, 1.0F);
  return table[static_cast<size_t>(std::lround(clamped * kEncodeSteps))];
}

Texture::Texture(int width, int height, std::vector<uint8_t> rgb) {
  if (width < 1 || height < 1 || width > 4096 || height > 4096 ||
      rgb.size() != 3 * static_cast<size_t>(width) * static_cast<size_t>(height)) {
    throw Error("a texture must have 1 to 4096 pixels a side");
  }
  levels_.push_back({width, height, std::move(rgb)});
  while (levels_.back().width > 1 || levels_.back().height > 1) {
    const Level& fine = levels_.back();
    Level coarse{std::max(1, fine.width / 2), std::max(1, fine.height / 2), {}};
    coarse.rgb.resize(3 * static_cast<size_t>(coarse.width) * static_cast<size_t>(coarse.height));
    size_t out = 0;
    for (int y = 0; y < coarse.height; ++y) {
      for (int x = 0; x < coarse.width; ++x) {
        const int xs[2] = {std::min(2 * x, fine.width - 1), std::min(2 * x + 1, fine.width - 1)};
        const int ys[2] = {std::min(2 * y, fine.height - 1), std::min(2 * y + 1, fine.height - 1)};
        for (int c = 0; c < 3; ++c) {
          float sum = 0;
          for (const int yy : ys) {
            for (const int xx : xs)
              sum += LinearFromByte(fine.rgb[3 * static_cast<size_t>(yy * fine.width + xx) + c]);
          }
          coarse.rgb[out++] = ByteFromLinear(0.25F * sum);
        }
      }
    }
    levels_.push_back(std::move(coarse));
  }
  const Level& last = levels_.back();
  mean_ = Vec3(LinearFromByte(last.rgb[0]), LinearFromByte(last.rgb[1]), LinearFromByte(last.rgb[2]));
}

Vec3 Texture::Sample(const Vec2& uv, float footprint) const {
  int chosen = 0;
  if (footprint > 1.0F) {
    chosen = std::min(static_cast<int>(std::log2(footprint) + 0.5F), static_cast<int>(levels_.size()) - 1);
  }
  const Level& level = levels_[static_cast<size_t>(chosen)];
  const auto wrap = [](float value) { return value - std::floor(value); };
  const float x = wrap(uv.x()) * static_cast<float>(level.width) - 0.5F;
  const float y = wrap(1.0F - uv.y()) * static_cast<float>(level.height) - 0.5F;
  const float fx = std::floor(x), fy = std::floor(y);
  const float ax = x - fx, ay = y - fy;
  // fx is in [-1, width - 1] up to rounding; one conditional step wraps both neighbours.
  int x0 = std::clamp(static_cast<int>(fx), -1, level.width - 1);
  int y0 = std::clamp(static_cast<int>(fy), -1, level.height - 1);
  const int x1 = x0 + 1 == level.width ? 0 : x0 + 1;
  const int y1 = y0 + 1 == level.height ? 0 : y0 + 1;
  if (x0 < 0) x0 = level.width - 1;
  if (y0 < 0) y0 = level.height - 1;
  const auto texel = [&level](int tx, int ty) {
    const uint8_t* p =
        &level
             .rgb[3 * (static_cast<size_t>(ty) * static_cast<size_t>(level.width) + static_cast<size_t>(tx))];
    return Vec3(LinearFromByte(p[0]), LinearFromByte(p[1]), LinearFromByte(p[2]));
  };
  return (1 - ay) * ((1 - ax) * texel(x0, y0) + ax * texel(x1, y0)) +
         ay * ((1 - ax) * texel(x0, y1) + ax * texel(x1, y1));
}

}  // namespace wildrayzer::synth
