#include "wildrayzer/data/coco.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "wildrayzer/data/rle.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

fs::path Written(const std::string& name, const std::string& text) {
  const fs::path folder = fs::path(::testing::TempDir()) / "wildrayzer_coco";
  fs::create_directories(folder);
  WriteFileAtomically(folder / name, text);
  return folder / name;
}

const char* const kHead = R"({"info": {"a": [1, {"b": [[2]]}]}, "licenses": [],
  "images": [{"id": 7, "file_name": "a.jpg", "width": 10, "height": 8, "extra": {"id": 99}},
             {"file_name": "sub/b.jpg", "height": 4, "width": 6, "id": 3}],
  "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog", "supercategory": "animal"}],
  "annotations": [)";

CocoInstances Parse(const std::string& annotations, const std::set<int>& categories = {}) {
  return CocoInstances::Load(Written("test.json", kHead + annotations + "]}"), categories);
}

std::string Annotation(int id, int image, int category, const std::string& segmentation) {
  return "{\"id\": " + std::to_string(id) + ", \"segmentation\": " + segmentation +
         ", \"image_id\": " + std::to_string(image) + ", \"category_id\": " + std::to_string(category) +
         ", \"bbox\": [1, 2, 3.5, 4], \"area\": 12.5, \"iscrowd\": 0}";
}

int64_t Foreground(const GrayImage& mask) { return std::count(mask.values.begin(), mask.values.end(), 255); }

// First pixel, and distance to the last pixel, of the foreground: x, y, width - 1, height - 1.
std::array<double, 4> InclusiveBox(const GrayImage& mask) {
  int left = mask.width, top = mask.height, right = -1, bottom = -1;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (mask.At(x, y) == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  return {1.0 * left, 1.0 * top, 1.0 * right - left, 1.0 * bottom - top};
}

TEST(Coco, ReadsEveryKindOfOutline) {
  const CocoInstances coco = Parse(Annotation(1, 7, 1, "[[1,1,5,1,5,4,1,4],[6,2,8,2,8,4,6,4]]") + "," +
                                   Annotation(2, 3, 18, R"({"size": [4, 6], "counts": [1, 2, 3]})") + "," +
                                   Annotation(3, 7, 18, R"({"counts": "0X1", "size": [8, 10]})"));
  ASSERT_EQ(coco.annotations().size(), 3u);
  ASSERT_EQ(coco.AnnotationsOf(0).size(), 2u);
  EXPECT_EQ(coco.AnnotationsOf(0)[1].id, 3);
  const CocoAnnotation& polygons = coco.AnnotationsOf(0)[0];
  EXPECT_EQ(polygons.box, (std::array<double, 4>{1, 2, 3.5, 4}));
  EXPECT_EQ(polygons.area, 12.5);
  EXPECT_EQ(Foreground(coco.Mask(polygons)), 4 * 3 + 2 * 2);
  EXPECT_EQ(coco.Mask(polygons).width, 10);
  const GrayImage runs = coco.Mask(coco.AnnotationsOf(1)[0]);
  EXPECT_EQ(runs.height, 4);
  EXPECT_EQ(Foreground(runs), 2);
  EXPECT_EQ(runs.At(0, 1), 255);
  EXPECT_EQ(Foreground(coco.Mask(coco.AnnotationsOf(0)[1])), 40);
}

TEST(Coco, OverlappingPolygonsAreUnited) {
  const CocoInstances coco = Parse(Annotation(1, 7, 1, "[[1,1,5,1,5,5,1,5],[3,3,7,3,7,7,3,7]]"));
  EXPECT_EQ(Foreground(coco.Mask(coco.annotations()[0])), 16 + 16 - 4);
}

TEST(Coco, CategoriesAreFoundByNameAndNumberAndLimitWhatIsKept) {
  const std::string two =
      Annotation(1, 7, 1, "[[1,1,5,1,5,4]]") + "," + Annotation(2, 7, 18, "[[1,1,5,1,5,4]]");
  const CocoInstances coco = Parse(two, {18});
  ASSERT_EQ(coco.annotations().size(), 1u);
  EXPECT_EQ(coco.annotations()[0].id, 2);
  EXPECT_EQ(coco.CategoryId("dog"), 18);
  EXPECT_EQ(coco.CategoryId("1"), 1);
  EXPECT_THAT([&] { coco.CategoryId("cat"); }, ThrowsMessage<UsageError>(HasSubstr("person, dog")));
}

TEST(Coco, UnusableAnnotationsAreLeftOutAndCounted) {
  const CocoInstances coco = Parse(
      Annotation(1, 7, 1, "[[1,1,5,1]]") + "," +        // four numbers
      Annotation(2, 7, 1, "[[1,1,5,1,5,4,2]]") + "," +  // odd count
      Annotation(3, 7, 1, "[]") + "," + Annotation(4, 7, 1, "null") + "," +
      Annotation(5, 99, 1, "[[1,1,5,1,5,4]]") + "," +                    // no such picture
      Annotation(6, 7, 1, R"({"counts": [5, 5]})") + "," +               // no size
      Annotation(7, 7, 1, R"({"size": [9, 9], "counts": [5]})") + "," +  // other size
      Annotation(8, 7, 1, R"({"size": [8, 10], "counts": [5, -5]})") + "," +
      Annotation(9, 7, 1, "[[[1,1,5,1,5,4]]]") + "," + Annotation(10, 7, 1, R"([["x", 1, 2, 3, 4, 5, 6]])") +
      "," + Annotation(11, 7, 1, "[[1,1,5,1,5,4]]"));
  ASSERT_EQ(coco.annotations().size(), 1u);
  EXPECT_EQ(coco.annotations()[0].id, 11);
  EXPECT_EQ(coco.skipped(), 10);
}

TEST(Coco, DamagedRunsNameFileAndAnnotation) {
  const CocoInstances coco = Parse(Annotation(41, 7, 1, R"({"size": [8, 10], "counts": [5, 500]})") + "," +
                                   Annotation(42, 7, 1, R"({"size": [8, 10], "counts": "oo"})"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT([&] { coco.Mask(coco.annotations()[i]); },
                ThrowsMessage<FileError>(AllOf(HasSubstr("test.json"), HasSubstr("annotation 4"))));
  }
}

TEST(Coco, FilesOfAnotherKindAreRefusedInOneLine) {
  const auto expect = [](const std::string& text, const std::string& message) {
    const fs::path path = Written("bad.json", text);
    try {
      CocoInstances::Load(path);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json"), HasSubstr(message)));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  };
  expect("[1, 2]", "not a COCO instances file");
  expect("17", "not a COCO instances file");
  expect("{\"images\": [", "not valid JSON");
  expect("{\"images\": 3x}", "not valid JSON");
  expect("{\"images\": {\"a\": 1}}", "'images' is not a list");
  expect("{\"images\": [[1]]}", "'images' holds a list");
  expect("{\"annotations\": [4]}", "'annotations' holds a number");
  expect("{\"images\": [{\"id\": 1}]}", "images[0] lacks");
  expect("{\"images\": [{\"id\": 1.5}]}", "'id' is not a whole number");
  expect("{\"images\": [{\"id\": 1, \"file_name\": \"a\", \"width\": -4, \"height\": 2}]}", "positive width");
  expect("{\"images\": [{\"id\": 1, \"file_name\": \"a\", \"width\": 1e30, \"height\": 2}]}",
         "'width' is not");
  expect("{\"images\": [{\"id\": 1, \"file_name\": \"../a\", \"width\": 4, \"height\": 2}]}",
         "outside the folder");
  expect("{\"images\": [{\"id\": 1, \"file_name\": \"/a\", \"width\": 4, \"height\": 2}]}",
         "outside the folder");
  expect(R"({"images": [{"id": 1, "file_name": "a", "width": 4, "height": 2},
                        {"id": 1, "file_name": "b", "width": 4, "height": 2}]})",
         "two pictures have the id 1");
  expect("{\"annotations\": [{\"id\": 4}]}", "annotations[0] lacks");
  expect(std::string(2'000'000, '['), "not a COCO instances file");
  expect("{\"x\": " + std::string(1'000'000, '['), "not valid JSON");
  EXPECT_THROW(CocoInstances::Load("/nowhere/instances.json"), FileError);
}

TEST(Coco, SharedPictures) {
  const fs::path path = "../shared/data/coco/instances.json";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
  const CocoInstances coco = CocoInstances::Load(path);
  ASSERT_EQ(coco.images().size(), 30u);
  EXPECT_EQ(coco.annotations().size() + static_cast<size_t>(coco.skipped()), 361u);
  EXPECT_EQ(coco.CategoryId("dog"), 18);
  int crowds = 0;
  for (const CocoAnnotation& annotation : coco.annotations()) {
    const GrayImage mask = coco.Mask(annotation);
    crowds += annotation.crowd ? 1 : 0;
    const auto foreground = static_cast<double>(Foreground(mask));
    if (annotation.run_height != 0) {
      // The box of a crowd is that of its pixels, without the last row and column; its area counts overlaps
      // twice.
      EXPECT_EQ(InclusiveBox(mask), annotation.box) << annotation.id;
      EXPECT_LE(foreground, annotation.area) << annotation.id;
      EXPECT_GE(foreground, 0.9 * annotation.area) << annotation.id;
      continue;
    }
    // `area` is the exact area of the polygons; rasterising shifts the outline by up to half a pixel, and
    // overlapping polygons are counted twice in `area` only.
    const double outline =
        2 * (annotation.box[2] + annotation.box[3]) * static_cast<double>(annotation.polygons.size());
    EXPECT_NEAR(foreground, annotation.area, 0.5 * outline + 4) << annotation.id;
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) {
        if (mask.At(x, y) == 0) continue;  // every pixel lies in the annotated box, up to rounding
        ASSERT_GE(x + 1.0, annotation.box[0]) << annotation.id;
        ASSERT_GE(y + 1.0, annotation.box[1]) << annotation.id;
        ASSERT_LE(x, annotation.box[0] + annotation.box[2]) << annotation.id;
        ASSERT_LE(y, annotation.box[1] + annotation.box[3]) << annotation.id;
      }
    }
  }
  EXPECT_EQ(crowds, 8);
}

}  // namespace
}  // namespace wildrayzer
