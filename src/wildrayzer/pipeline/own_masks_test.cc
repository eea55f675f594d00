#include "wildrayzer/pipeline/own_masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/npy.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::FreshFolder;
using ::testing::HasSubstr;

Photo PhotoCalled(const std::string& name, const std::string& source, int width = 8, int height = 4) {
  return {name, source, Image(width, height)};
}

// The value of the first pixel; -1: no mask.
std::vector<float> FirstPixels(const std::vector<MotionMask>& masks) {
  std::vector<float> values;
  for (const MotionMask& mask : masks) values.push_back(mask.probability.empty() ? -1 : mask.probability[0]);
  return values;
}

void WriteMask(const fs::path& path, uint8_t value, int width = 8, int height = 4) {
  GrayImage mask(width, height);
  std::fill(mask.values.begin(), mask.values.end(), value);
  fs::create_directories(path.parent_path());
  WritePng(path, mask);
}

TEST(OwnMasks, AreFoundUnderTheNamesThatPeopleGive) {
  const std::vector<Photo> photos = {PhotoCalled("IMG_1", "holiday/IMG_1.JPG")};
  for (const char* name : {"IMG_1.png", "IMG_1.JPG.png", "img_1.PNG", "IMG_1_mask.png", "mask_IMG_1.png",
                           "IMG_1-mask.png", "IMG_1.mask.png", "IMG_1.JPG_mask.png", "masks/IMG_1.png"}) {
    const fs::path folder = FreshFolder("own_masks");
    WriteMask(folder / name, 255);
    WriteFileAtomically(folder / "notes.txt", "IMG_1");
    WriteFileAtomically(folder / "._IMG_1.png", "what a Mac leaves beside files");
    EXPECT_EQ(FirstPixels(ReadOwnMasks(folder, photos, false)), std::vector<float>{1}) << name;
    EXPECT_EQ(FirstPixels(ReadOwnMasks(folder, photos, true)), std::vector<float>{0}) << name;
  }
}

TEST(OwnMasks, AreFoundForFramesAndNumbers) {
  const fs::path folder = FreshFolder("own_numbers");
  WriteMask(folder / "frame_000012.png", 255);
  WriteMask(folder / "24.png", 0);
  WriteMask(folder / "00036.png", 255);
  const std::vector<Photo> photos = {
      PhotoCalled("frame_000012", "walk.mp4 frame 12"), PhotoCalled("frame_000024", "walk.mp4 frame 24"),
      PhotoCalled("frame_000036", "walk.mp4 frame 36"), PhotoCalled("frame_000048", "walk.mp4 frame 48")};
  EXPECT_EQ(FirstPixels(ReadOwnMasks(folder, photos, false)), (std::vector<float>{1, 0, 1, -1}));
  EXPECT_THAT(Warnings(), ::testing::Contains(HasSubstr("frame 48: has no mask")));
}

TEST(OwnMasks, MayBeArraysWhateverTheCaseOfLetters) {
  for (const char* name : {"a.npy", "a.NPY", "mask_A.npy"}) {
    const fs::path folder = FreshFolder("own_arrays");
    std::vector<std::byte> values(8 * 4);
    values[1] = std::byte{1};
    WriteNpy(folder / name, DType::kBool, {4, 8}, values);
    const auto masks = ReadOwnMasks(folder, std::vector{PhotoCalled("a", "a.jpg")}, false);
    ASSERT_EQ(masks[0].width, 8) << name;
    EXPECT_EQ(masks[0].probability[0], 0) << name;
    EXPECT_EQ(masks[0].probability[1], 1) << name;
  }
}

TEST(OwnMasks, PhotosOfOneNameHaveTheNamesOfTheirResults) {
  const fs::path folder = FreshFolder("own_same");
  WriteMask(folder / "0.png", 255);
  WriteMask(folder / "0_2.png", 0);
  const std::vector<Photo> photos = {PhotoCalled("0", "a/0.png"), PhotoCalled("0_2", "b/0.png")};
  EXPECT_EQ(FirstPixels(ReadOwnMasks(folder, photos, false)), (std::vector<float>{1, 0}));
}

TEST(OwnMasks, MayLieBesideThePhotosInAnySize) {
  const fs::path folder = FreshFolder("own_beside");
  WritePng(folder / "a.png", Image(8, 4));
  WriteMask(folder / "a_mask.png", 255, 400, 201);
  const auto masks = ReadOwnMasks(folder, std::vector{PhotoCalled("a", (folder / "a.png").string())}, false);
  EXPECT_EQ(masks[0].width, 400);
  EXPECT_EQ(masks[0].probability.size(), 400u * 201u);
}

std::string WhyMasksAreRefused(const fs::path& folder, const std::vector<Photo>& photos) {
  try {
    ReadOwnMasks(folder, photos, false);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(OwnMasks, MistakesAreNamed) {
  const fs::path folder = FreshFolder("own_mistakes");
  const std::vector<Photo> photos = {PhotoCalled("a", "a.jpg")};
  EXPECT_THAT(WhyMasksAreRefused(folder / "none", photos), HasSubstr("none: no such folder of masks"));
  EXPECT_THAT(WhyMasksAreRefused(folder, photos), HasSubstr("that of a.jpg would be called a.png"));
  WriteMask(folder / "a.png", 255, 4, 8);
  EXPECT_THAT(WhyMasksAreRefused(folder, photos), HasSubstr("lies on its side"));
  WriteMask(folder / "a.png", 255, 8, 8);
  EXPECT_THAT(WhyMasksAreRefused(folder, photos), HasSubstr("does not fit its photo a.jpg of 8 x 4"));
  WriteMask(folder / "a_mask.png", 255);
  EXPECT_THAT(WhyMasksAreRefused(folder, photos), HasSubstr("may both be the mask of a.jpg"));
  fs::remove(folder / "a_mask.png");
  WriteFileAtomically(folder / "a.png", "no picture");
  EXPECT_THAT(WhyMasksAreRefused(folder, photos), HasSubstr("a.png: is not a"));
}

}  // namespace
}  // namespace wildrayzer
