#include "wildrayzer/data/copy_paste.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "wildrayzer/data/testing/small_coco.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::Plain;
using ::testing::ThrowsMessage;
using testing::WriteSmallCoco;

PastePool Pool(const fs::path& root, const std::vector<std::string>& categories, bool crowds = true) {
  return PastePool(root / "instances.json", root / "images", categories, crowds);
}

PasteOptions Always() {
  PasteOptions options;
  options.probability = 1;
  return options;
}

int64_t Count(const GrayImage& mask) { return std::count(mask.values.begin(), mask.values.end(), 255); }

TEST(PastePool, ObjectsAreTightCrops) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_crops"));
  Random random(1);
  const CutOut dog = Pool(root, {"dog"}).Draw(random);
  EXPECT_EQ(dog.image, Plain(20, 10, 250, 0, 0));
  EXPECT_EQ(dog.mask, GrayImage(20, 10, 255));
  EXPECT_EQ(dog.category_id, 18);
  EXPECT_EQ(Pool(root, {"17"}).Draw(random).image, Plain(10, 16, 0, 0, 250));
}

TEST(PastePool, CrowdsCountUnlessTurnedOff) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_crowds"));
  Random random(1);
  EXPECT_EQ(Pool(root, {"person"}).Draw(random).image.width, 1);  // 30 pixels: the first column
  EXPECT_THAT([&] { Pool(root, {"person"}, false); }, ThrowsMessage<FileError>(HasSubstr("no object")));
  EXPECT_EQ(Pool(root, {}).size(), 2u);
  EXPECT_EQ(Pool(root, {"cat"}).size(), 1u);
}

TEST(PastePool, BrokenPicturesArePassedOver) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_broken"));
  WriteFileAtomically(root / "images/a.png", "damaged");
  const PastePool pool = Pool(root, {});
  Random random(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.Draw(random).category_id, 17);
  WritePng(root / "images/b.png", Plain(21, 20, 1, 1, 1));
  EXPECT_THAT([&] { pool.Draw(random); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("20 objects in a row"), HasSubstr(".png"))));
  EXPECT_THROW(PastePool(root / "instances.json", root / "nowhere", {}), FileError);
  EXPECT_THROW(Pool(root, {"unicorn"}), UsageError);
}

TEST(PasteOne, SizeFollowsTheRule) {
  const CutOut object{Plain(20, 10, 250, 0, 0), GrayImage(20, 10, 255), 18};
  // floor(100 x 0.3) x floor(60 x 0.3) = 30 x 18; the 2 : 1 object becomes 30 x 15.
  Image view = Plain(100, 60, 9, 9, 9);
  GrayImage overlay(100, 60);
  PasteOne(object, 0.3, 40, 20, 0, view, overlay);
  EXPECT_EQ(Count(overlay), 30 * 15);
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 100; ++x) {
      const bool inside = x >= 40 && x < 70 && y >= 20 && y < 35;
      ASSERT_EQ(overlay.At(x, y), inside ? 255 : 0);
      ASSERT_EQ(view.Pixel(x, y)[0], inside ? 250 : 9);
    }
  }
  PasteOne(object, 0.3, 85, 50, 0, view, overlay);  // cut off at the right and at the bottom
  EXPECT_EQ(Count(overlay), 30 * 15 + 15 * 10);
  PasteOne(object, 0.001, 0, 0, 0, view, overlay);  // never less than a pixel
  EXPECT_EQ(Count(overlay), 30 * 15 + 15 * 10 + 1);
}

TEST(PasteOne, SoftEdgesFadeButTheOverlayStaysHard) {
  const CutOut object{Plain(20, 20, 255, 255, 255), GrayImage(20, 20, 255), 1};
  Image view(100, 100);
  GrayImage overlay(100, 100);
  PasteOne(object, 0.4, 30, 30, 3.0, view, overlay);
  EXPECT_EQ(Count(overlay), 40 * 40);
  EXPECT_EQ(view.Pixel(50, 50)[0], 255);
  // Half a pixel inside a long straight edge a Gaussian of 3 leaves Phi(0.5 / 3) = 0.566; 8-bit kernels
  // round.
  EXPECT_NEAR(view.Pixel(30, 50)[0], 255 * 0.5 * (1 + std::erf(0.5 / 3 / std::sqrt(2.0))), 3);
  EXPECT_EQ(view.Pixel(29, 50)[0], 0);
  EXPECT_LT(view.Pixel(30, 50)[0], view.Pixel(32, 50)[0]);
}

TEST(PasteObjects, ChangesOnlyWhatTheOverlaySays) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_views"));
  const PastePool pool = Pool(root, {"dog", "cat"});
  const std::vector<Image> views(4, Plain(64, 64, 10, 20, 30));
  std::set<int> counts;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const Pasted pasted = PasteObjects(views, pool, Always(), random);
    ASSERT_EQ(pasted.images.size(), 4u);
    for (size_t v = 0; v < 4; ++v) {
      counts.insert(static_cast<int>(pasted.categories[v].size()));
      EXPECT_GT(Count(pasted.overlays[v]), 0);
      for (int y = 0; y < 64; ++y) {
        for (int x = 0; x < 64; ++x) {
          const uint8_t* p = pasted.images[v].Pixel(x, y);
          const bool clean = p[0] == 10 && p[1] == 20 && p[2] == 30;
          ASSERT_EQ(pasted.overlays[v].At(x, y) == 0, clean);
          ASSERT_TRUE(clean || p[1] == 0);  // never the green around the objects
          // Corners lie in [0.15, 0.85]: nothing is pasted above or left of pixel 9.
          ASSERT_TRUE(clean || (x >= 9 && y >= 9));
        }
      }
    }
  }
  EXPECT_EQ(counts, (std::set<int>{1, 2}));
}

TEST(PasteObjects, SameObjectsMoveOrEveryViewGetsItsOwn) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_same"));
  const PastePool pool = Pool(root, {"dog", "cat"});
  const std::vector<Image> views(6, Plain(64, 64, 10, 20, 30));
  PasteOptions options = Always();
  options.min_objects = options.max_objects = 1;
  int varied = 0, moved = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    options.per_view_objects = seed % 2 == 0 ? 0 : 1;
    Random random(seed);
    const Pasted pasted = PasteObjects(views, pool, options, random);
    std::set<std::vector<int>> kinds(pasted.categories.begin(), pasted.categories.end());
    if (seed % 2 == 0) {
      EXPECT_EQ(kinds.size(), 1u);
      moved += pasted.overlays[0] != pasted.overlays[1] ? 1 : 0;
    } else {
      varied += kinds.size() > 1 ? 1 : 0;
    }
  }
  EXPECT_GT(moved, 17);
  EXPECT_GT(varied, 15);  // six equal draws of two kinds have probability 1/32
}

TEST(PasteObjects, DeterministicAndAsProbableAsAsked) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_probability"));
  const PastePool pool = Pool(root, {});
  const std::vector<Image> views(2, Plain(32, 32, 10, 20, 30));
  int pasted = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Random a(seed), b(seed);
    const Pasted first = PasteObjects(views, pool, PasteOptions{}, a);
    const Pasted second = PasteObjects(views, pool, PasteOptions{}, b);
    EXPECT_EQ(first.images, second.images);
    EXPECT_EQ(first.overlays, second.overlays);
    EXPECT_EQ(a.state(), b.state());
    pasted += first.images.empty() ? 0 : 1;
  }
  EXPECT_NEAR(pasted, 320, 5 * 8);  // standard deviation sqrt(400 x 0.8 x 0.2) = 8
}

TEST(PasteObjects, ImpossibleOptionsAreRefused) {
  const fs::path root = WriteSmallCoco(FreshFolder("paste_options"));
  const PastePool pool = Pool(root, {});
  const std::vector<Image> views(1, Plain(32, 32, 1, 1, 1));
  Random random(0);
  for (const auto& change : std::vector<void (*)(PasteOptions&)>{
           [](PasteOptions& o) { o.probability = 1.5; }, [](PasteOptions& o) { o.min_objects = 0; },
           [](PasteOptions& o) { o.max_objects = 0; }, [](PasteOptions& o) { o.min_scale = 0; },
           [](PasteOptions& o) { o.max_scale = 0.1; }, [](PasteOptions& o) { o.margin = 0.6; },
           [](PasteOptions& o) { o.edge_sigma = NAN; }}) {
    PasteOptions options;
    change(options);
    EXPECT_THROW(PasteObjects(views, pool, options, random), UsageError);
  }
}

TEST(PasteObjects, SharedPictures) {
  const fs::path coco = "../shared/data/coco";
  if (!fs::exists(coco)) GTEST_SKIP() << coco << " is absent";
  const PastePool pool(coco / "instances.json", coco / "images", {"person", "cat", "dog"});
  const std::vector<Image> views(3, Plain(256, 256, 10, 20, 30));
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Random random(seed);
    const Pasted pasted = PasteObjects(views, pool, Always(), random);
    for (const GrayImage& overlay : pasted.overlays) EXPECT_GT(Count(overlay), 0);
  }
}

}  // namespace
}  // namespace wildrayzer
