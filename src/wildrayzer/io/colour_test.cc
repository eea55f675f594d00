#include "wildrayzer/io/colour.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lcms2.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "wildrayzer/io/testing/colour_files.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

// The value that looks like kGreen in the profile's space.
Rgb8 InSpaceOf(const std::string& icc, const Rgb8& srgb) {
  cmsHPROFILE to = cmsOpenProfileFromMem(icc.data(), static_cast<cmsUInt32Number>(icc.size()));
  cmsHPROFILE from = cmsCreate_sRGBProfile();
  cmsHTRANSFORM transform =
      cmsCreateTransform(from, TYPE_RGB_8, to, TYPE_RGB_8, INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_NOOPTIMIZE);
  Rgb8 out{};
  cmsDoTransform(transform, srgb.data(), out.data(), 1);
  cmsDeleteTransform(transform);
  cmsCloseProfile(from);
  cmsCloseProfile(to);
  return out;
}

// What is read of a picture of one colour.
Rgb8 ReadColour(const std::string& file, const std::string& name) {
  const Image image = DecodeImage(AsBytes(file), name);
  EXPECT_EQ(image.width, 16);
  return {image.Pixel(5, 3)[0], image.Pixel(5, 3)[1], image.Pixel(5, 3)[2]};
}

void ExpectNear(const Rgb8& got, const Rgb8& wanted, int tolerance, const std::string& what) {
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], wanted[c], tolerance) << what << ", channel " << c;
}

std::string TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string PngOf(const Rgb8& colour) { return TextOf(EncodePng(Flat(16, 8, colour))); }
std::string JpegOf(const Rgb8& colour) { return TextOf(EncodeJpeg(Flat(16, 8, colour), 100)); }

// Chunks between a PNG's header and its pixels.
std::string WithChunks(const std::string& png, const std::string& chunks) {
  return png.substr(0, 33) + chunks + png.substr(33);
}

std::string PngChunk(const std::string& type, const std::string& data) {
  const std::string covered = type + data;
  return Big32(static_cast<uint32_t>(data.size())) + covered +
         Big32(static_cast<uint32_t>(
             crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()))));
}

std::string Iccp(const std::string& icc) {
  uLongf size = compressBound(icc.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(icc.data()),
           icc.size());
  return PngChunk("iCCP", std::string("name\0\0", 6) + packed.substr(0, size));
}

std::string Gama(double gamma) {
  return PngChunk("gAMA", Big32(static_cast<uint32_t>(std::lround(gamma * 1e5))));
}

std::string Chrm(const Chromaticities& c) {
  std::string data;
  for (const double value : c) data += Big32(static_cast<uint32_t>(std::lround(value * 1e5)));
  return PngChunk("cHRM", data);
}

std::string JpegSegment(char marker, const std::string& data) {
  const size_t length = data.size() + 2;
  return std::string{'\xFF', marker, static_cast<char>(length >> 8), static_cast<char>(length)} + data;
}

// A JPEG with its profile in pieces of at most `most` bytes, the last first.
std::string JpegWithProfile(const std::string& jpeg, const std::string& icc, size_t most) {
  const size_t count = (icc.size() + most - 1) / most;
  std::string segments;
  for (size_t i = count; i-- > 0;) {
    segments += JpegSegment('\xE2', std::string("ICC_PROFILE\0", 12) + static_cast<char>(i + 1) +
                                        static_cast<char>(count) + icc.substr(i * most, most));
  }
  return jpeg.substr(0, 2) + segments + jpeg.substr(2);
}

std::string WebpWithProfile(const Rgb8& colour, const std::string& icc) {
  const std::string plain = LosslessWebp(Flat(16, 8, colour));
  std::string body = "WEBPVP8X" + Little32(10) + Little32(0x20) + std::string("\x0F\0\0\x07\0\0", 6) +
                     "ICCP" + Little32(static_cast<uint32_t>(icc.size())) + icc +
                     std::string(icc.size() % 2, '\0') + plain.substr(12);
  return "RIFF" + Little32(static_cast<uint32_t>(body.size())) + body;
}

std::string TiffWithProfile(const Rgb8& colour, const std::string& icc) {
  const Image image = Flat(16, 8, colour);
  const auto entry = [](uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    return Little32(tag | type << 16) + Little32(count) + Little32(value);
  };
  const auto size = static_cast<uint32_t>(image.rgb.size());
  const uint32_t icc_at = 8 + size + 8;
  const uint32_t directory = icc_at + static_cast<uint32_t>(icc.size() + icc.size() % 2);
  return std::string("II*\0", 4) + Little32(directory) +
         std::string(reinterpret_cast<const char*>(image.rgb.data()), size) +
         std::string("\x08\0\x08\0\x08\0\0\0", 8) + icc + std::string(icc.size() % 2, '\0') +
         std::string("\x0A\0", 2) + entry(256, 3, 1, 16) + entry(257, 3, 1, 8) + entry(258, 3, 3, 8 + size) +
         entry(259, 3, 1, 1) + entry(262, 3, 1, 2) + entry(273, 4, 1, 8) + entry(277, 3, 1, 3) +
         entry(278, 3, 1, 8) + entry(279, 4, 1, size) +
         entry(34675, 7, static_cast<uint32_t>(icc.size()), icc_at) + Little32(0);
}

// ---- profiles

TEST(Profiles, AreAppliedInEveryFormat) {
  for (const auto& [name, icc] : WideProfiles()) {
    for (const Rgb8& colour : {kGreen, Rgb8{200, 60, 50}, Rgb8{128, 128, 128}, Rgb8{60, 70, 180}}) {
      const Rgb8 stored = InSpaceOf(icc, colour);
      ExpectNear(ReadColour(WithChunks(PngOf(stored), Iccp(icc)), "a.png"), colour, 3, name + " PNG");
      ExpectNear(ReadColour(WebpWithProfile(stored, icc), "a.webp"), colour, 3, name + " WebP");
      ExpectNear(ReadColour(TiffWithProfile(stored, icc), "a.tif"), colour, 3, name + " TIFF");
      ExpectNear(ReadColour(JpegWithProfile(JpegOf(stored), icc, 60000), "a.jpg"), colour, 6, name + " JPEG");
      ExpectNear(ReadColour(JpegWithProfile(JpegOf(stored), icc, 100), "b.jpg"), colour, 6,
                 name + " JPEG in pieces");
    }
    // Without it the colours are others: this test can fail.
    EXPECT_GT(std::abs(ReadColour(PngOf(InSpaceOf(icc, kGreen)), "a.png")[0] - kGreen[0]), 20) << name;
  }
}

TEST(Profiles, SrgbChangesNoByte) {
  Image image(64, 64);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 31 + i / 64);
  const std::string png = WithChunks(TextOf(EncodePng(image)), Iccp(SrgbProfile()));
  EXPECT_TRUE(DecodeImage(AsBytes(png), "a.png") == image);
}

TEST(Profiles, SixteenBitsAndTransparency) {
  const std::string icc = WideProfiles()[0].second;
  const Rgb8 stored = InSpaceOf(icc, kGreen);
  DecodedSamples samples = Samples<uint16_t>(2, 1, 4);
  auto& wide = std::get<Samples<uint16_t>>(samples);
  for (int x = 0; x < 2; ++x) {
    for (int c = 0; c < 3; ++c)
      wide.Pixel(x, 0)[c] = static_cast<uint16_t>(257 * stored[static_cast<size_t>(c)]);
    wide.Pixel(x, 0)[3] = x == 0 ? 65535 : 13107;
  }
  ColourSpace space;
  for (const char byte : icc) space.icc.push_back(static_cast<std::byte>(byte));
  ConvertToSrgb(samples, space, "a.png");
  const Image image = ToRgb(samples);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(image.Pixel(0, 0)[c], kGreen[static_cast<size_t>(c)], 2);
    EXPECT_NEAR(image.Pixel(1, 0)[c], 0.2 * kGreen[static_cast<size_t>(c)] + 0.8 * 255, 2);
  }
}

TEST(Profiles, Grey) {
  // Light of 64 / 255 to the power 1.0 (linear): 137 in sRGB.
  GrayImage grey(16, 8, 64);
  const std::string linear = GreyProfile(1.0);
  const std::string png = WithChunks(TextOf(EncodePng(grey)), Iccp(linear));
  ExpectNear(ReadColour(png, "grey.png"), {137, 137, 137}, 2, "grey");
  // An RGB profile on a grey picture, and a grey one on an RGB picture that is grey.
  ExpectNear(ReadColour(WithChunks(TextOf(EncodePng(grey)), Iccp(WideProfiles()[2].second)), "g.png"),
             ReadColour(WithChunks(PngOf({64, 64, 64}), Iccp(WideProfiles()[2].second)), "c.png"), 1,
             "RGB for grey");
  ExpectNear(ReadColour(WithChunks(PngOf({64, 64, 64}), Iccp(linear)), "rgb.png"), {137, 137, 137}, 2,
             "grey for RGB");
  ExpectNear(ReadColour(WithChunks(PngOf(kGreen), Iccp(linear)), "odd.png"), kGreen, 0, "grey for colours");
  EXPECT_THAT(Warnings(), Contains(HasSubstr("odd.png: its colour profile is for another kind of picture")));
}

TEST(Profiles, MasksAreValues) {
  const fs::path path = fs::temp_directory_path() / ("wrz_mask_" + std::to_string(::getpid()) + ".png");
  std::ofstream(path, std::ios::binary)
      << WithChunks(TextOf(EncodePng(GrayImage(16, 8, 64))), Iccp(GreyProfile(1.0)));
  EXPECT_EQ(ReadGray(path).At(3, 3), 64);
  fs::remove(path);
}

// A press in which cyan takes green's light and magenta red's.
TEST(Profiles, Cmyk) {
  std::ifstream file("tests/data/media/cmyk_adobe.jpg", std::ios::binary);
  const std::string plain{std::istreambuf_iterator<char>(file), {}};
  const Image before = DecodeImage(AsBytes(plain), "plain.jpg");
  const std::string icc = SwappedCmykProfile();
  ASSERT_FALSE(icc.empty());
  const Image after = DecodeImage(AsBytes(JpegWithProfile(plain, icc, 60000)), "cmyk.jpg");
  for (int bar = 0; bar < 4; ++bar) {
    const uint8_t* was = before.Pixel(8 * bar + 4, 8);
    const uint8_t* is = after.Pixel(8 * bar + 4, 8);
    EXPECT_NEAR(is[0], was[1], 12) << bar;
    EXPECT_NEAR(is[1], was[0], 12) << bar;
    EXPECT_NEAR(is[2], was[2], 12) << bar;
  }
}

TEST(Profiles, DamagedOnesAreWarnings) {
  const std::string icc = WideProfiles()[0].second;
  const auto expect_plain = [](const std::string& file, const std::string& name, const std::string& warning) {
    ExpectNear(ReadColour(file, name), kGreen, 4, name);
    EXPECT_THAT(Warnings(), Contains(HasSubstr(name + ": " + warning)));
  };
  const std::string png = PngOf(kGreen), jpeg = JpegOf(kGreen);
  expect_plain(WithChunks(png, Iccp(icc.substr(0, 100))), "short.png", "its colour profile is damaged");
  expect_plain(WithChunks(png, Iccp(std::string(3000, 'x'))), "noise.png", "its colour profile is damaged");
  std::string torn = Iccp(icc);
  torn[40] = static_cast<char>(~torn[40]);
  expect_plain(WithChunks(png, torn), "torn.png", "its colour profile is damaged");
  // A few hundred kilobytes that inflate to more than is read.
  expect_plain(WithChunks(png, Iccp(std::string(kMaxProfileBytes + 1000, '\0'))), "bomb.png",
               "its colour profile is");
  expect_plain(WithChunks(png, Gama(0)), "gamma.png", "its gamma is damaged");
  expect_plain(JpegWithProfile(jpeg, icc.substr(0, 140), 60000), "short.jpg",
               "its colour profile is damaged");
  const std::string pieces = JpegWithProfile(jpeg, icc, 100);
  const size_t second = pieces.find("ICC_PROFILE", pieces.find("ICC_PROFILE") + 1);
  std::string twice = pieces;
  twice[second + 12] = pieces[pieces.find("ICC_PROFILE") + 12];
  expect_plain(twice, "twice.jpg", "its colour profile is incomplete");
  expect_plain(pieces.substr(0, 2) + pieces.substr(second - 4), "first_missing.jpg",
               "its colour profile is incomplete");
  // Any byte of it wrong: a picture, whatever its colours.
  for (size_t i = 0; i < icc.size(); ++i) {
    std::string changed = icc;
    changed[i] = static_cast<char>(~changed[i]);
    DecodeImage(AsBytes(WithChunks(png, Iccp(changed))), "changed.png");
  }
}

// ---- PNG's own words, and EXIF's

TEST(PngColours, GammaAndPrimaries) {
  ExpectNear(ReadColour(WithChunks(PngOf({64, 64, 64}), Gama(1.0)), "linear.png"), {137, 137, 137}, 2,
             "linear");
  ExpectNear(ReadColour(WithChunks(PngOf({64, 128, 200}), Gama(0.45455)), "usual.png"), {64, 128, 200}, 0,
             "1 / 2.2");
  const std::string adobe = WideProfiles()[1].second;
  ExpectNear(ReadColour(WithChunks(PngOf(InSpaceOf(adobe, kGreen)), Gama(1 / 2.2) + Chrm(kAdobeRgbPrimaries)),
                        "a.png"),
             kGreen, 6, "cHRM");
  // sRGB's chunk wins over these, a profile over all.
  ExpectNear(
      ReadColour(WithChunks(PngOf(kGreen), Gama(1.0) + PngChunk("sRGB", std::string(1, '\0'))), "b.png"),
      kGreen, 0, "sRGB");
  ExpectNear(ReadColour(WithChunks(PngOf(InSpaceOf(adobe, kGreen)), Gama(1.0) + Iccp(adobe)), "c.png"),
             kGreen, 3, "profile");
}

TEST(PngColours, CodeNumbers) {
  // Display P3 with sRGB's curve; an unknown curve.
  const std::string p3 = WideProfiles()[0].second;
  ExpectNear(
      ReadColour(WithChunks(PngOf(InSpaceOf(p3, kGreen)), PngChunk("cICP", std::string("\x0C\x0D\0\x01", 4))),
                 "p.png"),
      kGreen, 3, "P3");
  ReadColour(WithChunks(PngOf(kGreen), PngChunk("cICP", std::string("\x01\x09\0\x01", 4))), "log.png");
  EXPECT_THAT(Warnings(), Contains(HasSubstr("log.png: its curve of light (9 of ITU-T H.273)")));
}

TEST(Exif, AdobeRgbWithoutAProfile) {
  const auto entry = [](uint32_t tag, uint32_t type, uint32_t count, const std::string& value) {
    return Little32(tag | type << 16) + Little32(count) + value;
  };
  const std::string tiff = std::string("II*\0", 4) + Little32(8) + std::string("\x01\0", 2) +
                           entry(0x8769, 4, 1, Little32(26)) + Little32(0) + std::string("\x01\0", 2) +
                           entry(0xA005, 4, 1, Little32(44)) + Little32(0) + std::string("\x01\0", 2) +
                           entry(1, 2, 4, std::string("R03\0", 4)) + Little32(0);
  const Rgb8 stored = InSpaceOf(WideProfiles()[1].second, kGreen);
  const auto with = [&](const std::string& exif) {
    const std::string jpeg = JpegOf(stored);
    return jpeg.substr(0, 2) + JpegSegment('\xE1', std::string("Exif\0\0", 6) + exif) + jpeg.substr(2);
  };
  ExpectNear(ReadColour(with(tiff), "nikon.jpg"), kGreen, 6, "R03");
  std::string srgb = tiff;
  srgb.replace(srgb.find("R03"), 3, "R98");
  ExpectNear(ReadColour(with(srgb), "plain.jpg"), stored, 4, "R98");
  for (size_t cut = 0; cut < tiff.size(); ++cut) ReadColour(with(tiff.substr(0, cut)), "cut.jpg");
}

// ---- HDR, against the formulas of BT.2100 the other way round

double HlgOfScene(double e) {
  return e <= 1.0 / 12 ? std::sqrt(3 * e) : 0.17883277 * std::log(12 * e - 0.28466892) + 0.55991073;
}

double PqOfNits(double nits) {
  const double y = std::pow(nits / 10000, 0.1593017578125);
  return std::pow((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y), 78.84375);
}

// The values in BT.2020 of what an ordinary display (BT.1886) with a white of 203 cd/m2 shows.
std::array<double, 3> HdrOfSdr(const Rgb8& srgb, bool hlg) {
  double l[3];
  for (size_t c = 0; c < 3; ++c) {
    l[c] = 203 * std::pow(srgb[c] / 255.0, 2.4);
  }
  const double wide[3] = {0.627404 * l[0] + 0.329283 * l[1] + 0.043313 * l[2],
                          0.069097 * l[0] + 0.919540 * l[1] + 0.011362 * l[2],
                          0.016391 * l[0] + 0.088013 * l[1] + 0.895595 * l[2]};
  std::array<double, 3> values{};
  for (size_t c = 0; c < 3; ++c) {
    values[c] = hlg ? HlgOfScene(std::pow(wide[c] / 1000, 1 / 1.2)) : PqOfNits(wide[c]);
  }
  return values;
}

TEST(Hdr, WhatAnOrdinaryDisplayShowsStays) {
  for (const bool hlg : {false, true}) {
    for (const Rgb8& colour : {kGreen, Rgb8{200, 60, 50}, Rgb8{20, 30, 200}, Rgb8{5, 5, 5},
                               Rgb8{128, 128, 128}, Rgb8{230, 230, 225}}) {
      const std::array<double, 3> values = HdrOfSdr(colour, hlg);
      DecodedSamples samples = Samples<uint16_t>(1, 1, 3);
      for (size_t c = 0; c < 3; ++c)
        std::get<Samples<uint16_t>>(samples).values[c] =
            static_cast<uint16_t>(std::lround(65535 * values[c]));
      ConvertToSrgb(samples, ColourSpaceOfCodes(9, hlg ? 18 : 16), "hdr");
      const Image image = ToRgb(samples);
      ExpectNear({image.rgb[0], image.rgb[1], image.rgb[2]}, colour, 2, hlg ? "HLG" : "PQ");
    }
  }
}

TEST(Hdr, LightsAreCompressedAndKeepTheirOrder) {
  int before = 0;
  for (const double nits : {100.0, 203.0, 400.0, 700.0, 1000.0, 4000.0}) {
    DecodedSamples samples = Samples<uint16_t>(1, 1, 3);
    for (uint16_t& value : std::get<Samples<uint16_t>>(samples).values)
      value = static_cast<uint16_t>(std::lround(65535 * PqOfNits(nits)));
    ConvertToSrgb(samples, ColourSpaceOfCodes(9, 16), "hdr");
    const int value = ToRgb(samples).rgb[0];
    EXPECT_GE(value, before + (nits <= 1000 ? 1 : 0)) << nits;
    if (nits == 203) {
      EXPECT_NEAR(value, 245, 3);
    }
    if (nits >= 1000) {
      EXPECT_EQ(value, 255);
    }
    before = value;
  }
}

TEST(Hdr, UnknownPrimariesAreSaid) {
  DecodedSamples samples = Samples<uint8_t>(1, 1, 3);
  ConvertToSrgb(samples, ColourSpaceOfCodes(4, 16), "odd.png");
  EXPECT_THAT(Warnings(), Contains(HasSubstr("odd.png: its HDR colours are of an unusual kind")));
}

}  // namespace
}  // namespace wildrayzer
