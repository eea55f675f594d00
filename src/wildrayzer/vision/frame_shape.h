// Shapes of frames that hold about the same number of patches.
#pragma once

#include <string>
#include <vector>

namespace wildrayzer {

// A frame in patches.
struct FrameShape {
  int columns = 0, rows = 0;
};

// All shapes from 16:9 to 9:16, to within half a patch, with a number of patches within 8 % of columns *
// rows, widest first.
std::vector<FrameShape> ShapesAbout(int columns, int rows);

// The shape whose width over height is nearest to `ratio`, of those with a number of patches within 20 % of
// columns * rows.
FrameShape ShapeOfRatio(double ratio, int columns, int rows);

// "4:3" as 4/3. UsageError for other texts, naming --aspect, and for what is not between 1:4 and 4:1.
double ParseAspect(const std::string& text);

}  // namespace wildrayzer
