// Run-length masks of the COCO format: decoding, encoding and polygon rasterisation, pixel for pixel as the
// COCO tools do.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Largest mask, in pixels, that any function here makes; larger sizes raise Error.
inline constexpr int64_t kMaxMaskPixels = int64_t{1} << 26;

// Run lengths alternating background, foreground over the pixels in column-major order (pixel (x, y) has
// number x * height + y), beginning with background; the first run may be 0. The runs sum to exactly height *
// width.
struct Rle {
  int height = 0;
  int width = 0;
  std::vector<uint32_t> counts;

  // Number of foreground pixels.
  int64_t Area() const;
  bool operator==(const Rle&) const = default;
};

// Checks the size and the runs; a sum below height * width is padded with background (the COCO decoder does
// the same). Raises Error when the size is not within 1 .. kMaxMaskPixels or the runs exceed it.
Rle MakeRle(int64_t height, int64_t width, std::vector<uint32_t> counts);

// Decodes the compressed string form: characters 48 .. 111 carry 5 bits each, least significant group first,
// bit 32 says that another group follows, bit 16 of the last group is the sign; from the fourth count on the
// number is the difference to the count two before. Raises Error for other characters, truncation, more than
// 7 groups and counts outside 32 bits.
Rle DecodeRleString(std::string_view text, int64_t height, int64_t width);
std::string EncodeRleString(const Rle& rle);

// A closed polygon x0, y0, x1, y1, ... in pixels (pixel (x, y) covers [x, x+1] x [y, y+1]) as a mask of
// height x width. It is drawn on a grid five times finer; parts outside the mask are cut off. Raises Error
// for fewer than three points, an odd number of values, and outlines that are not finite or longer than a
// million pixels.
Rle RleFromPolygon(std::span<const double> xy, int64_t height, int64_t width);

// The box [x, y, w, h] in pixels, drawn as the polygon of its four corners.
Rle RleFromBox(const std::array<double, 4>& box, int64_t height, int64_t width);

// Masks of 0 (background) and 255 (foreground); any value above 0 counts as foreground when encoding.
GrayImage MaskFromRle(const Rle& rle);
Rle RleFromMask(const GrayImage& mask);
// Adds the foreground of `rle` to a mask of the same size, otherwise raises Error.
void AddRle(const Rle& rle, GrayImage& mask);

}  // namespace wildrayzer
