// What a picture file says about itself, read from the bytes before any decoder sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/colour.h"
#include "wildrayzer/io/images.h"

namespace wildrayzer {

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp, kTiff, kHeif };

struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  int64_t width = 0;  // as stored, before the orientation is applied; HEIF: 0, DecodeHeif looks
  int64_t height = 0;
  int orientation = 1;  // EXIF tag 274: 1 = upright, ..., 8
  ColourSpace colour;
  // What to give to the decoder when it differs from the file: only the parts that make up the pixels,
  // without metadata (profiles, previews, comments), which decoders would otherwise parse and complain about.
  std::vector<std::byte> essential;
};

// Validates the structure of the file (JPEG segments up to the end marker, PNG chunks and their checksums,
// ...) and the size limits of images.h. `name` is used in errors. Raises FileError for everything that cannot
// be decoded safely.
ImageHeader ParseImageHeader(std::span<const std::byte> bytes, const std::string& name);

// Raises FileError for sizes outside the limits of images.h.
void CheckImageSize(int64_t width, int64_t height, const std::string& name);

// Why a file that begins so cannot be read as a picture; nothing: it may be one. Some thousand bytes are
// enough.
std::optional<NoPicture> PictureProblem(std::span<const std::byte> head);

// Orientation (1 to 8) from a TIFF structure as found in EXIF; 1 when absent or damaged.
int OrientationFromTiff(std::span<const std::byte> tiff);

}  // namespace wildrayzer
