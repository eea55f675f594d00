#include "wildrayzer/vision/frame_shape.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

std::vector<FrameShape> ShapesAbout(int columns, int rows) {
  constexpr double kWidest = 16.0 / 9;
  const double patches = static_cast<double>(columns) * rows;
  std::vector<FrameShape> shapes;
  for (int height = 1; height <= columns * rows; ++height) {
    const int width = static_cast<int>(std::lround(patches / height));
    const bool too_wide = width - 0.5 > kWidest * height, too_high = height - 0.5 > kWidest * width;
    if (too_wide || too_high) continue;
    if (std::abs(static_cast<double>(width) * height - patches) <= 0.08 * patches)
      shapes.push_back({width, height});
  }
  return shapes;
}

FrameShape ShapeOfRatio(double ratio, int columns, int rows) {
  const double patches = static_cast<double>(columns) * rows;
  const double side = std::sqrt(patches), stretch = std::sqrt(ratio);
  FrameShape best = {std::max(1, static_cast<int>(std::lround(side * stretch))),
                     std::max(1, static_cast<int>(std::lround(side / stretch)))};
  const auto error = [ratio](const FrameShape& shape) {
    return std::abs(std::log(shape.columns / (ratio * shape.rows)));
  };
  for (int height = 1; height <= columns * rows; ++height) {
    const FrameShape shape = {std::max(1, static_cast<int>(std::lround(height * ratio))), height};
    const bool near = std::abs(static_cast<double>(shape.columns) * shape.rows - patches) <= 0.2 * patches;
    if (near && error(shape) < error(best)) best = shape;
  }
  return best;
}

double ParseAspect(const std::string& text) {
  const char* const end = text.data() + text.size();
  double width = 0, height = 0;
  const auto first = std::from_chars(text.data(), end, width);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == ':') {
    const auto second = std::from_chars(first.ptr + 1, end, height);
    if (second.ec == std::errc() && second.ptr == end && height > 0 && width / height >= 0.25 &&
        width / height <= 4) {
      return width / height;
    }
  }
  throw UsageError("--aspect " + text + ": give WIDTH:HEIGHT between 1:4 and 4:1, for instance 4:3");
}

}  // namespace wildrayzer
