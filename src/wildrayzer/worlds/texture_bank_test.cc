#include "wildrayzer/worlds/texture_bank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TextureSources Few() {
  TextureSources sources;
  sources.procedural = 3;
  sources.procedural_cutouts = 4;
  return sources;
}

std::vector<uint8_t> BytesOf(const TextureBank& bank) { return {bank.texels().begin(), bank.texels().end()}; }

const uint8_t* TextureAt(const TextureBank& bank, int index) {
  return bank.texels().data() + static_cast<size_t>(index) * kTextureBytes;
}

// Texels of a level: those of all larger ones come before it.
const uint8_t* LevelAt(const uint8_t* texture, int level) {
  for (int l = 0; l < level; ++l) texture += 4 * (kTextureSide >> l) * (kTextureSide >> l);
  return texture;
}

// A folder with one picture whose pixel (x, y) is what `paint` says.
fs::path PictureFolder(const std::string& name, int side,
                       const std::function<void(int x, int y, uint8_t* rgb)>& paint) {
  const fs::path folder = testing::FreshFolder(name);
  Image image(side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) paint(x, y, image.Pixel(x, y));
  }
  fs::create_directories(folder / "images" / "deep");
  WritePng(folder / "images" / "deep" / "a.png", image);
  return folder;
}

TEST(TextureBank, RangesFollowEachOther) {
  const TextureBank bank = TextureBank::Make(Few(), 1, 1);
  EXPECT_EQ(bank.procedural().begin, 0);
  EXPECT_EQ(bank.procedural().end, 3);
  EXPECT_EQ(bank.crops().count(), 0);
  EXPECT_EQ(bank.cutouts().begin, 3);
  EXPECT_EQ(bank.cutouts().end, 7);
  EXPECT_EQ(bank.size(), 7);
  EXPECT_EQ(bank.texels().size(), 7U * kTextureBytes);
}

TEST(TextureBank, IsTheSameForAnyNumberOfThreads) {
  TextureSources sources = Few();
  sources.pictures = {PictureFolder("threads", 90, [](int x, int y, uint8_t* rgb) {
    rgb[0] = static_cast<uint8_t>(2 * x), rgb[1] = static_cast<uint8_t>(2 * y), rgb[2] = 77;
  })};
  const TextureBank one = TextureBank::Make(sources, 5, 1), two = TextureBank::Make(sources, 5, 2);
  EXPECT_EQ(BytesOf(one), BytesOf(two));
  EXPECT_EQ(one.crops().count(), 16);
  EXPECT_NE(BytesOf(one), BytesOf(TextureBank::Make(sources, 6, 2)));
}

TEST(TextureBank, LevelsKeepTheMean) {
  const TextureBank bank = TextureBank::Make(Few(), 3, 2);
  for (int texture = 0; texture < bank.procedural().end; ++texture) {
    for (int channel = 0; channel < 3; ++channel) {
      double mean = 0;
      const int texels = kTextureSide * kTextureSide;
      for (int i = 0; i < texels; ++i) mean += TextureAt(bank, texture)[4 * i + channel];
      mean /= texels;
      // Every level is rounded once from the largest, so the last one is the mean to half a step.
      const int last = LevelAt(TextureAt(bank, texture), kTextureLevels - 1)[channel];
      EXPECT_NEAR(last, mean, 0.51) << texture << " " << channel;
    }
  }
}

TEST(TextureBank, SamplesAtTexelCentresAreTexels) {
  const TextureBank bank = TextureBank::Make(Few(), 4, 1);
  const uint8_t* texture = TextureAt(bank, 1);
  const float step = 1.0F / kTextureSide;
  for (const int row : {0, 1, 63, 127}) {
    for (const int column : {0, 40, 126, 127}) {
      const uint8_t* texel = texture + 4 * (row * kTextureSide + column);
      const float u = (static_cast<float>(column) + 0.5F) * step, v = (static_cast<float>(row) + 0.5F) * step;
      // Where it is, and mirrored beyond each edge; then a whole period further.
      for (const auto& [x, y] : {std::pair{u, v}, {-u, v}, {2 - u, v}, {u, -v}, {u, 2 - v}, {u + 2, v - 2}}) {
        const Rgba sample = SampleTexture(texture, x, y, 0);
        EXPECT_NEAR(255 * sample.colour.x, texel[0], 0.05) << row << " " << column;
        EXPECT_NEAR(255 * sample.colour.y, texel[1], 0.05);
        EXPECT_NEAR(255 * sample.colour.z, texel[2], 0.05);
        EXPECT_EQ(sample.alpha, 1);
      }
    }
  }
}

TEST(TextureBank, CropsShowThePicture) {
  TextureSources sources = Few();
  sources.pictures = {
      PictureFolder("flat", 50, [](int, int, uint8_t* rgb) { rgb[0] = 10, rgb[1] = 20, rgb[2] = 30; })};
  sources.crops = 2;
  const TextureBank bank = TextureBank::Make(sources, 1, 1);
  ASSERT_EQ(bank.crops().count(), 2);
  for (int level = 0; level < kTextureLevels; ++level) {
    const uint8_t* texel = LevelAt(TextureAt(bank, bank.crops().begin), level);
    EXPECT_THAT(std::vector<int>(texel, texel + 4), ::testing::ElementsAre(10, 20, 30, 255)) << level;
  }
}

// A bright object on black: no level and no texel around the object may be darker than it.
TEST(TextureBank, EdgesOfCutoutsDoNotDarken) {
  const fs::path folder = PictureFolder("coco", 80, [](int x, int y, uint8_t* rgb) {
    const bool inside = x >= 10 && x < 50 && y >= 20 && y < 50 && x + y < 80;
    std::fill_n(rgb, 3, inside ? uint8_t{200} : uint8_t{0});
  });
  WriteFileAtomically(folder / "instances.json",
                      R"({"images": [{"id": 1, "file_name": "deep/a.png", "width": 80, "height": 80}],
    "categories": [{"id": 1, "name": "person"}], "annotations": [
    {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[10, 20, 50, 20, 50, 29, 29, 50, 10, 50]]},
    {"id": 2, "image_id": 1, "category_id": 1, "iscrowd": 1, "segmentation": [[0, 0, 60, 0, 60, 60, 0, 60]]},
    {"id": 3, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]]}]})");
  TextureSources sources = Few();
  sources.cutouts = {folder};
  const TextureBank bank = TextureBank::Make(sources, 2, 1);
  ASSERT_EQ(bank.cutouts().count(), 5);  // without the crowd and the small one
  const int index = bank.cutouts().end - 1;
  EXPECT_NEAR(bank.Aspect(index), 40.0 / 30.0, 0.07);
  const uint8_t* texture = TextureAt(bank, index);
  int clear = 0;
  for (int i = 0; i < kTextureTexels; ++i) {
    clear += texture[4 * i + 3] == 0 ? 1 : 0;
    for (int channel = 0; channel < 3; ++channel) EXPECT_GE(texture[4 * i + channel], 196) << i;
  }
  EXPECT_GT(clear, 1000);
  EXPECT_LT(LevelAt(texture, kTextureLevels - 1)[3], 250);
}

TEST(TextureBank, CutoutsAreThingsWithAnOutside) {
  TextureSources sources = Few();
  sources.procedural_cutouts = 40;
  const TextureBank bank = TextureBank::Make(sources, 9, 2);
  for (int index = bank.cutouts().begin; index < bank.cutouts().end; ++index) {
    const uint8_t* texture = TextureAt(bank, index);
    int opaque = 0;
    for (int i = 0; i < kTextureSide * kTextureSide; ++i) opaque += texture[4 * i + 3] > 127 ? 1 : 0;
    const double share = static_cast<double>(opaque) / (kTextureSide * kTextureSide);
    EXPECT_GT(share, 0.1) << index;
    EXPECT_LT(share, 0.95) << index;
    EXPECT_GT(bank.Aspect(index), 0.1F);
    EXPECT_LT(bank.Aspect(index), 4.0F);
  }
}

TEST(TextureBank, SourcesThatGiveNothingAreNamed) {
  const fs::path empty = testing::FreshFolder("no_pictures_here");
  TextureSources sources = Few();
  sources.pictures = {empty};
  const auto make = [&] { TextureBank::Make(sources, 1, 1); };
  EXPECT_THAT(make, ThrowsMessage<FileError>(AllOf(HasSubstr("no_pictures_here"), HasSubstr("no pictures"))));
  WriteFileAtomically(empty / "broken.jpg", "not a picture");
  EXPECT_THAT(make, ThrowsMessage<FileError>(AllOf(HasSubstr("no_pictures_here"), HasSubstr("can be read"))));
  sources.pictures = {empty / "absent"};
  EXPECT_THAT(make, ThrowsMessage<FileError>(HasSubstr("is missing")));
  sources.pictures.clear();
  sources.cutouts = {empty};
  EXPECT_THAT(make, ThrowsMessage<FileError>(HasSubstr("instances.json")));
}

}  // namespace
}  // namespace wildrayzer
