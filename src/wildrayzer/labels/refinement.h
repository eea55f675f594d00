// From a choice of patches to a clean mask of pixels (method.md section 5, point 6). Masks: 255 = moves, 0 =
// still.
#pragma once

#include <cstdint>
#include <span>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Nearest upsampling of a grid [rows, columns] (non-zero = moves); rows and columns divide height and width
// (Error).
GrayImage PatchesToPixels(std::span<const uint8_t> patches, int rows, int columns, int height, int width);

// Closing and opening with OpenCV's ellipse of size x size pixels (3: a cross); `iterations` erosions and
// dilations each. Outside the picture nothing counts.
GrayImage CloseMask(const GrayImage& mask, int size, int iterations);
GrayImage OpenMask(const GrayImage& mask, int size, int iterations);

// Erosion with a size x size square.
GrayImage ErodeMask(const GrayImage& mask, int size);

// Without the 8-connected components of fewer than `min_area` pixels.
GrayImage LargeComponents(const GrayImage& mask, int min_area);

// GrabCut (Rother et al. 2004) with the mask eroded 7 x 7 as sure foreground, its complement eroded 7 x 7 as
// sure background and the rest as probable foreground. OpenCV's random state is seeded first, so the result
// depends on the arguments only. Returns the mask as it is when it is empty or full, when OpenCV fails, and
// when nothing would be left.
GrayImage GrabCutMask(const Image& image, const GrayImage& mask, int iterations, int seed);

}  // namespace wildrayzer
