// PNG and JPEG by libpng and libjpeg, other formats by OpenCV; for .cc files of io only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "wildrayzer/io/image_header.h"

namespace wildrayzer {

// Samples as stored: 1 (grey), 3 (RGB) or 4 (RGBA) a pixel, interleaved, rows from the top.
template <typename T>
struct Samples {
  int width = 0;
  int height = 0;
  int channels = 0;
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

// Rows of `bits` (8 or 16) a sample, channels 1 or 3, to be written.
struct SampleView {
  const void* data = nullptr;
  int width = 0;
  int height = 0;
  int channels = 0;
  int bits = 8;
};

// The decoders give false for what they cannot decode. Orientation is not applied.
// PNG: 1 to 16 bits, palettes become RGB, grey with alpha becomes RGBA. JPEG: CMYK becomes RGB.
bool DecodePng(std::span<const std::byte> bytes, DecodedSamples& out);
bool DecodeJpeg(std::span<const std::byte> bytes, DecodedSamples& out);
// WebP, BMP and TIFF. Raises Error in a build without OpenCV.
bool DecodeOther(std::span<const std::byte> bytes, ImageFormat format, DecodedSamples& out);

// Empty when the encoder gives up. JPEG takes 8 bits.
std::vector<std::byte> EncodePngSamples(const SampleView& view);
std::vector<std::byte> EncodeJpegSamples(const SampleView& view, int quality);

}  // namespace wildrayzer
