#include "wildrayzer/worlds/frame_shape.h"

#include <algorithm>
#include <cmath>

namespace wildrayzer {

std::vector<FrameShape> ShapesAbout(int columns, int rows) {
  const double patches = static_cast<double>(columns) * rows;
  std::vector<FrameShape> shapes;
  for (int height = 1; height <= columns * rows; ++height) {
    const int width = static_cast<int>(std::lround(patches / height));
    const double ratio = static_cast<double>(width) / height;
    if (ratio < 9.0 / 16 || ratio > 16.0 / 9) continue;
    if (std::abs(static_cast<double>(width) * height - patches) <= 0.08 * patches)
      shapes.push_back({width, height});
  }
  return shapes;
}

FrameShape ShapeOfRatio(double ratio, int columns, int rows) {
  const double side = std::sqrt(static_cast<double>(columns) * rows), stretch = std::sqrt(ratio);
  return {std::max(1, static_cast<int>(std::lround(side * stretch))),
          std::max(1, static_cast<int>(std::lround(side / stretch)))};
}

}  // namespace wildrayzer
