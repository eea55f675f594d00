#include "wildrayzer/io/colour_header.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>

namespace wildrayzer {
namespace {

using ByteSpan = std::span<const std::byte>;

const std::string kNoName;  // of a file: errors are caught here
constexpr const char* kDamagedProfile = "its colour profile is damaged";

// The profile that a chunk iCCP holds: a name, a zero, the method (0), and a zlib stream, which is inflated
// as far as a profile may be large.
std::vector<std::byte> InflatedProfile(ByteSpan data) {
  const auto zero = std::find(data.begin(), data.end(), std::byte{0});
  const auto begin = static_cast<size_t>(zero - data.begin()) + 2;
  if (begin >= data.size()) return {};
  std::vector<std::byte> profile(std::min<uint64_t>(kMaxProfileBytes, 64 * data.size() + 4096));
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data() + begin));  // only read
  stream.avail_in = static_cast<uInt>(data.size() - begin);
  stream.next_out = reinterpret_cast<Bytef*>(profile.data());
  stream.avail_out = static_cast<uInt>(profile.size());
  if (inflateInit(&stream) != Z_OK) return {};
  int result = inflate(&stream, Z_FINISH);
  if (result == Z_BUF_ERROR && stream.avail_out == 0 && profile.size() < kMaxProfileBytes) {
    profile.resize(kMaxProfileBytes);  // packed unusually well
    stream.next_out = reinterpret_cast<Bytef*>(profile.data() + stream.total_out);
    stream.avail_out = static_cast<uInt>(profile.size() - stream.total_out);
    result = inflate(&stream, Z_FINISH);
  }
  profile.resize(stream.total_out);
  inflateEnd(&stream);
  return result == Z_STREAM_END ? profile : std::vector<std::byte>();
}

bool ChecksumFits(ByteSpan chunk) {
  const ByteReader in(chunk, kNoName, true);
  const uLong sum =
      crc32(0, reinterpret_cast<const Bytef*>(chunk.data() + 4), static_cast<uInt>(chunk.size() - 8));
  return sum == in.U32(chunk.size() - 4);
}

// gAMA and cHRM, the latter and sRGB's own being the same to the digits that are written.
void SetGammaAndPrimaries(ColourSpace& colour, ByteSpan gama, ByteSpan chrm) {
  if (gama.size() >= 16) {
    const double gamma = ByteReader(gama, kNoName, true).U32(8) / 1e5;
    if (!(gamma > 0.01 && gamma < 100)) colour.problem = "its gamma is damaged";
    // 1 / 2.2 stands for sRGB's curve (the PNG standard, 11.3.2.5).
    if (std::abs(gamma - 0.45455) > 0.02) {
      colour.transfer = Transfer::kPower;
      colour.gamma = 1 / gamma;
    }
  }
  if (chrm.size() >= 44) {
    const ByteReader in(chrm, kNoName, true);
    Chromaticities read{};
    double off = 0;
    for (size_t i = 0; i < read.size(); ++i) {
      read[i] = in.U32(8 + 4 * i) / 1e5;
      off = std::max(off, std::abs(read[i] - kSrgbPrimaries[i]));
      if (!(read[i] <= 1) || (i % 2 == 1 && read[i] < 0.001))
        colour.problem = "its chromaticities are damaged";
    }
    if (off > 0.002) colour.primaries = read;
  }
}

}  // namespace

ColourSpace ColourSpaceOfCodes(int primaries, int transfer) {
  struct Known {
    int code;
    Chromaticities chromaticities;
  };
  // Those of SD video (5, 6, 7 and 22) are written by habit: encoders tag clips by their size, and no camera
  // has had the phosphors of its tubes for decades. Most players take them for BT.709's, as is done here.
  static constexpr Known kKnown[] = {
      {0, kSrgbPrimaries},
      {1, kSrgbPrimaries},
      {2, kSrgbPrimaries},
      {4, {0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08}},
      {5, kSrgbPrimaries},
      {6, kSrgbPrimaries},
      {7, kSrgbPrimaries},
      {9, kBt2020Primaries},
      {11, {0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06}},
      {12, kDisplayP3Primaries},
      {22, kSrgbPrimaries},
  };
  ColourSpace space;
  const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown),
                                   [&](const Known& known) { return known.code == primaries; });
  if (found == std::end(kKnown)) {
    space.problem = fmt::format("its colour primaries ({} of ITU-T H.273) are not supported", primaries);
  } else {
    space.primaries = found->chromaticities;
  }
  switch (transfer) {
    case 1:
    case 4:
    case 5:
    case 6:
    case 7:
    case 11:
    case 12:
    case 14:
    case 15:
      space.transfer = Transfer::kVideo;
      break;
    case 8:
    case 17:
      space.transfer = Transfer::kPower;
      space.gamma = transfer == 8 ? 1 : 2.6;
      break;
    case 16:
      space.transfer = Transfer::kPq;
      break;
    case 18:
      space.transfer = Transfer::kHlg;
      break;
    case 0:
    case 2:
    case 13:
      break;
    default:
      space.problem = fmt::format("its curve of light ({} of ITU-T H.273) is not supported", transfer);
  }
  return space;
}

void SetProfile(ColourSpace& colour, ByteSpan icc) {
  colour = {};
  // 132: the header and the number of tags
  if (icc.size() < 132) colour.problem = kDamagedProfile;
  if (icc.size() > kMaxProfileBytes) colour.problem = "its colour profile is too large";
  if (colour.problem.empty()) AppendBytes(&colour.icc, icc);
}

void SetJpegProfile(ColourSpace& colour, const std::vector<ByteSpan>& segments) {
  // marker 2, length 2, "ICC_PROFILE\0" 12, number of the piece 1, of all pieces 1
  constexpr size_t kHead = 18;
  if (segments.empty()) return;
  std::vector<ByteSpan> pieces(segments.size());
  uint64_t size = 0;
  colour = {};
  for (const ByteSpan segment : segments) {
    const bool long_enough = segment.size() >= kHead;
    const size_t number = long_enough ? std::to_integer<size_t>(segment[16]) : 0;
    const size_t all = long_enough ? std::to_integer<size_t>(segment[17]) : 0;
    if (number < 1 || number > pieces.size() || all != pieces.size() || !pieces[number - 1].empty()) {
      colour.problem = "its colour profile is incomplete";
      return;
    }
    pieces[number - 1] = segment.subspan(kHead);
    size += pieces[number - 1].size();
  }
  if (size > kMaxProfileBytes) {
    colour.problem = "its colour profile is too large";
    return;
  }
  std::vector<std::byte> icc;
  for (const ByteSpan piece : pieces) AppendBytes(&icc, piece);
  SetProfile(colour, icc);
}

void PngColour::Add(ByteSpan chunk) {
  const ByteReader in(chunk, kNoName, true);
  if (in.Is(4, "cICP")) cicp_ = chunk;
  if (in.Is(4, "iCCP")) iccp_ = chunk;
  if (in.Is(4, "sRGB")) srgb_ = chunk;
  if (in.Is(4, "gAMA")) gama_ = chunk;
  if (in.Is(4, "cHRM")) chrm_ = chunk;
}

ColourSpace PngColour::Result() const {
  ColourSpace colour;
  for (const ByteSpan chunk : {cicp_, iccp_, gama_, chrm_}) {
    if (!chunk.empty() && !ChecksumFits(chunk)) colour.problem = kDamagedProfile;
  }
  if (!colour.problem.empty()) return colour;
  if (cicp_.size() == 16) {
    return ColourSpaceOfCodes(std::to_integer<int>(cicp_[8]), std::to_integer<int>(cicp_[9]));
  }
  if (!iccp_.empty()) {
    SetProfile(colour, InflatedProfile(iccp_.subspan(8, iccp_.size() - 12)));
  } else if (srgb_.empty()) {
    SetGammaAndPrimaries(colour, gama_, chrm_);
  }
  return colour;
}

void SetExifColour(ColourSpace& colour, ByteSpan tiff) {
  if (!colour.IsSrgb()) return;  // a profile says more
  try {
    const ByteReader in(tiff, kNoName, tiff.size() > 1 && tiff[0] == std::byte{'M'});
    const std::optional<uint32_t> exif = TiffTag(in, in.U32(4), 0x8769);
    if (!exif) return;
    const bool adobe = TiffTag(in, *exif, 0xA001) == 2u;  // not of the standard, but written
    const std::optional<uint32_t> interoperability = TiffTag(in, *exif, 0xA005);
    const std::optional<uint64_t> index =
        interoperability ? TiffEntry(in, *interoperability, 1) : std::optional<uint64_t>();
    if (!adobe && !(index && in.Is(*index + 8, "R03"))) return;
    colour.primaries = kAdobeRgbPrimaries;
    colour.transfer = Transfer::kPower;
    colour.gamma = 563.0 / 256;
  } catch (const FileError&) {
    // damaged metadata says nothing
  }
}

}  // namespace wildrayzer
