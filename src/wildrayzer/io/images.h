// Photos, masks and depth maps in and out. Everything is 8-bit RGB (or grey) in row-major order; no OpenCV
// type leaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wildrayzer {

// 8-bit RGB, interleaved: pixel (x, y) starts at rgb[3 * (y * width + x)]. Display-referred sRGB, whatever
// the file was in.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;

  Image() = default;
  // Black.
  Image(int w, int h) : width(w), height(h), rgb(3 * static_cast<size_t>(w) * static_cast<size_t>(h)) {}
  bool empty() const { return rgb.empty(); }
  const uint8_t* Pixel(int x, int y) const { return rgb.data() + 3 * (static_cast<size_t>(y) * width + x); }
  uint8_t* Pixel(int x, int y) { return rgb.data() + 3 * (static_cast<size_t>(y) * width + x); }
  bool operator==(const Image&) const = default;
};

// One channel: masks and probabilities (T = uint8_t, 255 = certainly moving), depth maps (T = uint16_t).
template <typename T>
struct GrayMap {
  int width = 0;
  int height = 0;
  std::vector<T> values;

  GrayMap() = default;
  GrayMap(int w, int h, T fill = 0)
      : width(w), height(h), values(static_cast<size_t>(w) * static_cast<size_t>(h), fill) {}
  bool empty() const { return values.empty(); }
  T At(int x, int y) const { return values[static_cast<size_t>(y) * width + x]; }
  T& At(int x, int y) { return values[static_cast<size_t>(y) * width + x]; }
  bool operator==(const GrayMap&) const = default;
};
using GrayImage = GrayMap<uint8_t>;
using DepthImage = GrayMap<uint16_t>;

// Limits on what is read; larger files raise FileError before anything is decoded.
inline constexpr int64_t kMaxImageSide = 32768;
inline constexpr int64_t kMaxImagePixels = 200'000'000;
inline constexpr uint64_t kMaxImageFileBytes = 512ull << 20;

// Reads JPEG (grey, RGB, CMYK), PNG (1 to 16 bit, grey, palette, alpha), WebP, HEIC, AVIF, BMP or TIFF.
// - The EXIF orientation (1 to 8), or HEIC's own, is applied, so the result is upright.
// - Colours become sRGB: by an ICC profile (grey, RGB, CMYK), PNG's gamma and chromaticities, the code
// numbers of
//   PNG, HEIC and AVIF (HDR among them), or EXIF's Adobe RGB. What cannot be converted is taken for sRGB,
//   with a warning.
// - Grey is repeated to three channels; 16-bit samples v become round(v / 257).
// - Transparent PNG and WebP pixels are composited over white, the colour of the paper that such pictures are
//   cut out for.
// Errors: FileError with one line for a missing, empty, truncated or damaged file, an unknown or unsupported
// format (with the remedy), and sizes outside the limits above.
Image ReadImage(const std::filesystem::path& path);

// The same for bytes in memory (an upload); `name` stands for the path in error messages.
Image DecodeImage(std::span<const std::byte> bytes, const std::string& name);

// Reads a mask: any of the formats above with one channel, or with three equal ones. A coloured picture
// raises FileError. Values as stored: a profile says nothing about what moves.
GrayImage ReadGray(const std::filesystem::path& path);

// Reads a 16-bit single-channel PNG or TIFF, values as stored; 8-bit pictures raise FileError.
DepthImage ReadDepth(const std::filesystem::path& path);

// Why ReadImage does not read a file.
struct NoPicture {
  bool is_picture = false;  // of a format that is not read: somebody may miss it
  std::string problem;      // "is a GIF: save it ...", "is empty"
};

// True for what ReadImage is to read: by the first bytes, and by the names .jpg .jpeg .png .webp .bmp .tif
// .tiff .heic .heif .avif (any case), so that ReadImage says what is wrong with a damaged one.
bool IsPictureFile(const std::filesystem::path& path);
// The problem with a file that is none; nothing for one.
std::optional<NoPicture> WhyNoPicture(const std::filesystem::path& path);

// In-memory encoders. `quality` in [1, 100]. Empty images raise Error.
std::vector<std::byte> EncodePng(const Image& image);
std::vector<std::byte> EncodePng(const GrayImage& image);
std::vector<std::byte> EncodePng(const DepthImage& image);
std::vector<std::byte> EncodeJpeg(const Image& image, int quality = 92);

// Atomic writers: the file appears complete or not at all.
void WritePng(const std::filesystem::path& path, const Image& image);
void WritePng(const std::filesystem::path& path, const GrayImage& image);
void WritePng(const std::filesystem::path& path, const DepthImage& image);
void WriteJpeg(const std::filesystem::path& path, const Image& image, int quality = 92);

// RFC 4648 base64 with padding, no line breaks; for pictures inside HTML pages.
std::string Base64(std::span<const std::byte> bytes);

// Planes [3, height, width] of value / 255 in [0, 1], the layout and range of the models' input.
std::vector<float> ToPlanes(const Image& image);
// The inverse: 8-bit values round(255 * clamp(v, 0, 1)); NaN becomes 0. `planes` holds 3 * height * width
// values.
Image FromPlanes(std::span<const float> planes, int width, int height);
// One channel likewise, for probabilities; `values` holds height * width values.
GrayImage FromProbabilities(std::span<const float> values, int width, int height);

}  // namespace wildrayzer
