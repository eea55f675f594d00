#include "wildrayzer/data/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <span>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/testing/small_scenes.h"
#include "wildrayzer/io/npy.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::Plain;
using ::testing::ThrowsMessage;
using testing::WriteList;
using testing::WritePicture;

ViewOptions Small(int side) {
  ViewOptions options;
  options.width = options.height = side;
  options.clean = options.masks = true;
  return options;
}

TEST(Views, PicturesIntrinsicsAndPosesArriveInModelFrame) {
  const fs::path root = FreshFolder("views_re10k");
  WriteList(root, 1, 5, /*paired=*/true);
  const SceneRecord scene = OpenScenes(root)->Read(0);
  const std::array frames = {4, 0, 2};
  const std::vector<View> views = LoadViews(scene, frames, Small(32));
  ASSERT_EQ(views.size(), 3u);
  EXPECT_EQ(views[0].frame, 4);
  EXPECT_EQ(views[0].image, Plain(32, 32, testing::SceneColor(0), 104, 7));
  EXPECT_EQ(views[2].clean, Plain(32, 32, testing::SceneColor(0), 102, 200));
  EXPECT_TRUE(views[0].mask.empty());
  // 96 x 64 becomes 48 x 32 (both scales 1/2), then the middle 32 columns: 8 are cut off on the left.
  EXPECT_DOUBLE_EQ(views[0].intrinsics->fx, 40);
  EXPECT_DOUBLE_EQ(views[0].intrinsics->fy, 45);
  EXPECT_DOUBLE_EQ(views[0].intrinsics->cx, 16);
  EXPECT_DOUBLE_EQ(views[0].intrinsics->cy, 16);
  EXPECT_EQ((*views[0].w2c)(0, 3), 4);
}

TEST(Views, WithoutCroppingTheWidthFollowsThePhoto) {
  const fs::path root = FreshFolder("views_wide");
  WriteList(root, 1, 2);
  ViewOptions options = Small(32);
  options.crop = false;
  SceneRecord scene = OpenScenes(root)->Read(0);
  const std::array frames = {0, 1};
  EXPECT_EQ(LoadViews(scene, frames, options)[1].image.width, 48);
  WritePicture(root / "tall.png", Plain(64, 96, 1, 2, 3));
  scene.frames[1].image_path = root / "tall.png";
  EXPECT_THAT(
      [&] { LoadViews(scene, frames, options); },
      ThrowsMessage<FileError>(AllOf(HasSubstr("tall.png"), HasSubstr("16 x 32"), HasSubstr("48 x 32"))));
  options.crop = true;
  EXPECT_EQ(LoadViews(scene, frames, options)[1].image.height, 32);
}

TEST(Views, FractionsBecomePixels) {
  const fs::path root = FreshFolder("views_fractions");
  WritePicture(root / "s/a.png", Plain(64, 64, 1, 2, 3));
  WriteFileAtomically(root / "s/cameras.txt", "0 0.5 0.75 0.5 0.25 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n");
  const std::array frames = {0};
  const View view = LoadViews(OpenScenes(root / "s")->Read(0), frames, Small(32)).front();
  EXPECT_DOUBLE_EQ(view.intrinsics->fx, 16);
  EXPECT_DOUBLE_EQ(view.intrinsics->fy, 24);
  EXPECT_DOUBLE_EQ(view.intrinsics->cy, 8);
}

TEST(Views, ProblemsNameTheFile) {
  const fs::path root = FreshFolder("views_bad");
  WriteList(root, 1, 3, /*paired=*/true);
  const SceneRecord scene = OpenScenes(root)->Read(0);
  const std::array outside = {0, 3};
  EXPECT_THAT([&] { LoadViews(scene, outside, Small(32)); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("scene_00.json"), HasSubstr("view 3"))));
  WritePicture(root / "clean/scene_00/00001.png", Plain(90, 64, 1, 2, 3));
  const std::array one = {1};
  EXPECT_THAT([&] { LoadViews(scene, one, Small(32)); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("clean/scene_00/00001.png"), HasSubstr("90 x 64"))));
  WriteFileAtomically(root / "images/scene_00/00002.png", "not a picture");
  const std::array two = {2};
  EXPECT_THAT([&] { LoadViews(scene, two, Small(32)); }, ThrowsMessage<FileError>(HasSubstr("00002.png")));
  fs::remove(root / "images/scene_00/00000.png");
  const std::array zero = {0};
  EXPECT_THAT([&] { LoadViews(scene, zero, Small(32)); }, ThrowsMessage<FileError>(HasSubstr("00000.png")));
}

TEST(Masks, ColoursAboveBlackMove) {
  const fs::path root = FreshFolder("masks_colour");
  Image palette = Plain(4, 2, 0, 0, 0);
  palette.Pixel(1, 0)[0] = 128;  // DAVIS paints the first object (128, 0, 0), the second (0, 128, 0)
  palette.Pixel(2, 1)[1] = 128;
  WritePicture(root / "m.png", palette);
  GrayImage expected(4, 2);
  expected.At(1, 0) = expected.At(2, 1) = 255;
  EXPECT_EQ(ReadMask(root / "m.png"), expected);
}

void WriteMask(const fs::path& path, DType dtype, const std::vector<int64_t>& shape,
               const std::vector<uint8_t>& bytes) {
  fs::create_directories(path.parent_path());
  WriteNpy(path, dtype, shape, std::as_bytes(std::span(bytes)));
}

TEST(Masks, ArraysAreRead) {
  const fs::path root = FreshFolder("masks_npy");
  GrayImage expected(3, 2);
  expected.At(2, 0) = expected.At(0, 1) = 255;
  const std::vector<uint8_t> values = {0, 0, 1, 7, 0, 0};
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 3}, {2, 3, 1}, {1, 2, 3}}) {
    WriteMask(root / "m.npy", DType::kU8, shape, values);
    EXPECT_EQ(ReadMask(root / "m.npy"), expected);
  }
  WriteMask(root / "m.npy", DType::kBool, {2, 3}, {0, 0, 1, 1, 0, 0});
  EXPECT_EQ(ReadMask(root / "m.npy"), expected);
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{6}, {3, 1, 2}, {0, 6}}) {
    WriteMask(root / "bad.npy", DType::kU8, shape, shape[0] == 0 ? std::vector<uint8_t>{} : values);
    EXPECT_THAT([&] { ReadMask(root / "bad.npy"); },
                ThrowsMessage<FileError>(HasSubstr("bad.npy: is not a mask")));
  }
  WriteMask(root / "bad.npy", DType::kF32, {1, 1}, {0, 0, 0, 0});
  EXPECT_THAT([&] { ReadMask(root / "bad.npy"); }, ThrowsMessage<FileError>(HasSubstr("bool or 8-bit")));
  WriteFileAtomically(root / "bad.npy", "x");
  EXPECT_THROW(ReadMask(root / "bad.npy"), FileError);
}

// D-RE10K: masks numbered from 1, in the frame of the cropped picture, missing ones refused.
TEST(Masks, DRe10kMasksAreOnlyResized) {
  const fs::path root = FreshFolder("masks_dre10k");
  WriteList(root, 1, 2);
  std::vector<uint8_t> values(64 * 64, 0);
  for (int y = 0; y < 64; ++y) std::fill_n(values.begin() + 64 * y, 16, uint8_t{1});  // the left quarter
  WriteMask(root / "binary_masks/scene_00/00001.npy", DType::kU8, {64, 64}, values);
  ListedScenesOptions options;
  options.masks.roots = {{"default", root / "binary_masks"}};
  const SceneRecord scene = OpenListedScenes(root / "full_list.txt", options)->Read(0);
  const std::array first = {0}, second = {1};
  const View view = LoadViews(scene, first, Small(32)).front();
  for (int x = 0; x < 32; ++x) EXPECT_EQ(view.mask.At(x, 9), x < 8 ? 255 : 0) << x;
  EXPECT_THAT([&] { LoadViews(scene, second, Small(32)); }, ThrowsMessage<FileError>(HasSubstr("00002.npy")));
}

TEST(Masks, NearestPixelsAreTaken) {
  GrayImage mask(4, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) mask.At(x, y) = (x + y) % 2 == 0 ? 255 : 0;
  }
  EXPECT_EQ(ResizeMask(mask, 4, 4), mask);
  const GrayImage big = ResizeMask(mask, 12, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) ASSERT_EQ(big.At(x, y), mask.At(x / 3, y / 2));
  }
  EXPECT_EQ(ResizeMask(big, 4, 4), mask);
}

// A mask and a picture with the same content must stay together: the left part of the photo moves and is
// white.
TEST(Masks, PhotoMasksFollowTheCropAndModelMasksDoNot) {
  const fs::path root = FreshFolder("masks_crop");
  Image photo = Plain(96, 64, 0, 0, 0);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 32; ++x) photo.Pixel(x, y)[0] = photo.Pixel(x, y)[1] = photo.Pixel(x, y)[2] = 255;
  }
  WritePicture(root / "s/images/a.png", photo);
  WritePicture(root / "s/masks/a.png", photo);
  SceneRecord scene = OpenScenes(root / "s")->Read(0);
  const std::array frames = {0};
  const View view = LoadViews(scene, frames, Small(32)).front();
  // Photo column 32 is column 16 of the 48 resized ones and 8 of the cropped ones.
  for (int x = 0; x < 32; ++x) {
    EXPECT_EQ(view.mask.At(x, 5), x < 8 ? 255 : 0) << x;
    if (std::abs(x - 8) <= 3) continue;  // the resize filter reaches three pixels across the edge
    EXPECT_EQ(view.image.Pixel(x, 5)[0], x < 8 ? 255 : 0) << x;
  }
  Image half = Plain(48, 32, 0, 0, 0);  // the same mask at half the resolution
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 16; ++x) half.Pixel(x, y)[0] = 255;
  }
  WritePicture(root / "s/masks/a.png", half);
  EXPECT_EQ(LoadViews(scene, frames, Small(32)).front().mask, view.mask);
  WritePicture(root / "s/masks/a.png", Plain(64, 64, 255, 255, 255));
  EXPECT_THAT([&] { LoadViews(scene, frames, Small(32)); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("masks/a.png"), HasSubstr("does not fit"))));
  scene.frames[0].mask_frame = MaskFrame::kModel;
  EXPECT_EQ(LoadViews(scene, frames, Small(32)).front().mask, GrayImage(32, 32, 255));
}

TEST(Views, SharedDavisMasksCoverTheDog) {
  const fs::path folder = "../shared/data/dynamic/davis_dog";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is absent";
  const std::array frames = {0, 59};
  for (const View& view : LoadViews(OpenScenes(folder)->Read(0), frames, Small(256))) {
    EXPECT_EQ(view.image.width, 256);
    const auto moving = std::count(view.mask.values.begin(), view.mask.values.end(), 255);
    EXPECT_GT(moving, 256 * 256 / 50);
    EXPECT_LT(moving, 256 * 256 / 2);
  }
}

TEST(Views, SharedVideoFramesAreTheRightOnes) {
  const fs::path video = "../shared/data/video/cat_sofa.mp4";
  if (!fs::exists(video)) GTEST_SKIP() << video << " is absent";
  const SceneRecord scene = OpenScenes(video)->Read(0);
  EXPECT_EQ(scene.frames.size(), 87u);
  const std::array all = {80, 3, 80};
  const std::array alone = {3};
  const std::vector<View> views = LoadViews(scene, all, Small(64));
  EXPECT_EQ(views[0].image, views[2].image);
  EXPECT_EQ(views[1].image, LoadViews(scene, alone, Small(64)).front().image);
  EXPECT_NE(views[0].image, views[1].image);
}

}  // namespace
}  // namespace wildrayzer
