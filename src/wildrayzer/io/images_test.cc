#include "wildrayzer/io/images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/io/image_header.h"
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

class Folder : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_); }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_ = fs::temp_directory_path() / ("wrz_images_" + std::to_string(::getpid()));
};
using ImageFiles = Folder;

// ---- what must be read
// ----------------------------------------------------------------------------------------------

TEST_F(ImageFiles, PngKeepsEveryByte) {
  const Image image = Gradient(37, 23);
  WritePng(path_ / "a.png", image);
  EXPECT_TRUE(ReadImage(path_ / "a.png") == image);
  GrayImage mask(5, 3);
  for (size_t i = 0; i < mask.values.size(); ++i) mask.values[i] = static_cast<uint8_t>(17 * i);
  WritePng(path_ / "m.png", mask);
  EXPECT_TRUE(ReadGray(path_ / "m.png") == mask);
  DepthImage depth(4, 2);
  for (size_t i = 0; i < depth.values.size(); ++i) depth.values[i] = static_cast<uint16_t>(9000 * i + 1);
  WritePng(path_ / "d.png", depth);
  EXPECT_TRUE(ReadDepth(path_ / "d.png") == depth);
}

TEST_F(ImageFiles, JpegIsCloseAndInRgbOrder) {
  const Image image = Gradient(64, 48);
  WriteJpeg(path_ / "a.jpg", image, 95);
  const Image back = ReadImage(path_ / "a.jpg");
  ASSERT_EQ(back.width, 64);
  ASSERT_EQ(back.height, 48);
  for (size_t i = 0; i < image.rgb.size(); ++i)
    ASSERT_NEAR(back.rgb[i], image.rgb[i], 12);  // swapped channels differ by 100s
}

TEST_F(ImageFiles, WritingIntoAMissingFolderNamesTheFile) {
  EXPECT_THROW(WritePng(path_ / "none" / "a.png", Gradient(4, 4)), FileError);
  EXPECT_THROW(WritePng(path_ / "a.png", Image()), Error);
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST(DecodeImage, SixteenBitsAreRounded) {
  cv::Mat mat(1, 4, CV_16UC3);
  const uint16_t values[4] = {0, 128, 129, 65535};
  for (int x = 0; x < 4; ++x) mat.at<cv::Vec3w>(0, x) = {values[x], 32896, 257};
  for (const char* extension : {".png", ".tif"}) {
    const Image image = DecodeImage(FromMat(extension, mat), extension);
    const uint8_t red[4] = {1, 1, 1, 1};
    const uint8_t blue[4] = {0, 0, 1, 255};
    for (int x = 0; x < 4; ++x) {
      EXPECT_EQ(image.Pixel(x, 0)[0], red[x]) << extension;
      EXPECT_EQ(image.Pixel(x, 0)[1], 128) << extension;
      EXPECT_EQ(image.Pixel(x, 0)[2], blue[x]) << extension;
    }
  }
}

TEST(DecodeImage, GreyIsRepeated) {
  const cv::Mat mat = (cv::Mat_<uchar>(1, 2) << 10, 200);
  for (const char* extension : {".png", ".bmp", ".tif"}) {
    const Image image = DecodeImage(FromMat(extension, mat), extension);
    EXPECT_THAT(image.rgb, testing::ElementsAre(10, 10, 10, 200, 200, 200)) << extension;
  }
}

TEST(DecodeImage, TransparencyIsCompositedOverWhite) {
  cv::Mat mat(1, 3, CV_8UC4);
  mat.at<cv::Vec4b>(0, 0) = {10, 20, 30, 255};
  mat.at<cv::Vec4b>(0, 1) = {10, 20, 30, 0};
  mat.at<cv::Vec4b>(0, 2) = {0, 0, 100, 51};  // 0.2 * c + 0.8 * 255
  const Image image = DecodeImage(FromMat(".png", mat), "a.png");
  EXPECT_THAT(image.rgb, testing::ElementsAre(30, 20, 10, 255, 255, 255, 224, 204, 204));
  cv::Mat wide(1, 1, CV_16UC4);
  wide.at<cv::Vec4w>(0, 0) = {0, 0, 65535, 13107};
  EXPECT_THAT(DecodeImage(FromMat(".png", wide), "b.png").rgb, testing::ElementsAre(255, 204, 204));
}

TEST(DecodeImage, WebpAndBmp) {
  const Image image = Gradient(20, 10);
  cv::Mat mat(10, 20, CV_8UC3);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 20; ++x) {
      const uint8_t* p = image.Pixel(x, y);
      mat.at<cv::Vec3b>(y, x) = {p[2], p[1], p[0]};
    }
  }
  std::vector<uchar> lossless;
  cv::imencode(".webp", mat, lossless, {cv::IMWRITE_WEBP_QUALITY, 101});  // above 100: lossless
  const auto* data = reinterpret_cast<const std::byte*>(lossless.data());
  EXPECT_TRUE(DecodeImage(std::span(data, lossless.size()), "a.webp") == image);
  EXPECT_TRUE(DecodeImage(FromMat(".bmp", mat), "a.bmp") == image);
  EXPECT_TRUE(DecodeImage(FromMat(".tif", mat), "a.tif") == image);
}

TEST(DecodeImage, CmykJpeg) {
  const Image image = ReadImage("tests/data/media/cmyk_adobe.jpg");
  ASSERT_EQ(image.width, 32);
  const int bars[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {128, 128, 128}};
  for (int bar = 0; bar < 4; ++bar) {
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(image.Pixel(8 * bar + 4, 8)[c], bars[bar][c], 6) << bar;
  }
}

// ---- PNG pieces by hand
// ---------------------------------------------------------------------------------------------

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
// -----------------------------------------------------------------------------------------------------------

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

INSTANTIATE_TEST_SUITE_P(All, Orientation, testing::Range(1, 9));

TEST(OrientationFromTiff, DamagedMetadataMeansUpright) {
  const std::string good = ExifTiff(6, false);
  EXPECT_EQ(OrientationFromTiff(FromText(good)), 6);
  for (size_t cut = 0; cut < 8 + 2 + 12 + 10; ++cut)
    EXPECT_EQ(OrientationFromTiff(FromText(good.substr(0, cut))), 1);
  EXPECT_EQ(OrientationFromTiff(FromText(ExifTiff(9, true))), 1);
}

// ---- what must be refused
// -------------------------------------------------------------------------------------------

TEST_F(ImageFiles, FilesThatAreNone) {
  EXPECT_THROW(ReadImage(path_ / "none.jpg"), FileError);
  EXPECT_THROW(ReadImage(path_), FileError);
  EXPECT_THROW(ReadImage("/dev/zero"), FileError);
  std::ofstream(path_ / "empty.png").flush();
  try {
    ReadImage(path_ / "empty.png");
    FAIL();
  } catch (const FileError& error) {
    EXPECT_EQ(error.problem(), "is empty");
    EXPECT_EQ(error.path(), path_ / "empty.png");
  }
  fs::resize_file(path_ / "empty.png", kMaxImageFileBytes + 1);  // sparse
  EXPECT_THROW(ReadImage(path_ / "empty.png"), FileError);
}

TEST(BadImages, WrongMagic) {
  EXPECT_THAT(Problem(FromText("hello, I am a text file")),
              HasSubstr("is not a JPEG, PNG, WebP, BMP or TIFF"));
  EXPECT_THAT(Problem(FromText("GIF89a....")), HasSubstr("is not a JPEG"));
  EXPECT_THAT(Problem(FromText(std::string("\0\0\0\x18"
                                           "ftypheic\0\0\0\0",
                                           16))),
              HasSubstr("heif-convert"));
  EXPECT_THAT(Problem(FromText(std::string("\0\0\0\x18"
                                           "ftypavif\0\0\0\0",
                                           16))),
              HasSubstr("heif-convert"));
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

TEST_F(ImageFiles, ColourIsNoMaskAndEightBitsAreNoDepth) {
  WritePng(path_ / "c.png", Gradient(4, 4));
  EXPECT_THROW(ReadGray(path_ / "c.png"), FileError);
  Image grey(2, 2);
  std::fill(grey.rgb.begin(), grey.rgb.end(), uint8_t{77});
  WritePng(path_ / "g.png", grey);
  EXPECT_EQ(ReadGray(path_ / "g.png").values, std::vector<uint8_t>(4, 77));
  EXPECT_THROW(ReadDepth(path_ / "g.png"), FileError);
}

// ---- small helpers
// --------------------------------------------------------------------------------------------------

TEST(Base64, VectorsOfRfc4648AndLongInput) {
  EXPECT_EQ(Base64(FromText("")), "");
  EXPECT_EQ(Base64(FromText("f")), "Zg==");
  EXPECT_EQ(Base64(FromText("fo")), "Zm8=");
  EXPECT_EQ(Base64(FromText("foobar")), "Zm9vYmFy");
  const std::string text = Base64(FromText(std::string((3u << 20) + 4, 'a')));  // crosses a block
  EXPECT_EQ(text.size(), ((3u << 20) + 6) / 3 * 4);
  EXPECT_EQ(text.substr(text.size() - 8), "YWFhYQ==");
  EXPECT_EQ(text.find('\0'), std::string::npos);
}

TEST(Planes, RoundTripAndRounding) {
  const Image image = Gradient(7, 5);
  EXPECT_TRUE(FromPlanes(ToPlanes(image), 7, 5) == image);
  const std::vector<float> values = {-0.5f, 0.5f, 1.5f, std::nanf("")};
  EXPECT_THAT(FromProbabilities(values, 4, 1).values,
              testing::ElementsAre(0, 128, 255, 0));  // 127.5 to even: 128
  EXPECT_THROW(FromProbabilities(values, 3, 1), Error);
}

TEST(HasImageExtension, AnyCase) {
  EXPECT_TRUE(HasImageExtension("a/b.JPeG"));
  EXPECT_FALSE(HasImageExtension("a/b.mp4"));
  EXPECT_FALSE(HasImageExtension("jpg"));
}

}  // namespace
}  // namespace wildrayzer
