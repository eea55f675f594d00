#include "wildrayzer/pipeline/photo_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;

std::vector<std::string> NamesIn(const PhotoSource& source) {
  std::vector<std::string> names;
  for (const Photo& photo : source.Read(SpreadIndices(source.size(), source.size())))
    names.push_back(photo.name);
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
