#include "wildrayzer/io/image_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;
using testing::HasSubstr;

// No symmetry: every flip and rotation gives another picture. Smooth, so that JPEG keeps it.
Image Gradient(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.Pixel(x, y);
      pixel[0] = static_cast<uint8_t>(255 * x / (width - 1));
      pixel[1] = static_cast<uint8_t>(255 * y / (height - 1));
      pixel[2] = static_cast<uint8_t>(40 + 100 * (x + 2 * y) / (width + 2 * height));
    }
  }
  return image;
}

Bytes FromMat(const std::string& extension, const cv::Mat& mat) {
  std::vector<uchar> buffer;
  cv::imencode(extension, mat, buffer);
  const auto* data = reinterpret_cast<const std::byte*>(buffer.data());
  return {data, data + buffer.size()};
}

Bytes FromText(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

std::string Problem(const Bytes& bytes) {
  try {
    DecodeImage(bytes, "photo.jpg");
  } catch (const FileError& error) {
    EXPECT_EQ(error.path(), "photo.jpg");
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    return error.problem();
  }
  return "accepted";
}

// ---- PNG pieces by hand

void Put32(std::string* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::string Chunk(const std::string& type, const std::string& data) {
  std::string chunk;
  Put32(&chunk, static_cast<uint32_t>(data.size()));
  chunk += type + data;
  const std::string covered = type + data;
  Put32(&chunk, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(covered.data()),
                                            static_cast<uInt>(covered.size()))));
  return chunk;
}

std::string Ihdr(uint32_t width, uint32_t height, int bits, int colour) {
  std::string data;
  Put32(&data, width);
  Put32(&data, height);
  data += {static_cast<char>(bits), static_cast<char>(colour), 0, 0, 0};
  return Chunk("IHDR", data);
}

std::string Deflate(const std::string& raw) {
  uLongf size = compressBound(raw.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
           raw.size());
  packed.resize(size);
  return packed;
}

const std::string kPngMagic = "\x89PNG\r\n\x1A\n";

TEST(DecodeImage, PaletteAndFewBitPngs) {
  // 2 x 1, palette of red and half-transparent blue.
  const std::string palette = kPngMagic + Ihdr(2, 1, 8, 3) +
                              Chunk("PLTE", std::string("\xFF\0\0\0\0\xFF", 6)) +
                              Chunk("tRNS", std::string("\xFF\x80", 2)) +
                              Chunk("IDAT", Deflate(std::string("\0\0\1", 3))) + Chunk("IEND", "");
  EXPECT_THAT(DecodeImage(FromText(palette), "p.png").rgb, testing::ElementsAre(255, 0, 0, 127, 127, 255));
  // 8 x 1, one bit a pixel.
  const std::string bits =
      kPngMagic + Ihdr(8, 1, 1, 0) + Chunk("IDAT", Deflate(std::string("\0\xA0", 2))) + Chunk("IEND", "");
  const Image image = DecodeImage(FromText(bits), "b.png");
  for (int x = 0; x < 8; ++x) EXPECT_EQ(image.Pixel(x, 0)[0], x == 0 || x == 2 ? 255 : 0);
  // Grey with alpha, and a damaged colour profile, which no decoder must see.
  const std::string alpha = kPngMagic + Ihdr(2, 1, 8, 4) + Chunk("iCCP", "nonsense") +
                            Chunk("IDAT", Deflate(std::string("\0\x64\xFF\x64\0", 5))) + Chunk("IEND", "");
  EXPECT_THAT(DecodeImage(FromText(alpha), "a.png").rgb, testing::ElementsAre(100, 100, 100, 255, 255, 255));
}

// ---- EXIF

std::string ExifTiff(int orientation, bool big) {
  const char value = static_cast<char>(orientation);
  const auto u16 = [big](int v) {
    return big ? std::string{static_cast<char>(v >> 8), static_cast<char>(v)}
               : std::string{static_cast<char>(v), static_cast<char>(v >> 8)};
  };
  const auto u32 = [&](int v) { return big ? u16(0) + u16(v) : u16(v) + u16(0); };
  const std::string header = (big ? "MM" : "II") + u16(42) + u32(8);
  const std::string other =
      u16(0x010F) + u16(2) + u32(4) + std::string("abc\0", 4);  // the maker's name comes first
  return header + u16(2) + other + u16(274) + u16(3) + u32(1) + u16(value) + u16(0) + u32(0);
}

// Where the pixel (x, y) of the upright picture is stored, after the table of the EXIF standard: what the 0th
// row and the 0th column of the stored picture are in the upright one.
std::pair<int, int> StoredAt(int orientation, int x, int y, int stored_width, int stored_height) {
  const int w = stored_width - 1;
  const int h = stored_height - 1;
  switch (orientation) {
    case 2:
      return {w - x, y};  // row 0 = top, column 0 = right
    case 3:
      return {w - x, h - y};  // bottom, right
    case 4:
      return {x, h - y};  // bottom, left
    case 5:
      return {y, x};  // left, top
    case 6:
      return {y, h - x};  // right, top
    case 7:
      return {w - y, h - x};  // right, bottom
    case 8:
      return {w - y, x};  // left, bottom
    default:
      return {x, y};
  }
}

class Orientation : public testing::TestWithParam<int> {};

void ExpectUpright(const Image& upright, const Image& stored, int orientation) {
  ASSERT_EQ(upright.width, orientation >= 5 ? stored.height : stored.width);
  ASSERT_EQ(upright.height, orientation >= 5 ? stored.width : stored.height);
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      const auto [sx, sy] = StoredAt(orientation, x, y, stored.width, stored.height);
      for (int c = 0; c < 3; ++c) ASSERT_EQ(upright.Pixel(x, y)[c], stored.Pixel(sx, sy)[c]) << orientation;
    }
  }
}

TEST_P(Orientation, IsAppliedInJpeg) {
  const Bytes plain = EncodeJpeg(Gradient(24, 16));
  const Image stored = DecodeImage(plain, "plain.jpg");
  for (const bool big : {false, true}) {
    const std::string tiff = std::string("Exif\0\0", 6) + ExifTiff(GetParam(), big);
    const size_t length = tiff.size() + 2;
    std::string segment = {'\xFF', '\xE1', static_cast<char>(length >> 8), static_cast<char>(length)};
    Bytes with(plain.begin(), plain.begin() + 2);
    const Bytes exif = FromText(segment + tiff);
    with.insert(with.end(), exif.begin(), exif.end());
    with.insert(with.end(), plain.begin() + 2, plain.end());
    ExpectUpright(DecodeImage(with, "exif.jpg"), stored, GetParam());
  }
}

TEST_P(Orientation, IsAppliedInPng) {
  const Image stored = Gradient(9, 5);
  const Bytes plain = EncodePng(stored);
  const size_t after_header = 8 + 25;
  Bytes with(plain.begin(), plain.begin() + after_header);
  const Bytes exif = FromText(Chunk("eXIf", ExifTiff(GetParam(), true)));
  with.insert(with.end(), exif.begin(), exif.end());
  with.insert(with.end(), plain.begin() + after_header, plain.end());
  ExpectUpright(DecodeImage(with, "exif.png"), stored, GetParam());
}

// An uncompressed little-endian TIFF of one strip.
std::string Tiff(const Image& image, int orientation) {
  const auto u16 = [](uint32_t v) { return std::string{static_cast<char>(v), static_cast<char>(v >> 8)}; };
  const auto u32 = [&](uint32_t v) { return u16(v & 0xFFFF) + u16(v >> 16); };
  const auto entry = [&](uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    return u16(tag) + u16(type) + u32(count) + u32(value);
  };
  const auto size = static_cast<uint32_t>(image.rgb.size());
  const uint32_t bits_at = 8 + size;
  const uint32_t directory_at = bits_at + 6;
  std::string file = std::string("II*\0", 4) + u32(directory_at + directory_at % 2);
  file.append(reinterpret_cast<const char*>(image.rgb.data()), size);
  file += u16(8) + u16(8) + u16(8) + std::string(directory_at % 2, '\0');
  return file + u16(10) + entry(256, 3, 1, static_cast<uint32_t>(image.width)) +
         entry(257, 3, 1, static_cast<uint32_t>(image.height)) + entry(258, 3, 3, bits_at) +
         entry(259, 3, 1, 1) + entry(262, 3, 1, 2) + entry(273, 4, 1, 8) +
         entry(274, 3, 1, static_cast<uint32_t>(orientation)) + entry(277, 3, 1, 3) +
         entry(278, 3, 1, static_cast<uint32_t>(image.height)) + entry(279, 4, 1, size) + u32(0);
}

TEST_P(Orientation, IsAppliedInTiff) {
  const Image stored = Gradient(9, 6);
  ExpectUpright(DecodeImage(FromText(Tiff(stored, GetParam())), "a.tif"), stored, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, Orientation, testing::Range(1, 9));

TEST(OrientationFromTiff, DamagedMetadataMeansUpright) {
  const std::string good = ExifTiff(6, false);
  EXPECT_EQ(OrientationFromTiff(FromText(good)), 6);
  for (size_t cut = 0; cut < 8 + 2 + 12 + 10; ++cut)
    EXPECT_EQ(OrientationFromTiff(FromText(good.substr(0, cut))), 1);
  EXPECT_EQ(OrientationFromTiff(FromText(ExifTiff(9, true))), 1);
}

// ---- what must be refused

TEST(BadImages, FilesThatAreNone) {
  const fs::path folder = fs::temp_directory_path() / ("wrz_header_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  EXPECT_THROW(ReadImage(folder / "none.jpg"), FileError);
  EXPECT_THROW(ReadImage(folder), FileError);
  EXPECT_THROW(ReadImage("/dev/zero"), FileError);
  const fs::path empty = folder / "empty.png";
  std::ofstream(empty).flush();
  try {
    ReadImage(empty);
    ADD_FAILURE();
  } catch (const FileError& error) {
    EXPECT_EQ(error.problem(), "is empty");
    EXPECT_EQ(error.path(), empty);
  }
  fs::resize_file(empty, kMaxImageFileBytes + 1);  // sparse
  EXPECT_THROW(ReadImage(empty), FileError);
  fs::remove_all(folder);
}

TEST(BadImages, WrongMagic) {
  EXPECT_THAT(Problem(FromText("hello, I am a text file")),
              HasSubstr("is not a JPEG, PNG, WebP, HEIC, AVIF, BMP or TIFF"));
  EXPECT_THAT(Problem(FromText("GIF89a....")), HasSubstr("is a GIF: save it as PNG"));
  EXPECT_THAT(Problem(FromText("\xFF\x0A....")), HasSubstr("is a JPEG XL picture"));
  EXPECT_THAT(Problem(FromText("FUJIFILMCCD-RAW 0201")), HasSubstr("is a camera's raw picture"));
  EXPECT_THAT(Problem(FromText(std::string("\0\0\0\x18"
                                           "ftypcrx \0\0\0\0",
                                           16))),
              HasSubstr("is a camera's raw picture"));
  // An iPhone's DNG: a TIFF that says so.
  EXPECT_THAT(
      Problem(FromText(std::string("II*\0\x08\0\0\0\x01\0\x12\xC6\x01\0\x04\0\0\0\x01\x04\0\0\0\0\0\0", 26))),
      HasSubstr("is a camera's raw picture"));
  for (const char* brand : {"heic", "avif"}) {
    EXPECT_NE(Problem(FromText(std::string("\0\0\0\x18"
                                           "ftyp",
                                           8) +
                               brand + std::string(4, '\0'))),
              "accepted");
  }
}

// Every proper prefix of a valid file must be refused, whatever the decoder would make of it.
TEST(BadImages, TruncatedAnywhere) {
  const Image image = Gradient(33, 17);
  cv::Mat mat(17, 33, CV_8UC3, cv::Scalar(1, 2, 3));
  for (const Bytes& whole :
       {EncodeJpeg(image), EncodePng(image), FromMat(".webp", mat), FromMat(".bmp", mat)}) {
    EXPECT_EQ(Problem(whole), "accepted");
    for (size_t cut = 0; cut < whole.size(); ++cut) {
      EXPECT_NE(Problem(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut))), "accepted")
          << cut;
    }
  }
  const Bytes jpeg = EncodeJpeg(image);
  EXPECT_THAT(Problem(Bytes(jpeg.begin(), jpeg.end() - 40)), HasSubstr("cut off"));
}

TEST(BadImages, SizesAreJudgedBeforeDecoding) {
  const auto png = [](uint32_t w, uint32_t h) {
    return FromText(kPngMagic + Ihdr(w, h, 8, 2) + Chunk("IDAT", Deflate("x")) + Chunk("IEND", ""));
  };
  EXPECT_THAT(Problem(png(100000, 100000)), HasSubstr("100000 x 100000 pixels; at most 32768 a side"));
  EXPECT_THAT(Problem(png(0xFFFFFFFF, 1)), HasSubstr("at most 32768"));
  EXPECT_THAT(Problem(png(30000, 30000)), HasSubstr("200 million"));
  EXPECT_THAT(Problem(png(0, 10)), HasSubstr("no pixels"));
  EXPECT_THAT(Problem(png(64, 64)), HasSubstr("cannot be decoded"));  // right size, nonsense pixels
  Bytes jpeg = EncodeJpeg(Gradient(8, 8));
  for (size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == std::byte{0xC0})
      jpeg[i + 7] = jpeg[i + 8] = std::byte{0xFF};
  }
  EXPECT_THAT(Problem(jpeg), HasSubstr("65535"));
  Bytes bmp = FromMat(".bmp", cv::Mat(2, 2, CV_8UC3, cv::Scalar()));
  for (int i = 22; i < 26; ++i) bmp[static_cast<size_t>(i)] = std::byte{0};
  EXPECT_THAT(Problem(bmp), HasSubstr("no pixels"));
}

// Thousands of empty passes over a large picture would keep the decoder busy for hours.
TEST(BadImages, ProgressiveBomb) {
  Bytes jpeg = EncodeJpeg(Gradient(8, 8));
  jpeg.resize(jpeg.size() - 2);
  const Bytes scan = FromText(std::string("\xFF\xDA\0\x08\x01\x01\0\0\x3F\0\0", 11));
  for (int i = 0; i < 200; ++i) jpeg.insert(jpeg.end(), scan.begin(), scan.end());
  const Bytes end = FromText("\xFF\xD9");
  jpeg.insert(jpeg.end(), end.begin(), end.end());
  EXPECT_THAT(Problem(jpeg), HasSubstr("too many"));
}

TEST(BadImages, DamagedBytes) {
  Bytes png = EncodePng(Gradient(33, 17));
  png[60] ^= std::byte{0x10};  // inside the pixel data: the checksum notices
  EXPECT_THAT(Problem(png), HasSubstr("damaged"));
  // Any single byte changed: an error or a picture of sane size, never a crash (what the sanitizer build
  // looks at).
  for (const Bytes& whole :
       {EncodeJpeg(Gradient(33, 17)), FromMat(".webp", cv::Mat(9, 9, CV_8UC3, cv::Scalar(9, 8, 7))),
        FromMat(".tif", cv::Mat(9, 9, CV_8UC3, cv::Scalar(9, 8, 7)))}) {
    for (size_t i = 0; i < std::min<size_t>(whole.size(), 700); ++i) {
      Bytes changed = whole;
      changed[i] ^= std::byte{0xFF};
      Problem(changed);
    }
  }
}

}  // namespace
}  // namespace wildrayzer
