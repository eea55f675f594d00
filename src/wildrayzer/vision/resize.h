// Separable resampling of 8-bit pictures, bit for bit as Pillow does it: what the released model's
// preprocessing uses.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

enum class Filter {
  kBilinear,  // triangle, support 1
  kBicubic,   // Catmull-Rom (a = -0.5), support 2
  kLanczos,   // sinc(x) sinc(x / 3), support 3
};

// One axis of a resampling: output sample i is centred at source coordinate origin + (first + i + 0.5) *
// step, where source sample j covers [j, j + 1). The filter is stretched by max(step, 1), so shrinking does
// not alias; weights are renormalised at the borders (no replication).
struct ResampleAxis {
  double origin = 0;
  double step = 1;
  int64_t first = 0;
  int count = 0;
};

// The axis that resizes `in` samples to `out`, of which only [first, first + count) are computed: the values
// are exactly those of a resize followed by a crop.
ResampleAxis ResizeAxis(int in, int64_t out, int64_t first, int count);

// Pillow's arithmetic (src/libImaging/Resample.c): weights rounded to 22 fractional bits, horizontal pass
// first, rounded and clipped to 8 bits, then the vertical pass likewise. Empty inputs or outputs raise Error.
Image Resample(const Image& image, const ResampleAxis& x, const ResampleAxis& y, Filter filter);
GrayImage Resample(const GrayImage& image, const ResampleAxis& x, const ResampleAxis& y, Filter filter);

// Whole-picture resize to width x height, equal to Pillow's Image.resize((width, height), filter).
Image Resize(const Image& image, int width, int height, Filter filter);
GrayImage Resize(const GrayImage& image, int width, int height, Filter filter);

}  // namespace wildrayzer
