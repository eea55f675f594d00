// PNG and JPEG by libpng and libjpeg, HEIF by libheif, other formats by OpenCV; for .cc files of io only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/samples.h"

namespace wildrayzer {

// A picture that is data: upright, values as stored. Raises FileError (images.h).
DecodedSamples ReadSamples(const std::filesystem::path& path);

// Rows of `bits` (8 or 16) a sample, channels 1 or 3, to be written.
struct SampleView {
  const void* data = nullptr;
  int width = 0;
  int height = 0;
  int channels = 0;
  int bits = 8;
};

// The decoders give false for what they cannot decode. Orientation is not applied.
// PNG: 1 to 16 bits, palettes become RGB, grey with alpha becomes RGBA. JPEG: CMYK stays.
bool DecodePng(std::span<const std::byte> bytes, DecodedSamples& out);
bool DecodeJpeg(std::span<const std::byte> bytes, DecodedSamples& out);
// HEIC and AVIF: upright, as they hold their turns themselves. What they say about colours goes to `colour`.
// Raises FileError for sizes outside the limits and for what the installed libheif has no decoder for, Error
// in a build without it.
bool DecodeHeif(std::span<const std::byte> bytes, const std::string& name, ColourSpace& colour,
                DecodedSamples& out);
// WebP, BMP and TIFF. Raises Error in a build without OpenCV.
bool DecodeOther(std::span<const std::byte> bytes, ImageFormat format, DecodedSamples& out);

// Empty when the encoder gives up. JPEG takes 8 bits.
std::vector<std::byte> EncodePngSamples(const SampleView& view);
std::vector<std::byte> EncodeJpegSamples(const SampleView& view, int quality);

}  // namespace wildrayzer
