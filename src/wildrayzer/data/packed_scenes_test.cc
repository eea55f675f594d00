#include "wildrayzer/data/packed_scenes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "wildrayzer/data/loader.h"
#include "wildrayzer/data/testing/packed_data.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::Noise;
using testing::Pack;
using testing::PackedSize;
using testing::ReadText;
using ::testing::ThrowsMessage;
using testing::WriteRoomsLike;

std::vector<View> AllViews(const SceneRecord& scene, const ViewOptions& options) {
  std::vector<int> frames(scene.frames.size());
  std::iota(frames.begin(), frames.end(), 0);
  return LoadViews(scene, frames, options);
}

void ExpectEqual(const View& a, const View& b) {
  EXPECT_EQ(a.frame, b.frame);
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.clean, b.clean);
  EXPECT_EQ(a.mask, b.mask);
  EXPECT_EQ(a.framing, b.framing);
  EXPECT_EQ(a.w2c, b.w2c);
  ASSERT_EQ(a.intrinsics.has_value(), b.intrinsics.has_value());
  if (!a.intrinsics) return;
  EXPECT_EQ(a.intrinsics->fx, b.intrinsics->fx);
  EXPECT_EQ(a.intrinsics->fy, b.intrinsics->fy);
  EXPECT_EQ(a.intrinsics->cx, b.intrinsics->cx);
  EXPECT_EQ(a.intrinsics->cy, b.intrinsics->cy);
}

// Every view of every scene, to the bit.
void ExpectSameViews(const SceneDataset& packed, const SceneDataset& original, const ViewOptions& options) {
  ASSERT_EQ(packed.size(), original.size());
  for (size_t s = 0; s < original.size(); ++s) {
    EXPECT_EQ(packed.name(s), original.name(s));
    EXPECT_EQ(packed.EvaluationViews(s), original.EvaluationViews(s));
    const std::vector<View> expected = AllViews(original.Read(s), options);
    const std::vector<View> views = AllViews(packed.Read(s), options);
    ASSERT_EQ(views.size(), expected.size());
    for (size_t i = 0; i < views.size(); ++i) ExpectEqual(views[i], expected[i]);
  }
}

TEST(PackedScenes, GiveTheViewsOfTheDataSetToTheBit) {
  const fs::path root = FreshFolder("packed_rooms");
  const ListedScenesOptions listed = WriteRoomsLike(root, 3, 20);
  const auto original = OpenScenes(root, listed);
  const PackReport report = Pack(*original, root / "p.safetensors");
  EXPECT_EQ(report.scenes, 3);
  EXPECT_EQ(report.frames, 60);
  EXPECT_EQ(report.clean, 60);
  EXPECT_EQ(report.masks, 60);
  EXPECT_EQ(report.bytes, fs::file_size(root / "p.safetensors"));
  const auto packed = OpenScenes(root / "p.safetensors", listed);
  ExpectSameViews(*packed, *original, PackedSize());
  EXPECT_FALSE(AllViews(packed->Read(1), PackedSize())[3].mask.empty());
  // What is not asked for is not there.
  ViewOptions bare = PackedSize();
  bare.clean = bare.masks = false;
  ExpectSameViews(*packed, *original, bare);
}

TEST(PackedScenes, KeepWhatIsNotKnownUnknown) {
  const fs::path root = FreshFolder("packed_folder");
  for (const char* name : {"a", "b"}) {
    for (int i = 0; i < 3; ++i)
      testing::WritePicture(root / "in" / name / "images" / fmt::format("{}.png", i), Noise(70, 50, i));
  }
  testing::WritePicture(root / "in/a/masks/1.png", testing::Plain(70, 50, 255, 255, 255));
  WriteFileAtomically(root / "in/b/cameras.txt",
                      "0 0.5 0.75 0.5 0.25 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n"
                      "1 0.5 0.75 0.5 0.3 0 0 1 0 0 0.1 0 1 0 0 0 0 1 0\n"
                      "2 0.5 0.75 0.5 0.1 0 0 1 0 0 0.7 0 1 0 0 0 0 1 0\n");
  const auto original = OpenScenes(root / "in");
  Pack(*original, root / "p.safetensors");
  const auto packed = OpenScenes(root / "p.safetensors");
  ExpectSameViews(*packed, *original, PackedSize());
  const std::vector<View> views = AllViews(packed->Read(0), PackedSize());
  EXPECT_TRUE(views[0].mask.empty());
  EXPECT_FALSE(views[1].mask.empty());
  EXPECT_TRUE(views[0].clean.empty());
  EXPECT_FALSE(views[0].intrinsics);
  EXPECT_FALSE(views[0].w2c);
}

// Everything that training sees of a batch.
void ExpectSameBatches(const LoaderOptions& packed, const LoaderOptions& original) {
  TrainingLoader a(packed), b(original);
  for (int step = 0; step < 10; ++step) {
    const Batch x = a.Next(), y = b.Next();
    ASSERT_EQ(x.samples.size(), y.samples.size());
    for (size_t i = 0; i < x.samples.size(); ++i) {
      EXPECT_EQ(x.samples[i].scene, y.samples[i].scene);
      EXPECT_EQ(x.samples[i].list, y.samples[i].list);
      EXPECT_EQ(x.samples[i].pasted, y.samples[i].pasted);
      EXPECT_EQ(x.samples[i].overlays, y.samples[i].overlays);
      ASSERT_EQ(x.samples[i].views.size(), y.samples[i].views.size());
      for (size_t v = 0; v < x.samples[i].views.size(); ++v)
        ExpectEqual(x.samples[i].views[v], y.samples[i].views[v]);
    }
  }
}

TEST(PackedScenes, TrainTheSameBatches) {
  const fs::path root = FreshFolder("packed_batches");
  const ListedScenesOptions listed = WriteRoomsLike(root, 4, 12);
  LoaderOptions options;
  options.static_set.scenes = OpenScenes(root);
  options.dynamic_set.scenes = OpenScenes(root, listed);
  options.dynamic_set.truth = true;
  options.static_set.span.end = options.dynamic_set.span.end = {4, 8};
  options.dynamic_ratio = 0.5;
  options.targets = 2;
  options.view = PackedSize();
  options.batch_size = 2;
  options.threads = 1;
  Pack(*options.dynamic_set.scenes, root / "p.safetensors");
  LoaderOptions packed = options;
  packed.static_set.scenes = OpenScenes(root / "p.safetensors");
  packed.dynamic_set.scenes = OpenScenes(root / "p.safetensors", listed);
  ExpectSameBatches(packed, options);
  packed.augment = options.augment = {0.5, 0.5, 0.1, 1.3};
  ExpectSameBatches(packed, options);
}

TEST(PackedScenes, KeepEvaluationViewsAndTakeOthers) {
  const fs::path root = FreshFolder("packed_views");
  ListedScenesOptions listed = WriteRoomsLike(root, 3, 5);
  listed.view_index = root / "views.json";
  WriteFileAtomically(root / "views.json",
                      R"({"scene_00": {"context": [4, 0], "target": [2]},
                          "scene_02": {"context": [1, 3], "target": [0, 2, 2]}})");
  const auto original = OpenScenes(root, listed);
  Pack(*original, root / "p.safetensors");
  const auto packed = OpenScenes(root / "p.safetensors");
  ExpectSameViews(*packed, *original, PackedSize());
  EXPECT_EQ(packed->EvaluationViews(1), (ViewList{{1, 3}, {0, 2, 2}}));
  ListedScenesOptions other;
  other.view_index = root / "other.json";
  WriteFileAtomically(root / "other.json", R"({"scene_02": {"context": [0, 1], "target": [4]}})");
  const auto chosen = OpenScenes(root / "p.safetensors", other);
  ASSERT_EQ(chosen->size(), 1u);
  EXPECT_EQ(chosen->EvaluationViews(0), (ViewList{{0, 1}, {4}}));
  ExpectEqual(AllViews(chosen->Read(0), PackedSize())[4], AllViews(original->Read(1), PackedSize())[4]);
  WriteFileAtomically(root / "other.json", R"({"scene_07": {"context": [0, 1], "target": [4]}})");
  EXPECT_THAT([&] { OpenScenes(root / "p.safetensors", other); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("p.safetensors"), HasSubstr("other.json"))));
}

// Decoding a JPEG gives back nearly the picture, and exactly the mask.
TEST(PackedScenes, JpegComesCloseAndMasksStayExact) {
  const fs::path root = FreshFolder("packed_jpeg");
  const ListedScenesOptions listed = WriteRoomsLike(root, 2, 5);
  Image smooth(96, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 96; ++x) smooth.Pixel(x, y)[0] = static_cast<uint8_t>(2 * x + y);
  }
  testing::WritePicture(root / "images/scene_00/00001.png", smooth);
  testing::WritePicture(root / "clean/scene_00/00001.png", smooth);
  const auto original = OpenScenes(root, listed);
  Pack(*original, root / "raw.safetensors");
  Pack(*original, root / "p.safetensors", /*jpeg_quality=*/95);
  EXPECT_LT(fs::file_size(root / "p.safetensors"), fs::file_size(root / "raw.safetensors"));
  const View expected = AllViews(original->Read(0), PackedSize())[1];
  View view = AllViews(OpenScenes(root / "p.safetensors")->Read(0), PackedSize())[1];
  for (const Image* image : {&view.image, &view.clean}) {
    for (size_t i = 0; i < expected.image.rgb.size(); ++i)
      ASSERT_NEAR(image->rgb[i], expected.image.rgb[i], 16) << i;
  }
  view.image = expected.image;
  view.clean = expected.clean;
  ExpectEqual(view, expected);
}

TEST(PackedScenes, AnotherSizeIsRefusedInOneLine) {
  const fs::path root = FreshFolder("packed_size");
  const ListedScenesOptions listed = WriteRoomsLike(root, 2, 3);
  Pack(*OpenScenes(root, listed), root / "p.safetensors");
  const SceneRecord wide = OpenScenes(root / "p.safetensors")->Read(0);
  const SceneRecord tall = OpenScenes(root / "p.safetensors")->Read(1);
  ViewOptions options = PackedSize();
  options.width = 64;
  EXPECT_THAT([&] { AllViews(wide, options); },
              ThrowsMessage<UsageError>(AllOf(HasSubstr("p.safetensors"), HasSubstr("are 32 x 32"),
                                              HasSubstr("64 x 32"), HasSubstr("--size 64x32 --patch 16"))));
  // Other patches are another size only where the photo is fitted to them: 60 x 75 becomes 32 x 40, or 48.
  options = PackedSize();
  options.patch = 8;
  EXPECT_NO_THROW(AllViews(wide, options));
  EXPECT_THAT([&] { AllViews(tall, options); }, ThrowsMessage<UsageError>(HasSubstr("in patches of 8")));
  options = PackedSize();
  options.crop = false;
  EXPECT_THAT([&] { AllViews(wide, options); }, ThrowsMessage<UsageError>(HasSubstr("square_crop")));
}

TEST(PackedScenes, DoNotDependOnThreads) {
  const fs::path root = FreshFolder("packed_threads");
  const auto scenes = OpenScenes(root, WriteRoomsLike(root, 2, 40));
  for (const int quality : {0, 90}) {
    Pack(*scenes, root / "1.safetensors", quality, 0);
    Pack(*scenes, root / "3.safetensors", quality, 3);
    EXPECT_EQ(ReadText(root / "1.safetensors"), ReadText(root / "3.safetensors"));
  }
}

TEST(PackedScenes, DamagedScenesAreLeftOut) {
  const fs::path root = FreshFolder("packed_damaged");
  const ListedScenesOptions listed = WriteRoomsLike(root, 3, 40);
  const auto original = OpenScenes(root, listed);
  const std::vector<View> expected = AllViews(original->Read(2), PackedSize());
  // In the last of its chunks, when the others are written already.
  WriteFileAtomically(root / "images/scene_01/00039.png", "not a picture");
  const PackReport report = Pack(*original, root / "p.safetensors");
  EXPECT_EQ(report.scenes, 2);
  EXPECT_EQ(report.skipped, 1);
  EXPECT_EQ(report.frames, 80);
  EXPECT_THAT(Warnings(), Contains(AllOf(HasSubstr("scene_01: not packed"), HasSubstr("00039.png"))));
  const auto packed = OpenScenes(root / "p.safetensors");
  EXPECT_EQ(packed->name(1), "scene_02");
  const std::vector<View> views = AllViews(packed->Read(1), PackedSize());
  for (size_t i = 0; i < views.size(); ++i) ExpectEqual(views[i], expected[i]);
  // Nothing of it stays in the file.
  WriteFileAtomically(root / "two.txt", "metadata/scene_00.json\nmetadata/scene_02.json\n");
  Pack(*OpenScenes(root / "two.txt", listed), root / "two.safetensors");
  EXPECT_EQ(ReadText(root / "p.safetensors"), ReadText(root / "two.safetensors"));
  // None is left: no file, and nothing beside it.
  fs::create_directories(root / "out");
  for (const char* name : {"scene_00", "scene_02"}) fs::remove(root / "images" / name / "00000.png");
  EXPECT_THAT([&] { Pack(*original, root / "out/p.safetensors"); },
              ThrowsMessage<FileError>(HasSubstr("no scene could be read")));
  EXPECT_TRUE(fs::is_empty(root / "out"));
}

TEST(PackedScenes, MasksThatAreAskedForMustBePacked) {
  const fs::path root = FreshFolder("packed_no_masks");
  const ListedScenesOptions listed = WriteRoomsLike(root, 1, 3);
  Pack(*OpenScenes(root), root / "p.safetensors");
  EXPECT_NO_THROW(OpenScenes(root / "p.safetensors"));
  EXPECT_THAT([&] { OpenScenes(root / "p.safetensors", listed); },
              ThrowsMessage<FileError>(HasSubstr("holds no motion masks; pack the data again with --masks")));
}

}  // namespace
}  // namespace wildrayzer
