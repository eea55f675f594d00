#include "wildrayzer/io/images.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "wildrayzer/io/codecs.h"
#include "wildrayzer/io/colour.h"
#include "wildrayzer/io/image_header.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

namespace {

namespace fs = std::filesystem;

std::vector<std::byte> ReadBounded(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw FileError(path.string(), "no such file");
  if (fs::is_directory(status)) throw FileError(path.string(), "is a folder, not a picture");
  if (!fs::is_regular_file(status)) throw FileError(path.string(), "is not a regular file");
  const uint64_t size = fs::file_size(path, error);
  if (error) throw FileError(path.string(), "cannot be read: " + error.message());
  if (size > kMaxImageFileBytes) {
    throw FileError(path.string(), fmt::format("is {} MB large; pictures of at most {} MB can be read",
                                               size >> 20, kMaxImageFileBytes >> 20));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw FileError(path.string(), std::string("cannot be opened: ") + std::strerror(errno));
  std::vector<std::byte> bytes(size);
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  return bytes;
}

// The decoded, upright picture: 8 or 16 bits, 1 (grey), 3 (RGB) or 4 (RGBA) channels. Data (masks, depth) are
// values as stored; colours become sRGB.
enum class Meaning { kColours, kData };
DecodedSamples Decode(std::span<const std::byte> bytes, const std::string& name, Meaning meaning) {
  if (bytes.size() > kMaxImageFileBytes) throw FileError(name, "is too large for a picture");
  ImageHeader header = ParseImageHeader(bytes, name);
  if (!header.essential.empty()) bytes = header.essential;
  DecodedSamples decoded;
  const bool done = header.format == ImageFormat::kPng    ? DecodePng(bytes, decoded)
                    : header.format == ImageFormat::kJpeg ? DecodeJpeg(bytes, decoded)
                    : header.format == ImageFormat::kHeif ? DecodeHeif(bytes, name, header.colour, decoded)
                                                          : DecodeOther(bytes, header.format, decoded);
  if (!done) {
    throw FileError(
        name, "cannot be decoded (damaged, or a rare variant of the format): save it again as PNG or JPEG");
  }
  const int channels = std::visit([](const auto& samples) { return samples.channels; }, decoded);
  if (channels != 1 && channels != 3 && channels != 4)
    throw FileError(name, "has floating-point or unusual channels: save it as 8 or 16-bit RGB or grey");
  ConvertToSrgb(decoded, meaning == Meaning::kColours ? header.colour : ColourSpace(), name);
  return Upright(std::move(decoded), header.orientation);
}

// One channel, or three equal opaque ones, at the stored depth.
template <typename T>
GrayMap<T> ToGray(const Samples<T>& samples, const std::string& name) {
  const int channels = samples.channels;
  GrayMap<T> image(samples.width, samples.height);
  const T* in = samples.values.data();
  for (T& value : image.values) {
    const bool grey = channels == 1 || (in[0] == in[1] && in[1] == in[2]);
    const bool opaque = channels < 4 || in[3] == static_cast<T>(-1);
    if (!grey || !opaque)
      throw FileError(name, "is a colour or transparent picture; an opaque grey one is needed");
    value = in[0];
    in += channels;
  }
  return image;
}

std::vector<std::byte> Encode(const SampleView& view, int jpeg_quality = 0) {
  if (view.width <= 0 || view.height <= 0) throw Error("an empty picture cannot be written");
  std::vector<std::byte> bytes =
      jpeg_quality > 0 ? EncodeJpegSamples(view, jpeg_quality) : EncodePngSamples(view);
  if (bytes.empty())
    throw Error(fmt::format("a picture of {} x {} pixels cannot be encoded", view.width, view.height));
  return bytes;
}

void WriteBytes(const fs::path& path, const std::vector<std::byte>& bytes) {
  AtomicFile file(path);
  file.Write(bytes);
  file.Commit();
}

uint8_t Quantise(float value) {
  return value >= 1.0f ? 255 : value > 0.0f ? static_cast<uint8_t>(std::lrint(255.0f * value)) : 0;  // NaN: 0
}

}  // namespace

Image DecodeImage(std::span<const std::byte> bytes, const std::string& name) {
  return ToRgb(Decode(bytes, name, Meaning::kColours));
}

Image ReadImage(const fs::path& path) { return DecodeImage(ReadBounded(path), path.string()); }

DecodedSamples ReadSamples(const fs::path& path) {
  return Decode(ReadBounded(path), path.string(), Meaning::kData);
}

GrayImage ReadGray(const fs::path& path) {
  const DecodedSamples decoded = ReadSamples(path);
  if (const auto* narrow = std::get_if<Samples<uint8_t>>(&decoded)) return ToGray(*narrow, path.string());
  const DepthImage wide = ToGray(std::get<Samples<uint16_t>>(decoded), path.string());
  GrayImage image(wide.width, wide.height);
  std::transform(wide.values.begin(), wide.values.end(), image.values.begin(),
                 [](uint16_t v) { return To8Bit(v); });
  return image;
}

DepthImage ReadDepth(const fs::path& path) {
  const DecodedSamples decoded = ReadSamples(path);
  const auto* wide = std::get_if<Samples<uint16_t>>(&decoded);
  if (wide == nullptr) throw FileError(path.string(), "has 8 bits a sample; a 16-bit depth map is needed");
  return ToGray(*wide, path.string());
}

std::optional<NoPicture> WhyNoPicture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  static const std::vector<std::string> kKnown = {".jpg", ".jpeg", ".png",  ".webp", ".bmp",
                                                  ".tif", ".tiff", ".heic", ".heif", ".avif"};
  if (std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end()) return std::nullopt;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return NoPicture{false, std::string("cannot be opened: ") + std::strerror(errno)};
  std::vector<std::byte> head(4096);
  head.resize(std::fread(head.data(), 1, head.size(), file.get()));
  return head.empty() ? NoPicture{false, "is empty"} : PictureProblem(head);
}

bool IsPictureFile(const fs::path& path) { return !WhyNoPicture(path); }

std::vector<std::byte> EncodePng(const Image& image) {
  return Encode({image.rgb.data(), image.width, image.height, 3, 8});
}

std::vector<std::byte> EncodePng(const GrayImage& image) {
  return Encode({image.values.data(), image.width, image.height, 1, 8});
}

std::vector<std::byte> EncodePng(const DepthImage& image) {
  return Encode({image.values.data(), image.width, image.height, 1, 16});
}

std::vector<std::byte> EncodeJpeg(const Image& image, int quality) {
  return Encode({image.rgb.data(), image.width, image.height, 3, 8}, std::clamp(quality, 1, 100));
}

void WritePng(const fs::path& path, const Image& image) { WriteBytes(path, EncodePng(image)); }
void WritePng(const fs::path& path, const GrayImage& image) { WriteBytes(path, EncodePng(image)); }
void WritePng(const fs::path& path, const DepthImage& image) { WriteBytes(path, EncodePng(image)); }

void WriteJpeg(const fs::path& path, const Image& image, int quality) {
  WriteBytes(path, EncodeJpeg(image, quality));
}

std::string Base64(std::span<const std::byte> bytes) {
  constexpr size_t kBlock = 3u << 20;  // a multiple of 3, so that blocks can be joined; EVP counts in int
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4 + 1);
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    const size_t count = std::min(kBlock, bytes.size() - at);
    const size_t start = text.size();
    text.resize(start + (count + 2) / 3 * 4 + 1);  // EVP adds a terminating zero
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data() + start),
                    reinterpret_cast<const unsigned char*>(bytes.data() + at), static_cast<int>(count));
    text.pop_back();
  }
  return text;
}

std::vector<float> ToPlanes(const Image& image) {
  const size_t area = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  std::vector<float> planes(3 * area);
  for (size_t i = 0; i < area; ++i) {
    for (size_t c = 0; c < 3; ++c) planes[c * area + i] = static_cast<float>(image.rgb[3 * i + c]) / 255.0f;
  }
  return planes;
}

Image FromPlanes(std::span<const float> planes, int width, int height) {
  Image image(width, height);
  if (planes.size() != image.rgb.size()) throw Error("a picture's planes do not have its size");
  const size_t area = planes.size() / 3;
  for (size_t i = 0; i < area; ++i) {
    for (size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = Quantise(planes[c * area + i]);
  }
  return image;
}

GrayImage FromProbabilities(std::span<const float> values, int width, int height) {
  GrayImage image(width, height);
  if (values.size() != image.values.size()) throw Error("a map's values do not have its size");
  std::transform(values.begin(), values.end(), image.values.begin(), Quantise);
  return image;
}

}  // namespace wildrayzer
