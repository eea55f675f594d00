#include "wildrayzer/vision/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/inferno.h"

namespace wildrayzer {
namespace {

void CheckSameSize(const Image& photo, const GrayImage& map) {
  if (photo.width == map.width && photo.height == map.height && !photo.empty()) return;
  throw Error(fmt::format("a mask of {} x {} does not belong to a picture of {} x {}", map.width, map.height,
                          photo.width, photo.height));
}

// Offsets of a round pen of `thickness` pixels.
std::vector<std::pair<int, int>> Pen(int thickness) {
  const int radius = thickness / 2;
  std::vector<std::pair<int, int>> offsets;
  for (int y = -radius; y <= radius; ++y) {
    for (int x = -radius; x <= radius; ++x) {
      if (x * x + y * y <= radius * radius) offsets.emplace_back(x, y);
    }
  }
  return offsets;
}

// Draws along the pixels of at least `level` that have a side in common with one below it or with the border.
void DrawOutline(const GrayImage& map, int level, const Rgb& color, int thickness, Image& image) {
  const auto inside = [&](int x, int y) {
    return x >= 0 && y >= 0 && x < map.width && y < map.height && map.At(x, y) >= level;
  };
  const auto pen = Pen(thickness);
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      if (!inside(x, y)) continue;
      if (inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1)) continue;
      for (const auto& [dx, dy] : pen) {
        const int u = x + dx, v = y + dy;
        if (u >= 0 && v >= 0 && u < image.width && v < image.height)
          std::copy(color.begin(), color.end(), image.Pixel(u, v));
      }
    }
  }
}

}  // namespace

Image OverlayMask(const Image& photo, const GrayImage& probability, const OverlayStyle& style) {
  CheckSameSize(photo, probability);
  Image result = photo;
  for (size_t i = 0; i < probability.values.size(); ++i) {
    const double weight = std::clamp(style.opacity, 0.0, 1.0) * probability.values[i] / 255.0;
    for (size_t c = 0; c < 3; ++c) {
      uint8_t& value = result.rgb[3 * i + c];
      value =
          static_cast<uint8_t>(std::lround(value + weight * (static_cast<double>(style.color[c]) - value)));
    }
  }
  const int thickness = std::max(1, std::min(photo.width, photo.height) / 256);  // alike at every resolution
  DrawOutline(probability, static_cast<int>(std::ceil(255.0 * style.threshold)), style.color, thickness,
              result);
  return result;
}

Image DimUnknown(const Image& photo, const GrayImage& known) {
  CheckSameSize(photo, known);
  Image result = photo;
  for (size_t i = 0; i < known.values.size(); ++i) {
    if (known.values[i] != 0) continue;
    for (size_t c = 0; c < 3; ++c) result.rgb[3 * i + c] /= 3;
  }
  return result;
}

Image HeatMap(const GrayImage& values) {
  if (values.empty()) throw Error("an empty map cannot be drawn");
  Image colored(values.width, values.height);
  for (size_t i = 0; i < values.values.size(); ++i) {
    const uint32_t color = kInferno[values.values[i]];
    for (size_t c = 0; c < 3; ++c) colored.rgb[3 * i + c] = static_cast<uint8_t>(color >> (16 - 8 * c));
  }
  return colored;
}

}  // namespace wildrayzer
