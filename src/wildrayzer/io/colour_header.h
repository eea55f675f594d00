// What the headers of picture files say about colours; for .cc files of io only. Nothing here raises an
// error: what is damaged becomes ColourSpace::problem.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "wildrayzer/io/byte_reader.h"
#include "wildrayzer/io/colour.h"

namespace wildrayzer {

// A profile that stands in the file as it is (WebP, TIFF, BMP, HEIF).
void SetProfile(ColourSpace& colour, std::span<const std::byte> icc);

// The profile that a JPEG's APP2 segments hold in pieces, in any order. `segments` begin at their markers.
void SetJpegProfile(ColourSpace& colour, const std::vector<std::span<const std::byte>>& segments);

// A chunk of a PNG before its pixels, from its length to its checksum; cICP comes before iCCP, iCCP before
// sRGB, and that before gAMA and cHRM, in whatever order they stand.
class PngColour {
 public:
  void Add(std::span<const std::byte> chunk);
  ColourSpace Result() const;

 private:
  std::span<const std::byte> cicp_, iccp_, srgb_, gama_, chrm_;
};

// EXIF: cameras that write Adobe RGB (DCF's "optional colour space") embed no profile.
void SetExifColour(ColourSpace& colour, std::span<const std::byte> tiff);

}  // namespace wildrayzer
