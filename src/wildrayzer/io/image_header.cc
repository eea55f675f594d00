#include "wildrayzer/io/image_header.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Bytes = std::span<const std::byte>;

constexpr const char* kTruncated = "is cut off (incomplete download or copy?): fetch the file again";
constexpr const char* kDamaged = "is damaged and cannot be decoded: fetch the file again";

// Reads integers at checked positions; everything outside the file raises "cut off".
class Reader {
 public:
  Reader(Bytes bytes, const std::string& name, bool big_endian)
      : bytes_(bytes), name_(name), big_(big_endian) {}

  uint64_t size() const { return bytes_.size(); }
  Bytes Slice(uint64_t at, uint64_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) throw FileError(name_, kTruncated);
    return bytes_.subspan(at, count);
  }
  uint32_t U8(uint64_t at) const { return std::to_integer<uint32_t>(Slice(at, 1)[0]); }
  uint32_t U16(uint64_t at) const { return Integer(at, 2); }
  uint32_t U24(uint64_t at) const { return Integer(at, 3); }
  uint32_t U32(uint64_t at) const { return Integer(at, 4); }
  bool Is(uint64_t at, std::string_view text) const {
    return at <= bytes_.size() && text.size() <= bytes_.size() - at &&
           std::memcmp(bytes_.data() + at, text.data(), text.size()) == 0;
  }
  [[noreturn]] void Fail(const char* problem) const { throw FileError(name_, problem); }

 private:
  uint32_t Integer(uint64_t at, int count) const {
    const Bytes field = Slice(at, static_cast<uint64_t>(count));
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      value = value << 8 | std::to_integer<uint32_t>(field[static_cast<size_t>(big_ ? i : count - 1 - i)]);
    }
    return value;
  }

  Bytes bytes_;
  const std::string& name_;
  bool big_;
};

// Value of a SHORT or LONG tag of the first directory of a TIFF structure.
std::optional<uint32_t> TiffTag(const Reader& in, uint32_t tag) {
  const uint64_t directory = in.U32(4);
  const uint32_t count = in.U16(directory);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + 12ull * i;
    if (in.U16(entry) != tag) continue;
    const uint32_t type = in.U16(entry + 2);
    if (type == 3) return in.U16(entry + 8);
    if (type == 4) return in.U32(entry + 8);
    return std::nullopt;
  }
  return std::nullopt;
}

void Append(std::vector<std::byte>* out, Bytes bytes) {
  const size_t size = out->size();  // not insert(): GCC 12 warns about its inlined growth without cause
  out->resize(size + bytes.size());
  std::memcpy(out->data() + size, bytes.data(), bytes.size());
}

// Real progressive files have about ten; each costs a pass over the whole picture, so thousands would be a
// bomb.
constexpr int kMaxJpegScans = 100;

bool IsStartOfFrame(uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Position of the marker that ends the entropy-coded data starting at `at`.
uint64_t SkipScan(const Reader& in, uint64_t at) {
  while (true) {
    if (at >= in.size()) in.Fail(kTruncated);
    const Bytes rest = in.Slice(at, in.size() - at);
    const auto* found = static_cast<const std::byte*>(std::memchr(rest.data(), 0xFF, rest.size()));
    if (found == nullptr) in.Fail(kTruncated);
    at += static_cast<uint64_t>(found - rest.data());
    const uint32_t next = in.U8(at + 1);
    if (next != 0x00 && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) return at;
    at += next == 0xFF ? 1 : 2;
  }
}

// Segments are walked up to the end marker: libjpeg paints the missing rest of a cut-off picture grey and
// calls it a day.
ImageHeader ParseJpeg(const Reader& in) {
  ImageHeader header;
  header.format = ImageFormat::kJpeg;
  Append(&header.essential, in.Slice(0, 2));
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
      header.orientation = OrientationFromTiff(segment.subspan(10));
    }
    const bool metadata = (marker >= 0xE1 && marker <= 0xED) || marker == 0xEF || marker == 0xFE;
    if (!metadata) Append(&header.essential, segment);
    const uint64_t start = at;
    at += segment.size();
    if (marker != 0xDA) continue;
    if (++scans > kMaxJpegScans)
      in.Fail("has far too many progressive passes: save it again as a plain JPEG");
    at = SkipScan(in, at);
    Append(&header.essential, in.Slice(start + segment.size(), at - start - segment.size()));
  }
  if (scans == 0) in.Fail(kDamaged);
  Append(&header.essential, in.Slice(at, 2));
  return header;
}

ImageHeader ParsePng(const Reader& in) {
  ImageHeader header;
  header.format = ImageFormat::kPng;
  Append(&header.essential, in.Slice(0, 8));
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
      Append(&header.essential, chunk);
    }
    if (first) {
      header.width = in.U32(at + 8);
      header.height = in.U32(at + 12);
    }
    if (in.Is(at + 4, "eXIf")) header.orientation = OrientationFromTiff(chunk.subspan(8, length));
    has_data = has_data || in.Is(at + 4, "IDAT");
    if (in.Is(at + 4, "IEND")) break;
    at += chunk.size();
  }
  if (!has_data) in.Fail(kDamaged);
  return header;
}

ImageHeader ParseWebp(const Reader& in) {
  ImageHeader header;
  header.format = ImageFormat::kWebp;
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
    }
    header.width = std::max(header.width, width);
    header.height = std::max(header.height, height);
    at += 8 + length + (length & 1);
  }
  return header;
}

ImageHeader ParseBmp(const Reader& in) {
  ImageHeader header;
  header.format = ImageFormat::kBmp;
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
  return header;
}

ImageHeader ParseTiff(const Reader& in) {
  ImageHeader header;
  header.format = ImageFormat::kTiff;
  header.width = TiffTag(in, 256).value_or(0);
  header.height = TiffTag(in, 257).value_or(0);
  return header;
}

// The brands of the ISO media files that phones write instead of JPEG.
bool IsHeif(const Reader& in) {
  constexpr std::array<std::string_view, 9> kBrands = {"heic", "heix", "heim", "heis", "hevc",
                                                       "mif1", "msf1", "avif", "avis"};
  return in.Is(4, "ftyp") &&
         std::any_of(kBrands.begin(), kBrands.end(), [&](std::string_view brand) { return in.Is(8, brand); });
}

void CheckSize(const ImageHeader& header, const std::string& name) {
  const bool empty = header.width <= 0 || header.height <= 0;
  const bool large = header.width > kMaxImageSide || header.height > kMaxImageSide ||
                     (!empty && header.width * header.height > kMaxImagePixels);
  if (empty) throw FileError(name, fmt::format("has no pixels ({} x {})", header.width, header.height));
  if (large) {
    throw FileError(name,
                    fmt::format("is {} x {} pixels; at most {} a side and {} million in all can be read: "
                                "make it smaller first",
                                header.width, header.height, kMaxImageSide, kMaxImagePixels / 1'000'000));
  }
}

}  // namespace

int OrientationFromTiff(Bytes tiff) {
  try {
    const std::string name;
    const bool big = Reader(tiff, name, true).Is(0, "MM");
    const Reader in(tiff, name, big);
    if (!in.Is(0, "MM") && !in.Is(0, "II")) return 1;
    const uint32_t value = TiffTag(in, 274).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  } catch (const FileError&) {
    return 1;  // damaged metadata does not make the picture unreadable
  }
}

ImageHeader ParseImageHeader(Bytes bytes, const std::string& name) {
  if (bytes.empty()) throw FileError(name, "is empty");
  const Reader big(bytes, name, true);
  const Reader little(bytes, name, false);
  ImageHeader header;
  if (big.Is(0, "\xFF\xD8\xFF")) {
    header = ParseJpeg(big);
  } else if (big.Is(0, "\x89PNG\r\n\x1A\n")) {
    header = ParsePng(big);
  } else if (big.Is(0, "RIFF") && big.Is(8, "WEBP")) {
    header = ParseWebp(little);
  } else if (big.Is(0, "BM")) {
    header = ParseBmp(little);
  } else if (big.Is(0, std::string_view("MM\0*", 4))) {
    header = ParseTiff(big);
  } else if (big.Is(0, std::string_view("II*\0", 4))) {
    header = ParseTiff(little);
  } else if (IsHeif(big)) {
    throw FileError(name,
                    "is HEIC or AVIF, which cannot be read: convert it first, for instance with "
                    "`heif-convert IN.heic OUT.jpg` (Debian package libheif-examples)");
  } else {
    throw FileError(name, "is not a JPEG, PNG, WebP, BMP or TIFF picture");
  }
  CheckSize(header, name);
  return header;
}

}  // namespace wildrayzer
