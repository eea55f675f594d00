#include "wildrayzer/labels/refinement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// A shape with its anchor in the middle: row i of it reaches from -reach[i] to reach[i], or nowhere when
// that is negative. Squares of an even size reach one pixel less to the right and below, as OpenCV's.
struct Kernel {
  int size = 0;
  std::vector<int> left, right;  // of every row, relative to the anchor, both included
};

Kernel Square(int size) {
  const int anchor = size / 2;
  return {size, std::vector<int>(size, -anchor), std::vector<int>(size, size - 1 - anchor)};
}

Kernel Ellipse(int size) {
  Kernel kernel = Square(size);
  const int radius = size / 2;
  for (int i = 0; i < size; ++i) {
    const int dy = i - radius;
    const int reach = radius == 0
                          ? 0
                          : static_cast<int>(std::lrint(
                                radius * std::sqrt((radius * radius - dy * dy) * (1.0 / (radius * radius)))));
    kernel.left[i] = std::max(-radius, -reach);
    kernel.right[i] = std::min(size - 1 - radius, reach);
  }
  return kernel;
}

const uint8_t& Smaller(const uint8_t& a, const uint8_t& b) { return std::min(a, b); }
const uint8_t& Larger(const uint8_t& a, const uint8_t& b) { return std::max(a, b); }

// `Choose` over the pixels under the kernel; outside the picture nothing counts.
template <const uint8_t& Choose(const uint8_t&, const uint8_t&)>
GrayImage Apply(const GrayImage& mask, const Kernel& kernel, int iterations) {
  GrayImage from = mask, to = mask;
  const int anchor = kernel.size / 2;
  for (int n = 0; n < iterations; ++n) {
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) {
        uint8_t value = from.At(x, y);  // the anchor belongs to every kernel
        for (int i = std::max(0, anchor - y); i < std::min(kernel.size, mask.height - y + anchor); ++i) {
          const uint8_t* row = &from.values[static_cast<size_t>(y + i - anchor) * mask.width];
          const int end = std::min(mask.width - 1, x + kernel.right[i]);
          for (int at = std::max(0, x + kernel.left[i]); at <= end; ++at) value = Choose(value, row[at]);
        }
        to.At(x, y) = value;
      }
    }
    std::swap(from, to);
  }
  return from;
}

}  // namespace

GrayImage PatchesToPixels(std::span<const uint8_t> patches, int rows, int columns, int height, int width) {
  if (rows < 1 || columns < 1 || height % rows != 0 || width % columns != 0 ||
      patches.size() != static_cast<size_t>(rows) * columns) {
    throw Error(fmt::format("{} patches are no grid of {} x {} that divides {} x {} pixels", patches.size(),
                            rows, columns, height, width));
  }
  GrayImage mask(width, height);
  for (int y = 0; y < height; ++y) {
    const size_t row = static_cast<size_t>(y / (height / rows)) * columns;
    for (int x = 0; x < width; ++x) mask.At(x, y) = patches[row + x / (width / columns)] ? 255 : 0;
  }
  return mask;
}

GrayImage CloseMask(const GrayImage& mask, int size, int iterations) {
  const Kernel kernel = Ellipse(size);
  return Apply<Smaller>(Apply<Larger>(mask, kernel, iterations), kernel, iterations);
}

GrayImage OpenMask(const GrayImage& mask, int size, int iterations) {
  const Kernel kernel = Ellipse(size);
  return Apply<Larger>(Apply<Smaller>(mask, kernel, iterations), kernel, iterations);
}

GrayImage ErodeMask(const GrayImage& mask, int size) { return Apply<Smaller>(mask, Square(size), 1); }

GrayImage LargeComponents(const GrayImage& mask, int min_area) {
  GrayImage kept(mask.width, mask.height);
  GrayImage left = mask;  // what was not visited
  std::vector<size_t> component;
  for (size_t first = 0; first < left.values.size(); ++first) {
    if (left.values[first] == 0) continue;
    component.assign(1, first);
    left.values[first] = 0;
    for (size_t next = 0; next < component.size(); ++next) {
      const int x = static_cast<int>(component[next] % mask.width);
      const int y = static_cast<int>(component[next] / mask.width);
      for (int v = std::max(0, y - 1); v <= std::min(mask.height - 1, y + 1); ++v) {
        for (int u = std::max(0, x - 1); u <= std::min(mask.width - 1, x + 1); ++u) {
          if (left.At(u, v) == 0) continue;
          left.At(u, v) = 0;
          component.push_back(static_cast<size_t>(v) * mask.width + u);
        }
      }
    }
    if (static_cast<int64_t>(component.size()) < min_area) continue;
    for (const size_t at : component) kept.values[at] = 255;
  }
  return kept;
}

}  // namespace wildrayzer
