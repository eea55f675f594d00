#include "wildrayzer/io/image_header.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "wildrayzer/io/byte_reader.h"
#include "wildrayzer/io/colour_header.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Bytes = std::span<const std::byte>;

constexpr const char* kRaw =
    "is a camera's raw picture, which cannot be read: develop it first, or take the JPEG beside it";
constexpr const char* kNoPicture = "is not a JPEG, PNG, WebP, HEIC, AVIF, BMP or TIFF picture";
constexpr const char* kDamaged = "is damaged and cannot be decoded: fetch the file again";

// Real progressive files have about ten; each costs a pass over the whole picture, so thousands would be a
// bomb.
constexpr int kMaxJpegScans = 100;

bool IsStartOfFrame(uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Position of the marker that ends the entropy-coded data starting at `at`.
uint64_t SkipScan(const ByteReader& in, uint64_t at) {
  while (true) {
    if (at >= in.size()) in.FailCutOff();
    const Bytes rest = in.Slice(at, in.size() - at);
    const auto* found = static_cast<const std::byte*>(std::memchr(rest.data(), 0xFF, rest.size()));
    if (found == nullptr) in.FailCutOff();
    at += static_cast<uint64_t>(found - rest.data());
    const uint32_t next = in.U8(at + 1);
    if (next != 0x00 && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) return at;
    at += next == 0xFF ? 1 : 2;
  }
}

// Segments are walked up to the end marker: libjpeg paints the missing rest of a cut-off picture grey and
// calls it a day.
ImageHeader ParseJpeg(const ByteReader& in) {
  ImageHeader header;
  AppendBytes(&header.essential, in.Slice(0, 2));
  std::vector<Bytes> profile;
  Bytes exif;
  int scans = 0;
  uint64_t at = 2;
  while (true) {
    while (in.U8(at) != 0xFF) ++at;  // stray bytes between segments are legal in practice
    while (in.U8(at + 1) == 0xFF) ++at;
    const uint32_t marker = in.U8(at + 1);
    if (marker == 0xD9) break;
    if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
      at += 2;
      continue;
    }
    const uint32_t length = in.U16(at + 2);
    if (length < 2) in.Fail(kDamaged);
    const Bytes segment = in.Slice(at, 2ull + length);
    if (IsStartOfFrame(marker)) {
      header.height = std::max<int64_t>(header.height, in.U16(at + 5));
      header.width = std::max<int64_t>(header.width, in.U16(at + 7));
    }
    if (marker == 0xE1 && length >= 16 && in.Is(at + 4, std::string_view("Exif\0\0", 6))) {
      exif = segment.subspan(10);
      header.orientation = OrientationFromTiff(exif);
    }
    if (marker == 0xE2 && in.Is(at + 4, std::string_view("ICC_PROFILE\0", 12))) profile.push_back(segment);
    const bool metadata = (marker >= 0xE1 && marker <= 0xED) || marker == 0xEF || marker == 0xFE;
    if (!metadata) AppendBytes(&header.essential, segment);
    const uint64_t start = at;
    at += segment.size();
    if (marker != 0xDA) continue;
    if (++scans > kMaxJpegScans)
      in.Fail("has far too many progressive passes: save it again as a plain JPEG");
    at = SkipScan(in, at);
    AppendBytes(&header.essential, in.Slice(start + segment.size(), at - start - segment.size()));
  }
  if (scans == 0) in.Fail(kDamaged);
  AppendBytes(&header.essential, in.Slice(at, 2));
  SetJpegProfile(header.colour, profile);
  SetExifColour(header.colour, exif);
  return header;
}

ImageHeader ParsePng(const ByteReader& in) {
  ImageHeader header;
  AppendBytes(&header.essential, in.Slice(0, 8));
  PngColour colour;
  bool has_data = false;
  for (uint64_t at = 8;;) {
    const uint32_t length = in.U32(at);
    const Bytes chunk = in.Slice(at, 12ull + length);
    const bool first = at == 8;
    if (first != in.Is(at + 4, "IHDR") || (first && length != 13)) in.Fail(kDamaged);
    const bool pixels = (in.U8(at + 4) & 0x20) == 0 || in.Is(at + 4, "tRNS");  // lower case: ancillary
    if (pixels) {
      const auto* data = reinterpret_cast<const Bytef*>(chunk.data() + 4);
      if (crc32(0, data, static_cast<uInt>(length + 4)) != in.U32(at + 8 + length)) in.Fail(kDamaged);
      AppendBytes(&header.essential, chunk);
    }
    if (first) {
      header.width = in.U32(at + 8);
      header.height = in.U32(at + 12);
    }
    if (in.Is(at + 4, "eXIf")) header.orientation = OrientationFromTiff(chunk.subspan(8, length));
    if (!has_data) colour.Add(chunk);
    has_data = has_data || in.Is(at + 4, "IDAT");
    if (in.Is(at + 4, "IEND")) break;
    at += chunk.size();
  }
  if (!has_data) in.Fail(kDamaged);
  header.colour = colour.Result();
  return header;
}

ImageHeader ParseWebp(const ByteReader& in) {
  ImageHeader header;
  const uint64_t end = 8ull + in.U32(4);
  in.Slice(0, end);
  for (uint64_t at = 12; at + 8 <= end;) {
    const uint64_t length = in.U32(at + 4);
    const Bytes data = in.Slice(at + 8, length);
    int64_t width = 0;
    int64_t height = 0;
    if (in.Is(at, "VP8X")) {
      width = in.U24(at + 12) + 1;
      height = in.U24(at + 15) + 1;
      if ((in.U8(at + 8) & 2) != 0) in.Fail("is an animation: save one frame as PNG or JPEG");
    } else if (in.Is(at, "VP8L")) {
      const uint32_t packed = in.U32(at + 9);
      width = (packed & 0x3FFF) + 1;
      height = (packed >> 14 & 0x3FFF) + 1;
    } else if (in.Is(at, "VP8 ")) {
      width = in.U16(at + 14) & 0x3FFF;
      height = in.U16(at + 16) & 0x3FFF;
    } else if (in.Is(at, "EXIF")) {
      const bool prefixed = in.Is(at + 8, std::string_view("Exif\0\0", 6)) && length >= 6;
      header.orientation = OrientationFromTiff(data.subspan(prefixed ? 6 : 0));
    } else if (in.Is(at, "ICCP")) {
      SetProfile(header.colour, data);
    }
    header.width = std::max(header.width, width);
    header.height = std::max(header.height, height);
    at += 8 + length + (length & 1);
  }
  return header;
}

ImageHeader ParseBmp(const ByteReader& in) {
  ImageHeader header;
  const bool core = in.U32(14) == 12;
  header.width = core ? in.U16(18) : static_cast<int32_t>(in.U32(18));
  header.height = core ? in.U16(20) : static_cast<int32_t>(in.U32(22));
  header.height = header.height < 0 ? -header.height : header.height;  // negative: top row first
  const uint64_t bits = core ? in.U16(24) : in.U16(28);
  const uint32_t compression = core ? 0 : in.U32(30);
  const bool plausible = header.width > 0 && header.width <= kMaxImageSide && header.height <= kMaxImageSide;
  if (plausible && (compression == 0 || compression == 3)) {
    const uint64_t row = (static_cast<uint64_t>(header.width) * bits + 31) / 32 * 4;
    in.Slice(in.U32(10), row * static_cast<uint64_t>(header.height));
  }
  if (in.U32(14) == 124 &&
      in.U32(14 + 56) == 0x4D424544)  // version 5, "MBED": the profile stands in the file
    SetProfile(header.colour, in.Slice(14ull + in.U32(14 + 112), in.U32(14 + 116)));
  return header;
}

// What cameras write under many names is a TIFF the first picture of which is a small preview.
bool IsRawTiff(const ByteReader& in) {
  const uint64_t directory = in.U32(4);
  return in.Is(8, "CR") || TiffEntry(in, directory, 50706) /* DNG */ ||
         (TiffTag(in, directory, 254).value_or(0) & 1) != 0 /* reduced */;
}

ImageHeader ParseTiff(const ByteReader& in) {
  if (IsRawTiff(in)) in.Fail(kRaw);
  ImageHeader header;
  header.width = TiffTag(in, in.U32(4), 256).value_or(0);
  header.height = TiffTag(in, in.U32(4), 257).value_or(0);
  if (const std::optional<uint64_t> entry = TiffEntry(in, in.U32(4), 34675)) {
    const uint64_t at = in.U32(*entry + 8), size = in.U32(*entry + 4);
    if (at < in.size() && size <= in.size() - at) {
      SetProfile(header.colour, in.Slice(at, size));
    } else {
      header.colour.problem = "its colour profile is damaged";
    }
  }
  return header;
}

// The brands of the ISO media files that phones write instead of JPEG.
bool IsHeif(const ByteReader& in) {
  constexpr std::array<std::string_view, 9> kBrands = {"heic", "heix", "heim", "heis", "hevc",
                                                       "mif1", "msf1", "avif", "avis"};
  return in.Is(4, "ftyp") &&
         std::any_of(kBrands.begin(), kBrands.end(), [&](std::string_view brand) { return in.Is(8, brand); });
}

std::optional<ImageFormat> FormatOf(const ByteReader& in) {
  if (in.Is(0, "\xFF\xD8\xFF")) return ImageFormat::kJpeg;
  if (in.Is(0, "\x89PNG\r\n\x1A\n")) return ImageFormat::kPng;
  if (in.Is(0, "RIFF") && in.Is(8, "WEBP")) return ImageFormat::kWebp;
  if (in.Is(0, "BM") && in.Is(15, std::string_view("\0\0", 2))) return ImageFormat::kBmp;
  if (in.Is(0, std::string_view("MM\0*", 4)) || in.Is(0, std::string_view("II*\0", 4)))
    return ImageFormat::kTiff;
  if (IsHeif(in)) return ImageFormat::kHeif;
  return std::nullopt;
}

// What is wrong with a picture of a format that is not read; nullptr for what is no picture that we know.
const char* UnsupportedFormat(const ByteReader& in) {
  struct Known {
    uint64_t at;
    std::string_view magic;
    const char* problem;
  };
  constexpr std::string_view kJxl("\0\0\0\x0CJXL ", 8), kJp2("\0\0\0\x0CjP  ", 8), kBigTiff("MM\0+", 4);
  static constexpr Known kKnown[] = {
      {0, "GIF8", "is a GIF: save it as PNG or JPEG first"},
      {0, "8BPS", "is a Photoshop file: save it as PNG or JPEG first"},
      {0, "%PDF", "is a PDF: save its pictures as PNG or JPEG first"},
      {0, "#?RADIANCE", "is a Radiance HDR picture: save it as PNG or JPEG first"},
      {0, "v/1\x01", "is an OpenEXR picture: save it as PNG or JPEG first"},
      {0, "\xFF\x0A", "is a JPEG XL picture: save it as PNG or JPEG first (djxl of Debian's libjxl-tools)"},
      {0, kJxl, "is a JPEG XL picture: save it as PNG or JPEG first (djxl of Debian's libjxl-tools)"},
      {0, kJp2, "is a JPEG 2000 picture: save it as PNG or JPEG first"},
      {0, "\xFF\x4F\xFF\x51", "is a JPEG 2000 picture: save it as PNG or JPEG first"},
      {0, "II+", "is a BigTIFF: save it as an ordinary TIFF first"},
      {0, kBigTiff, "is a BigTIFF: save it as an ordinary TIFF first"},
      {0, "FUJIFILMCCD-RAW", kRaw},
      {0, "IIU", kRaw},
      {0, "IIRO", kRaw},
      {0, "IIRS", kRaw},
      {4, "ftypcrx ", kRaw},
  };
  for (const Known& known : kKnown) {
    if (in.Is(known.at, known.magic)) return known.problem;
  }
  return nullptr;
}

}  // namespace

int OrientationFromTiff(Bytes tiff) {
  try {
    const std::string name;
    const bool big = ByteReader(tiff, name, true).Is(0, "MM");
    const ByteReader in(tiff, name, big);
    if (!in.Is(0, "MM") && !in.Is(0, "II")) return 1;
    const uint32_t value = TiffTag(in, in.U32(4), 274).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  } catch (const FileError&) {
    return 1;  // damaged metadata does not make the picture unreadable
  }
}

void CheckImageSize(int64_t width, int64_t height, const std::string& name) {
  const bool empty = width <= 0 || height <= 0;
  const bool large =
      width > kMaxImageSide || height > kMaxImageSide || (!empty && width * height > kMaxImagePixels);
  if (empty) throw FileError(name, fmt::format("has no pixels ({} x {})", width, height));
  if (large) {
    throw FileError(name,
                    fmt::format("is {} x {} pixels; at most {} a side and {} million in all can be read: "
                                "make it smaller first",
                                width, height, kMaxImageSide, kMaxImagePixels / 1'000'000));
  }
}

std::optional<NoPicture> PictureProblem(Bytes head) {
  const std::string name;
  const ByteReader in(head, name, !(head.size() > 1 && head[0] == std::byte{'I'}));
  const std::optional<ImageFormat> format = FormatOf(in);
  if (!format) {
    const char* problem = UnsupportedFormat(in);
    return problem != nullptr ? NoPicture{true, problem} : NoPicture{false, kNoPicture};
  }
  try {
    if (format == ImageFormat::kTiff && IsRawTiff(in)) return NoPicture{true, kRaw};
  } catch (const FileError&) {
    // the directory stands beyond these bytes
  }
  return std::nullopt;
}

ImageHeader ParseImageHeader(Bytes bytes, const std::string& name) {
  if (bytes.empty()) throw FileError(name, "is empty");
  const ByteReader big(bytes, name, true);
  const ByteReader little(bytes, name, false);
  const std::optional<ImageFormat> format = FormatOf(big);
  if (!format) throw FileError(name, PictureProblem(bytes)->problem);
  ImageHeader header;
  if (format == ImageFormat::kJpeg) header = ParseJpeg(big);
  if (format == ImageFormat::kPng) header = ParsePng(big);
  if (format == ImageFormat::kWebp) header = ParseWebp(little);
  if (format == ImageFormat::kBmp) header = ParseBmp(little);
  if (format == ImageFormat::kTiff) header = ParseTiff(big.Is(0, "MM") ? big : little);
  header.format = *format;
  if (format != ImageFormat::kHeif) CheckImageSize(header.width, header.height, name);
  return header;
}

}  // namespace wildrayzer
