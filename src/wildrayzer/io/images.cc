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
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/mat.h"
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

// EXIF orientation tag to the operation that makes the picture upright.
cv::Mat Upright(const cv::Mat& stored, int orientation) {
  cv::Mat result = stored;
  if (orientation >= 5) cv::transpose(stored, result);
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(result, result, 1);
      break;
    case 3:
    case 7:
      cv::flip(result, result, -1);
      break;
    case 4:
    case 8:
      cv::flip(result, result, 0);
      break;
    default:
      break;
  }
  return result;
}

// The decoded, upright picture: 8 or 16 bits, 1 (grey), 3 (BGR) or 4 (BGRA) channels.
cv::Mat Decode(std::span<const std::byte> bytes, const std::string& name) {
  SilenceOpenCv();
  if (bytes.size() > kMaxImageFileBytes) throw FileError(name, "is too large for a picture");
  const ImageHeader header = ParseImageHeader(bytes, name);
  if (!header.essential.empty()) bytes = header.essential;
  // UNCHANGED keeps alpha and depth. The alpha of BMP and TIFF is left out: writers disagree on what it means
  // there.
  int flags = cv::IMREAD_UNCHANGED;
  if (header.format == ImageFormat::kBmp) flags = cv::IMREAD_COLOR;
  if (header.format == ImageFormat::kTiff) flags = cv::IMREAD_ANYDEPTH | cv::IMREAD_ANYCOLOR;
  if (flags != cv::IMREAD_UNCHANGED) flags |= cv::IMREAD_IGNORE_ORIENTATION;
  cv::Mat decoded;
  try {
    const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8UC1,
                      const_cast<std::byte*>(bytes.data()));  // only read
    decoded = cv::imdecode(raw, flags);
  } catch (const std::exception&) {
    decoded.release();  // the text is a stack position inside OpenCV, of no use to anybody
  }
  if (decoded.empty()) {
    throw FileError(
        name, "cannot be decoded (damaged, or a rare variant of the format): save it again as PNG or JPEG");
  }
  const bool known = (decoded.depth() == CV_8U || decoded.depth() == CV_16U) &&
                     (decoded.channels() == 1 || decoded.channels() == 3 || decoded.channels() == 4);
  if (!known)
    throw FileError(name, "has floating-point or unusual channels: save it as 8 or 16-bit RGB or grey");
  return Upright(decoded, header.orientation);
}

uint8_t To8Bit(uint8_t value) { return value; }
uint8_t To8Bit(uint16_t value) { return static_cast<uint8_t>((value + 128u) / 257u); }

// BGR(A) or grey of either depth to 8-bit RGB, transparent parts over white.
template <typename T>
Image ToRgb(const cv::Mat& mat) {
  constexpr uint64_t kMax = static_cast<T>(-1);
  const int channels = mat.channels();
  Image image(mat.cols, mat.rows);
  for (int y = 0; y < mat.rows; ++y) {
    const T* in = mat.ptr<T>(y);
    uint8_t* out = image.Pixel(0, y);
    for (int x = 0; x < mat.cols; ++x, in += channels, out += 3) {
      for (int c = 0; c < 3; ++c) {
        const T value = channels == 1 ? in[0] : in[2 - c];
        if (channels < 4) {
          out[c] = To8Bit(value);
        } else {
          const uint64_t alpha = in[3];
          out[c] = To8Bit(static_cast<T>((value * alpha + kMax * (kMax - alpha) + kMax / 2) / kMax));
        }
      }
    }
  }
  return image;
}

// One channel, or three equal opaque ones, at the stored depth.
template <typename T>
GrayMap<T> ToGray(const cv::Mat& mat, const std::string& name) {
  const int channels = mat.channels();
  GrayMap<T> image(mat.cols, mat.rows);
  for (int y = 0; y < mat.rows; ++y) {
    const T* in = mat.ptr<T>(y);
    for (int x = 0; x < mat.cols; ++x, in += channels) {
      const bool grey = channels == 1 || (in[0] == in[1] && in[1] == in[2]);
      const bool opaque = channels < 4 || in[3] == static_cast<T>(-1);
      if (!grey || !opaque)
        throw FileError(name, "is a colour or transparent picture; an opaque grey one is needed");
      image.At(x, y) = in[0];
    }
  }
  return image;
}

std::vector<std::byte> Encode(const std::string& extension, const cv::Mat& mat,
                              const std::vector<int>& parameters) {
  SilenceOpenCv();
  if (mat.empty()) throw Error("an empty picture cannot be written");
  std::vector<uchar> buffer;
  bool done = false;
  try {
    done = cv::imencode(extension, mat, buffer, parameters);
  } catch (const cv::Exception&) {
    done = false;
  }
  if (!done) throw Error(fmt::format("a picture of {} x {} pixels cannot be encoded", mat.cols, mat.rows));
  const auto* data = reinterpret_cast<const std::byte*>(buffer.data());
  return {data, data + buffer.size()};
}

const std::vector<int> kPngParameters = {cv::IMWRITE_PNG_COMPRESSION, 6};

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
  const cv::Mat mat = Decode(bytes, name);
  return mat.depth() == CV_8U ? ToRgb<uint8_t>(mat) : ToRgb<uint16_t>(mat);
}

Image ReadImage(const fs::path& path) { return DecodeImage(ReadBounded(path), path.string()); }

GrayImage ReadGray(const fs::path& path) {
  const cv::Mat mat = Decode(ReadBounded(path), path.string());
  if (mat.depth() == CV_8U) return ToGray<uint8_t>(mat, path.string());
  const DepthImage wide = ToGray<uint16_t>(mat, path.string());
  GrayImage image(wide.width, wide.height);
  std::transform(wide.values.begin(), wide.values.end(), image.values.begin(),
                 [](uint16_t v) { return To8Bit(v); });
  return image;
}

DepthImage ReadDepth(const fs::path& path) {
  const cv::Mat mat = Decode(ReadBounded(path), path.string());
  if (mat.depth() != CV_16U)
    throw FileError(path.string(), "has 8 bits a sample; a 16-bit depth map is needed");
  return ToGray<uint16_t>(mat, path.string());
}

bool HasImageExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  static const std::vector<std::string> kKnown = {".jpg", ".jpeg", ".png",  ".webp", ".bmp",
                                                  ".tif", ".tiff", ".heic", ".heif", ".avif"};
  return std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end();
}

std::vector<std::byte> EncodePng(const Image& image) { return Encode(".png", ToBgr(image), kPngParameters); }

std::vector<std::byte> EncodePng(const GrayImage& image) {
  return Encode(".png", AsMat(image), kPngParameters);
}

std::vector<std::byte> EncodePng(const DepthImage& image) {
  const cv::Mat mat(image.height, image.width, CV_16UC1,
                    const_cast<uint16_t*>(image.values.data()));  // only read
  return Encode(".png", mat, kPngParameters);
}

std::vector<std::byte> EncodeJpeg(const Image& image, int quality) {
  return Encode(".jpg", ToBgr(image), {cv::IMWRITE_JPEG_QUALITY, std::clamp(quality, 1, 100)});
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
