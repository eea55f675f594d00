// Shapes of frames that hold about the same number of patches.
#pragma once

#include <vector>

namespace wildrayzer {

// A frame in patches.
struct FrameShape {
  int columns = 0, rows = 0;
};

// All shapes between 16:9 and 9:16 with a number of patches within 8 % of columns * rows, widest first.
std::vector<FrameShape> ShapesAbout(int columns, int rows);

// The shape of about columns * rows patches whose width over height is nearest to `ratio`.
FrameShape ShapeOfRatio(double ratio, int columns, int rows);

}  // namespace wildrayzer
