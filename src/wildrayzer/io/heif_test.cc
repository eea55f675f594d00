#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libheif/heif.h>

#include <memory>

#include "wildrayzer/io/testing/colour_files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::HasSubstr;

struct HeifOptions {
  heif_compression_format format = heif_compression_HEVC;
  std::string icc;
  int primaries = 0;  // of H.273; 0: nothing is said
  int transfer = 0;
  heif_orientation orientation = heif_orientation_normal;
};

// The file; empty where the installed libheif does not encode the format.
std::string Heif(const Image& image, const HeifOptions& options) {
  heif_context* context = heif_context_alloc();
  heif_encoder* encoder = nullptr;
  std::string bytes;
  if (heif_context_get_encoder_for_format(context, options.format, &encoder).code == heif_error_Ok) {
    heif_encoder_set_lossy_quality(encoder, 95);
    heif_encoder_set_parameter(encoder, "chroma", "444");
    heif_image* pixels = nullptr;
    heif_image_create(image.width, image.height, heif_colorspace_RGB, heif_chroma_interleaved_RGB, &pixels);
    heif_image_add_plane(pixels, heif_channel_interleaved, image.width, image.height, 8);
    int stride = 0;
    uint8_t* plane = heif_image_get_plane(pixels, heif_channel_interleaved, &stride);
    for (int y = 0; y < image.height; ++y)
      std::copy_n(image.Pixel(0, y), 3 * image.width, plane + y * stride);
    heif_encoding_options* encoding = heif_encoding_options_alloc();
    encoding->image_orientation = options.orientation;
    encoding->macOS_compatibility_workaround_no_nclx_profile = 0;  // write the code numbers
    heif_color_profile_nclx* codes = heif_nclx_color_profile_alloc();
    if (!options.icc.empty())
      heif_image_set_raw_color_profile(pixels, "prof", options.icc.data(), options.icc.size());
    if (options.primaries > 0) {
      heif_nclx_color_profile_set_color_primaries(codes, static_cast<uint16_t>(options.primaries));
      heif_nclx_color_profile_set_transfer_characteristics(codes, static_cast<uint16_t>(options.transfer));
      heif_nclx_color_profile_set_matrix_coefficients(codes, 6);
      codes->full_range_flag = 1;
      heif_image_set_nclx_color_profile(pixels, codes);
    }
    heif_image_handle* handle = nullptr;
    if (heif_context_encode_image(context, pixels, encoder, encoding, &handle).code == heif_error_Ok) {
      heif_writer writer{};
      writer.writer_api_version = 1;
      writer.write = [](heif_context*, const void* data, size_t size, void* out) {
        static_cast<std::string*>(out)->assign(static_cast<const char*>(data), size);
        return heif_error{heif_error_Ok, heif_suberror_Unspecified, ""};
      };
      heif_context_write(context, &writer, &bytes);
    }
    heif_image_handle_release(handle);
    heif_nclx_color_profile_free(codes);
    heif_encoding_options_free(encoding);
    heif_image_release(pixels);
    heif_encoder_release(encoder);
  }
  heif_context_free(context);
  return bytes;
}

void ExpectColour(const Image& image, int x, int y, const Rgb8& wanted, int tolerance,
                  const std::string& what) {
  for (int c = 0; c < 3; ++c)
    EXPECT_NEAR(image.Pixel(x, y)[c], wanted[static_cast<size_t>(c)], tolerance) << what << ", channel " << c;
}

class HeifFiles : public testing::TestWithParam<heif_compression_format> {
 protected:
  void SetUp() override {
    options_.format = GetParam();
    if (Heif(Flat(64, 64, kGreen), options_).empty())
      GTEST_SKIP() << "libheif has no encoder for this format here";
  }
  HeifOptions options_;
};

TEST_P(HeifFiles, AreRead) {
  const Image image = DecodeImage(AsBytes(Heif(Flat(96, 64, kGreen), options_)), "a.heic");
  ASSERT_EQ(image.width, 96);
  ASSERT_EQ(image.height, 64);
  ExpectColour(image, 50, 30, kGreen, 4, "plain");
}

TEST_P(HeifFiles, ProfilesAreApplied) {
  options_.icc = WideProfiles()[0].second;
  // (40, 200, 40) in Display P3, rounded.
  const Image image = DecodeImage(AsBytes(Heif(Flat(64, 64, {95, 197, 69}), options_)), "p3.heic");
  ExpectColour(image, 30, 30, kGreen, 8, "Display P3");
}

TEST_P(HeifFiles, CodeNumbersAreFollowed) {
  options_.primaries = 12;
  options_.transfer = 13;
  const std::string file = Heif(Flat(64, 64, {95, 197, 69}), options_);
  ASSERT_THAT(file, HasSubstr("nclx"));
  ExpectColour(DecodeImage(AsBytes(file), "p3.heic"), 30, 30, kGreen, 8, "Display P3");
}

// Once: by what the file itself holds.
TEST_P(HeifFiles, TurnsAreApplied) {
  Image corner = Flat(128, 64, {40, 40, 40});
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 24; ++x) std::fill_n(corner.Pixel(x, y), 3, uint8_t{220});
  }
  struct Turn {
    heif_orientation orientation;
    int width, x, y;  // of the upright picture, and where the bright corner comes to be
  };
  for (const Turn& turn :
       {Turn{heif_orientation_normal, 128, 8, 8}, Turn{heif_orientation_rotate_180, 128, 120, 56},
        Turn{heif_orientation_rotate_90_cw, 64, 56, 8}, Turn{heif_orientation_rotate_270_cw, 64, 8, 120}}) {
    options_.orientation = turn.orientation;
    const Image image = DecodeImage(AsBytes(Heif(corner, options_)), "turned.heic");
    ASSERT_EQ(image.width, turn.width) << turn.orientation;
    ExpectColour(image, turn.x, turn.y, {220, 220, 220}, 12, "corner");
    ExpectColour(image, image.width - 1 - turn.x, image.height - 1 - turn.y, {40, 40, 40}, 12, "opposite");
  }
}

TEST_P(HeifFiles, DamagedAndCutOff) {
  const std::string whole = Heif(Flat(64, 64, kGreen), options_);
  const auto read = [](const std::string& bytes) {
    try {
      DecodeImage(AsBytes(bytes), "a.heic");
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
      return false;
    }
    return true;
  };
  EXPECT_TRUE(read(whole));
  for (size_t cut = 12; cut < whole.size() / 2; cut += 7) EXPECT_FALSE(read(whole.substr(0, cut))) << cut;
  for (size_t at = 12; at < whole.size(); at += 5) {
    std::string changed = whole;
    changed[at] = static_cast<char>(~changed[at]);
    read(changed);
  }
  // A size beyond the limits, in the box that states it.
  std::string large = whole;
  large.replace(large.find("ispe") + 8, 8, Big32(40000) + Big32(64));
  EXPECT_FALSE(read(large));
}

INSTANTIATE_TEST_SUITE_P(All, HeifFiles, testing::Values(heif_compression_HEVC, heif_compression_AV1));

}  // namespace
}  // namespace wildrayzer
