// What a file says about its colours, and their conversion to sRGB, in which all pictures of the program are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wildrayzer/io/samples.h"

namespace wildrayzer {

// CIE xy of white, red, green and blue.
using Chromaticities = std::array<double, 8>;
inline constexpr Chromaticities kSrgbPrimaries = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};
inline constexpr Chromaticities kBt2020Primaries = {0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046};
inline constexpr Chromaticities kDisplayP3Primaries = {0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06};
inline constexpr Chromaticities kAdobeRgbPrimaries = {0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06};

enum class Transfer {
  kSrgb,
  kVideo,  // of video for ordinary displays, which show all such curves alike (ITU-R BT.1886); values stay
  kPower,  // value to the power `gamma` is light
  kPq,     // ITU-R BT.2100, perceptual quantisation
  kHlg,    // ITU-R BT.2100, hybrid log-gamma
};

struct ColourSpace {
  std::vector<std::byte> icc;  // a profile, of which the fields below are no part; empty: none
  Chromaticities primaries = kSrgbPrimaries;
  Transfer transfer = Transfer::kSrgb;
  double gamma = 0;
  std::string problem;  // why what the file says cannot be followed; empty: it can

  bool IsSrgb() const {
    const bool curve = transfer == Transfer::kSrgb || transfer == Transfer::kVideo;
    return icc.empty() && primaries == kSrgbPrimaries && curve && problem.empty();
  }
};

// Profiles of more bytes are not read. Those of printers, the largest in use, have some 3 million.
inline constexpr uint64_t kMaxProfileBytes = 16u << 20;

// By code numbers of ITU-T H.273, which videos, HEIF and PNG share; 2 and 0 for what is not said.
ColourSpace ColourSpaceOfCodes(int primaries, int transfer);

// Converts to sRGB, grey or RGB(A), at the same depth; HDR becomes 16 bits. Light above that of SDR's white
// (203 cd/m2, ITU-R BT.2408) is compressed into the uppermost values, all below is kept as it is. What cannot
// be converted (a damaged profile, for instance) is read as sRGB, with a warning that begins with `name`.
void ConvertToSrgb(DecodedSamples& samples, const ColourSpace& space, const std::string& name);

// The part of it that is ours: light of HDR for an ordinary display. `samples`: RGB(A) in `space`, the
// transfer of which is kPq or kHlg. False for primaries other than BT.2020's, Display P3's and sRGB's.
bool HdrToSrgb(Samples<uint16_t>& samples, const ColourSpace& space);

}  // namespace wildrayzer
