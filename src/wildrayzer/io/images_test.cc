#include "wildrayzer/io/images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

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

Bytes FromMat(const std::string& extension, const cv::Mat& mat, const std::vector<int>& parameters = {}) {
  std::vector<uchar> buffer;
  cv::imencode(extension, mat, buffer, parameters);
  const auto* data = reinterpret_cast<const std::byte*>(buffer.data());
  return {data, data + buffer.size()};
}

Bytes FromText(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

class ImageFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_); }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_ = fs::temp_directory_path() / ("wrz_images_" + std::to_string(::getpid()));
};

// ---- what must be read

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

TEST_F(ImageFiles, ColourIsNoMaskAndEightBitsAreNoDepth) {
  WritePng(path_ / "c.png", Gradient(4, 4));
  EXPECT_THROW(ReadGray(path_ / "c.png"), FileError);
  Image grey(2, 2);
  std::fill(grey.rgb.begin(), grey.rgb.end(), uint8_t{77});
  WritePng(path_ / "g.png", grey);
  EXPECT_EQ(ReadGray(path_ / "g.png").values, std::vector<uint8_t>(4, 77));
  EXPECT_THROW(ReadDepth(path_ / "g.png"), FileError);
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

// ---- PNG and JPEG are ours; OpenCV, which reads the rest, uses the same libraries

std::vector<uchar> Raw(const Bytes& bytes) {
  const auto* data = reinterpret_cast<const uchar*>(bytes.data());
  return {data, data + bytes.size()};
}

TEST(Codecs, FilesAreThoseOfOpenCv) {
  for (const auto& [width, height] : {std::pair{61, 35}, {2, 2}, {300, 17}}) {
    const Image image = Gradient(width, height);
    const cv::Mat bgr = ToBgr(image);
    EXPECT_EQ(EncodePng(image), FromMat(".png", bgr, {cv::IMWRITE_PNG_COMPRESSION, 4}));
    for (const int quality : {30, 92, 100})
      EXPECT_EQ(EncodeJpeg(image, quality), FromMat(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, quality}));
    GrayImage gray(width, height);
    DepthImage depth(width, height);
    for (size_t i = 0; i < gray.values.size(); ++i) {
      gray.values[i] = image.rgb[3 * i];
      depth.values[i] = static_cast<uint16_t>(131 * i);
    }
    EXPECT_EQ(EncodePng(gray), FromMat(".png", AsMat(gray), {cv::IMWRITE_PNG_COMPRESSION, 4}));
    EXPECT_EQ(EncodePng(depth), FromMat(".png", cv::Mat(height, width, CV_16UC1, depth.values.data()),
                                        {cv::IMWRITE_PNG_COMPRESSION, 4}));
  }
}

TEST(Codecs, JpegsAreDecodedAsByOpenCv) {
  const Image image = Gradient(61, 35);
  for (const int progressive : {0, 1}) {
    const Bytes jpeg = FromMat(".jpg", ToBgr(image),
                               {cv::IMWRITE_JPEG_QUALITY, 70, cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
    EXPECT_TRUE(DecodeImage(jpeg, "a.jpg") == FromBgr(cv::imdecode(Raw(jpeg), cv::IMREAD_COLOR)));
  }
  GrayImage gray(20, 10);
  for (size_t i = 0; i < gray.values.size(); ++i) gray.values[i] = static_cast<uint8_t>(i);
  const Bytes jpeg = FromMat(".jpg", AsMat(gray), {});
  EXPECT_TRUE(DecodeImage(jpeg, "g.jpg") == FromBgr(cv::imdecode(Raw(jpeg), cv::IMREAD_COLOR)));
  const std::string cmyk = "tests/data/media/cmyk_adobe.jpg";
  EXPECT_TRUE(ReadImage(cmyk) == FromBgr(cv::imread(cmyk)));
}

// ---- small helpers

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

TEST_F(ImageFiles, AreKnownByNameAndContent) {
  EXPECT_TRUE(IsPictureFile("a/b.JPeG"));
  EXPECT_TRUE(IsPictureFile("IMG_0001.HEIC"));
  EXPECT_FALSE(IsPictureFile("a/b.mp4"));
  WritePng(path_ / "b", Gradient(8, 8));
  EXPECT_TRUE(IsPictureFile(path_ / "b"));
}

}  // namespace
}  // namespace wildrayzer
