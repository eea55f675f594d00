// Pictures between a decoder and an Image: of either depth, with or without colour and alpha; for .cc files
// of io only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Samples as stored: 1 (grey), 3 (RGB) or 4 (RGBA, or CMYK) a pixel, interleaved, rows from the top.
template <typename T>
struct Samples {
  int width = 0;
  int height = 0;
  int channels = 0;
  bool cmyk = false;  // four inks, as Adobe's programs write them: the largest value is no ink
  std::vector<T> values;

  Samples() = default;
  Samples(int w, int h, int c)
      : width(w), height(h), channels(c), values(static_cast<size_t>(w) * static_cast<size_t>(h) * c) {}
  const T* Pixel(int x, int y) const {
    return values.data() + (static_cast<size_t>(y) * width + x) * static_cast<size_t>(channels);
  }
  T* Pixel(int x, int y) { return const_cast<T*>(std::as_const(*this).Pixel(x, y)); }
};
using DecodedSamples = std::variant<Samples<uint8_t>, Samples<uint16_t>>;

// Made upright, by a value of the EXIF orientation tag (1 to 8).
DecodedSamples Upright(DecodedSamples stored, int orientation);

// RGB of inks about which nothing is known.
DecodedSamples PlainRgbOfCmyk(const DecodedSamples& inks);

// RGB(A) or grey of either depth to 8-bit RGB, transparent parts over white.
Image ToRgb(const DecodedSamples& samples);

// 16-bit samples v become round(v / 257).
inline uint8_t To8Bit(uint8_t value) { return value; }
inline uint8_t To8Bit(uint16_t value) { return static_cast<uint8_t>((value + 128u) / 257u); }

}  // namespace wildrayzer
