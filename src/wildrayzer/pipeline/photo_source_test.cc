#include "wildrayzer/pipeline/photo_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/video.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;

std::vector<std::string> NamesIn(PhotoSource source) {
  std::vector<std::string> names;
  for (const Photo& photo : source.Read(source.Readable())) names.push_back(photo.name);
  return names;
}

TEST(PhotoSource, SortsNumbersAsNumbersAndSkipsWhatIsNoPhoto) {
  const fs::path folder = FreshFolder("natural");
  for (const char* name : {"img10.png", "img2.png", "img1.png", "img02b.png", ".hidden.png"})
    WritePng(folder / name, Image(8, 8));
  WriteFileAtomically(folder / "notes.txt", "not a photo");
  EXPECT_THAT(NamesIn(PhotoSource({folder.string()})), ElementsAre("img1", "img2", "img02b", "img10"));
}

TEST(PhotoSource, FindsTheImagesSubfolderOfADataSet) {
  const fs::path folder = FreshFolder("dataset");
  for (const char* sub : {"images", "masks"}) {
    fs::create_directories(folder / sub);
    WritePng(folder / sub / "0.png", Image(8, 8));
  }
  EXPECT_EQ(PhotoSource({folder.string()}).Read({0})[0].source, (folder / "images/0.png").string());
}

TEST(PhotoSource, KeepsNamesApart) {
  const fs::path folder = FreshFolder("names");
  for (const char* sub : {"a", "b"}) {
    fs::create_directories(folder / sub);
    WritePng(folder / sub / "0.png", Image(8, 8));
  }
  EXPECT_THAT(NamesIn(PhotoSource({(folder / "a/0.png").string(), (folder / "b/0.png").string()})),
              ElementsAre("0", "0_2"));
}

// Cuts a picture off, so that its header is good and its pixels are not.
void Damage(const fs::path& picture) { fs::resize_file(picture, fs::file_size(picture) - 20); }

TEST(PhotoSource, LeavesOutPhotosOfAFolderThatCannotBeRead) {
  const fs::path folder = FreshFolder("damaged_photo");
  for (const char* name : {"1.png", "2.png", "3.png", "4.png"}) WritePng(folder / name, Image(8, 8));
  PhotoSource source({folder.string()});
  EXPECT_EQ(source.Read({0, 1, 2, 3}).size(), 4u);
  EXPECT_EQ(source.LeftOut("out"), "");
  Damage(folder / "2.png");
  EXPECT_EQ(source.Read({0, 2}).size(), 2u);  // nobody asked for it
  EXPECT_EQ(source.Readable().size(), 4u);
  std::vector<Photo> photos = source.Read({0, 1});
  ASSERT_EQ(photos.size(), 1u);
  EXPECT_THAT(Warnings(), ::testing::Contains(HasSubstr("2.png")));
  EXPECT_THAT(source.Readable(), ElementsAre(0, 2, 3));  // what indices mean stays
  EXPECT_THAT(source.LeftOut("out"), HasSubstr("out: is written without 1 of 4 photos"));
  // What was read before is not read again.
  photos[0].image = Image(3, 3);
  Damage(folder / "1.png");
  photos = source.Read({3, 0}, std::move(photos));
  EXPECT_THAT((std::vector{photos.at(0).image.width, photos.at(1).image.width}), ElementsAre(8, 3));
  // Two must remain.
  Damage(folder / "3.png");
  Damage(folder / "4.png");
  EXPECT_THAT([&] { source.Read({0, 2, 3}); }, ::testing::ThrowsMessage<FileError>(HasSubstr("3.png")));
  // A file that was named is wanted.
  PhotoSource named({(folder / "1.png").string(), (folder / "2.png").string(), (folder / "3.png").string()});
  EXPECT_THROW(named.Read({0, 1, 2}), FileError);
}

TEST(PhotoSource, SaysThatCamerasAreNoPhoto) {
  const fs::path folder = FreshFolder("json");
  WriteFileAtomically(folder / "cameras.JSON", "{}");
  try {
    PhotoSource({(folder / "cameras.JSON").string()});
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cameras.JSON: is no photo"));
  }
}

std::string WhyRefused(const std::vector<std::string>& paths) {
  try {
    PhotoSource source(paths);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string TextOfPicture(const Image& image) {
  const std::vector<std::byte> bytes = EncodeJpeg(image);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(PhotoSource, PicturesAreKnownByTheirBytes) {
  const fs::path folder = FreshFolder("content");
  for (const char* name : {"a.jfif", "b", "c.JPG_large", "d.jpg"})
    WriteFileAtomically(folder / name, TextOfPicture(Image(8, 8)));
  WriteFileAtomically(folder / "notes.txt", "no photo");
  WriteFileAtomically(folder / "e.gif", "GIF89a");
  WriteFileAtomically(folder / "f.dng",
                      std::string("II*\0\x08\0\0\0\x01\0\x12\xC6\x01\0\x04\0\0\0\x01\x04\0\0\0\0\0\0", 26));
  EXPECT_THAT(NamesIn(PhotoSource({folder.string()})), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(NamesIn(PhotoSource({(folder / "b").string(), (folder / "a.jfif").string()})),
              ElementsAre("b", "a"));
  EXPECT_THAT(Warnings(), Contains(HasSubstr("e.gif: left out: is a GIF")));
  EXPECT_THAT(Warnings(), Contains(HasSubstr("f.dng: left out: is a camera's raw picture")));
  EXPECT_THAT(WhyRefused({(folder / "f.dng").string()}), HasSubstr("f.dng: is a camera's raw picture"));
  EXPECT_THAT(
      WhyRefused({(folder / "notes.txt").string()}),
      HasSubstr("notes.txt: is not a JPEG, PNG, WebP, HEIC, AVIF, BMP or TIFF picture, and no video"));
  WriteFileAtomically(folder / "empty", "");
  EXPECT_THAT(WhyRefused({(folder / "empty").string(), (folder / "b").string()}),
              HasSubstr("empty: is empty"));
  WriteFileAtomically(folder / "photoshop.bin", "8BPS....");
  EXPECT_THAT(WhyRefused({(folder / "photoshop.bin").string()}),
              HasSubstr("is a Photoshop file: save it as"));
}

// A damaged photo is said to be damaged, and a folder is not read without it in silence.
TEST(PhotoSource, DamagedPhotosAreNotPassedOver) {
  const fs::path folder = FreshFolder("damaged");
  WritePng(folder / "a.png", Image(8, 8));
  WriteFileAtomically(folder / "b.jpg", "version https://git-lfs.github.com/spec/v1");
  EXPECT_THROW(NamesIn(PhotoSource({folder.string()})), FileError);
}

TEST(PhotoSource, APhotoInTwoFormatsCountsOnce) {
  const fs::path folder = FreshFolder("twins");
  for (const char* name : {"IMG_1.heic", "IMG_1.JPG", "IMG_2.HEIC", "IMG_3.png", "IMG_3.avif"})
    WriteFileAtomically(folder / name, "x");
  EXPECT_THAT(PhotoSource({folder.string()}).files(),
              ElementsAre(folder / "IMG_1.JPG", folder / "IMG_2.HEIC", folder / "IMG_3.png"));
}

TEST(PhotoSource, VideosAreKnownByTheirBytes) {
  const fs::path folder = FreshFolder("videos");
  VideoWriter video(folder / "walk.mp4", 32, 32, 10);
  for (int i = 0; i < 4; ++i) video.Write(Image(32, 32));
  video.Commit();
  EXPECT_EQ(PhotoSource({folder.string()}).size(), 4u);  // the folder's only file
  for (const char* name : {"walk", "00001.mts", "walk.insv"}) {
    fs::copy_file(folder / "walk.mp4", folder / name);
    const PhotoSource source({(folder / name).string()});
    EXPECT_TRUE(source.is_video()) << name;
    EXPECT_EQ(source.size(), 4u) << name;
  }
  EXPECT_THAT(WhyRefused({folder.string()}),
              HasSubstr("no images in this folder, but 4 videos: give one of them"));
  WritePng(folder / "a.png", Image(8, 8));  // a phone's folder: short clips beside the photos
  EXPECT_FALSE(PhotoSource({folder.string()}).is_video());
  EXPECT_THAT(WhyRefused({(folder / "a.png").string(), (folder / "walk").string()}),
              HasSubstr("walk: give either"));
}

TEST(PhotoSource, RefusesMixedKinds) {
  const fs::path folder = FreshFolder("mixed");
  WritePng(folder / "a.png", Image(8, 8));
  EXPECT_THROW(PhotoSource({(folder / "a.png").string(), folder.string()}), UsageError);
  EXPECT_THROW(PhotoSource({(folder / "missing.png").string()}), UsageError);
}

TEST(SpreadIndices, HoldsBothEndsAndIsEven) {
  EXPECT_THAT(SpreadIndices(10, 2), ElementsAre(0, 9));
  EXPECT_THAT(SpreadIndices(10, 4), ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(SpreadIndices(3, 8), ElementsAre(0, 1, 2));
  EXPECT_THAT(SpreadIndices(5, 1), ElementsAre(0));
  for (size_t size = 2; size < 40; ++size) {
    for (size_t count = 2; count <= size; ++count) {
      const std::vector<size_t> indices = SpreadIndices(size, count);
      ASSERT_EQ(indices.front(), 0u);
      ASSERT_EQ(indices.back(), size - 1);
      for (size_t i = 1; i < indices.size(); ++i) ASSERT_LT(indices[i - 1], indices[i]);
    }
  }
}

TEST(SplitViews, InputsHoldTheEndsAndNothingIsInBoth) {
  const ViewSplit split = SplitViews(65, 2, 6);
  EXPECT_THAT(split.inputs, ElementsAre(0, 64));
  EXPECT_EQ(split.targets.size(), 6u);
  for (size_t size = 2; size < 30; ++size) {
    for (size_t inputs = 2; inputs <= std::min<size_t>(size, 6); ++inputs) {
      const ViewSplit views = SplitViews(size, inputs, 5);
      ASSERT_EQ(views.inputs.size(), inputs);
      ASSERT_EQ(views.targets.size(), std::min<size_t>(5, size - inputs));
      ASSERT_EQ(views.inputs.front(), 0u);
      ASSERT_EQ(views.inputs.back(), size - 1);
      for (const size_t target : views.targets)
        ASSERT_THAT(views.inputs, ::testing::Not(::testing::Contains(target)));
    }
  }
}

}  // namespace
}  // namespace wildrayzer
