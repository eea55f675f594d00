// Whole data sets: the files are there, other modules read them, and they follow from the seed alone.
#include "wildrayzer/synth/rooms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "wildrayzer/data/coco.h"
#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/scene_writer.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/data/view_selection.h"
#include "wildrayzer/synth/summary.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;

RoomsOptions SmallSet(const fs::path& out, int threads) {
  RoomsOptions o;
  o.out = out;
  o.seed = 5;
  o.size = 32;
  o.frames = 8;
  o.samples = 2;
  o.threads = threads;
  o.still = {1, 1, 1};
  o.dynamic = {1, 0, 1};
  o.paired = o.paired_val = 1;
  o.cutouts = {3, 1, 1};
  o.built_in = true;
  return o;
}

RoomsReport Make(const RoomsOptions& options) {
  Progress progress(false);
  return MakeRooms(options, progress);
}

std::map<std::string, std::string> Contents(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[fs::relative(entry.path(), root).generic_string()] =
        std::string(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

class RoomsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = fs::temp_directory_path() / ("wildrayzer_rooms_" + std::to_string(::getpid()));
    fs::create_directories(root_);
    report_ = Make(SmallSet(root_ / "a", 1));
  }
  static void TearDownTestSuite() { fs::remove_all(root_); }
  static fs::path root_;
  static RoomsReport report_;
};
fs::path RoomsTest::root_;
RoomsReport RoomsTest::report_;

TEST_F(RoomsTest, SameBytesWhateverTheNumberOfThreads) {
  EXPECT_EQ(report_.made, 12);
  EXPECT_TRUE(report_.built_in);
  Make(SmallSet(root_ / "b", 3));
  const auto a = Contents(root_ / "a"), b = Contents(root_ / "b");
  EXPECT_GT(a.size(), 100U);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, content] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_TRUE(b.at(name) == content) << name;
  }
}

TEST_F(RoomsTest, AnInterruptedRunGoesOn) {
  const RoomsOptions options = SmallSet(root_ / "resumed", 1);
  fs::copy(root_ / "a", options.out, fs::copy_options::recursive);
  // As a kill leaves it: pictures without metadata, and a half-written folder.
  const fs::path train = options.out / "dynamic_re10k" / "train";
  fs::remove(train / "metadata" / "moving_train_000000.json");
  fs::remove(train / "images" / "moving_train_000000" / "00003.png");
  fs::create_directories(train / "images" / ".moving_train_000000.tmp-1-1");
  fs::remove(options.out / "coco" / "train" / "annotations" / "000001.json");
  // What somebody else has put there is no part of the scene that is made again, and stays.
  const fs::path note = train / "images" / "moving_train_000000" / "note.txt";
  std::ofstream(note) << "mine";
  const RoomsReport again = Make(options);
  EXPECT_TRUE(fs::remove(note));
  EXPECT_EQ(again.made, 2);
  EXPECT_EQ(again.found, 10);
  EXPECT_TRUE(Contents(options.out) == Contents(root_ / "a"));

  RoomsOptions other = options;
  other.out = root_;  // not empty, and no data set
  EXPECT_THROW(Make(other), UsageError);
  other = options;
  other.seed = 6;
  EXPECT_THROW(Make(other), UsageError);
  other = options;
  other.still.train = 2;  // more scenes of the same kind are welcome
  EXPECT_EQ(Make(other).made, 1);
}

TEST_F(RoomsTest, ReadersAcceptTheLayouts) {
  const fs::path out = root_ / "a", test = out / "dynamic_re10k" / "test";
  const auto still = OpenListedScenes(out / "re10k" / "train" / "full_list.txt");
  ASSERT_EQ(still->size(), 1U);
  EXPECT_EQ(still->Read(0).frames.size(), 8U);

  ListedScenesOptions options;
  options.view_index = test / "wildrayzer_final_context_2_view_idx.json";
  options.masks.roots["default"] = test / "binary_masks";
  const auto paired = OpenListedScenes(test / "wildrayzer_final_context_2.txt", options);
  ASSERT_EQ(paired->size(), 1U);
  const SceneRecord scene = paired->Read(0);
  ASSERT_EQ(scene.frames.size(), 8U);
  EXPECT_TRUE(fs::is_regular_file(scene.frames[0].clean_path));
  double moving = 0;
  for (const FrameRecord& frame : scene.frames) {
    EXPECT_TRUE(fs::is_regular_file(frame.image_path));
    EXPECT_EQ(ReadImage(frame.image_path).width, 32);
    const GrayImage mask = ReadMask(frame.mask_path);
    for (const uint8_t v : mask.values) moving += v != 0;
    ASSERT_TRUE(frame.w2c && frame.intrinsics);
    EXPECT_NEAR(frame.w2c->topLeftCorner(3, 3).determinant(), 1, 1e-5);
  }
  EXPECT_GT(moving / (8 * 32 * 32), 0.03);
  const auto views = paired->EvaluationViews(0);
  ASSERT_TRUE(views);
  EXPECT_EQ(*views, SpreadViews(8, 2, 6));  // what would be judged without the list
  options.view_index = test / "wildrayzer_final_context_4_view_idx.json";
  const auto four = OpenListedScenes(test / "wildrayzer_final_context_4.txt", options)->EvaluationViews(0);
  ASSERT_TRUE(four);
  EXPECT_EQ(*four, SpreadViews(8, 4, 4));
  EXPECT_TRUE(fs::exists(test / "contact_sheet_paired.png"));
  EXPECT_TRUE(fs::exists(out / "ATTRIBUTION.md"));
}

TEST_F(RoomsTest, ScenesHaveTheAspectsInTurn) {
  RoomsOptions options = SmallSet(root_ / "aspects", 1);
  options.aspects = {1, 16.0 / 9, 0.75};
  options.still = {3, 0, 0};
  options.dynamic = options.cutouts = {};
  options.paired = options.paired_val = 0;
  Make(options);
  const auto scenes = OpenListedScenes(options.out / "re10k" / "train" / "full_list.txt");
  const std::vector<std::pair<int, int>> sizes = {{32, 32}, {43, 24}, {28, 37}};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const FrameRecord frame = scenes->Read(i).frames[0];
    const Image image = ReadImage(frame.image_path);
    EXPECT_EQ(std::pair(image.width, image.height), sizes[i]);
    // Pixels are square, and a square frame of as many pixels has a field of view of 45 to 75 degrees.
    PixelIntrinsics k = frame.intrinsics->values;
    if (frame.intrinsics->fractions) k = {k.fx * image.width, k.fy * image.height, 0, 0};
    EXPECT_NEAR(k.fx / k.fy, 1, 0.03);  // sizes are rounded to whole pixels
    const double degrees = 2 * std::atan(16 / std::sqrt(k.fx * k.fy)) * 180 / 3.14159265;
    EXPECT_GT(degrees, 44);
    EXPECT_LT(degrees, 76);
  }
  options.aspects = {1};
  EXPECT_THROW(Make(options), UsageError);  // another set
}

TEST_F(RoomsTest, CutoutsAreValidCoco) {
  const fs::path root = root_ / "a" / "coco" / "train";
  const CocoInstances instances = CocoInstances::Load(root / "instances.json");
  ASSERT_EQ(instances.images().size(), 3U);
  for (const CocoImage& image : instances.images()) {
    EXPECT_EQ(ReadImage(root / image.file_name).width, image.width);
  }
}

TEST_F(RoomsTest, ValidationPairsAreReadLikeThoseOfTheTest) {
  const fs::path val = root_ / "a" / "dynamic_re10k" / "val";
  ListedScenesOptions options;
  options.view_index = val / "wildrayzer_final_context_3_view_idx.json";
  options.masks.roots["default"] = val / "binary_masks";
  const auto paired = OpenListedScenes(val / "wildrayzer_final_context_3.txt", options);
  ASSERT_EQ(paired->size(), 1U);
  EXPECT_EQ(paired->name(0), "wildrayzer_val_000000");
  const SceneRecord scene = paired->Read(0);
  ASSERT_EQ(scene.frames.size(), 8U);
  for (const FrameRecord& frame : scene.frames) {
    EXPECT_TRUE(fs::is_regular_file(frame.clean_path));
    EXPECT_TRUE(fs::is_regular_file(frame.mask_path));
  }
  EXPECT_EQ(paired->EvaluationViews(0), SpreadViews(8, 3, 5));
  EXPECT_TRUE(fs::exists(val / "contact_sheet_paired.png"));
}

// Furniture, people and pets of every scene, and of the cut-outs that are pasted in training.
TEST_F(RoomsTest, SplitsShareNoModels) {
  std::map<std::string, std::set<std::string>> scenes, cutouts;  // models by split
  for (const auto& [name, content] : Contents(root_ / "a")) {
    const bool cutout = name.find("/annotations/") != std::string::npos;
    if (!cutout && name.find("/metadata/") == std::string::npos) continue;
    for (const char* split : {"train", "val", "test"}) {
      if (name.find(std::string("/") + split + "/") == std::string::npos) continue;
      for (size_t at = content.find("built-in/"); at != std::string::npos;
           at = content.find("built-in/", at + 1)) {
        (cutout ? cutouts : scenes)[split].insert(content.substr(at, content.find('"', at) - at));
      }
    }
  }
  for (const auto* kind : {&scenes, &cutouts}) {
    ASSERT_EQ(kind->size(), 3U);
    for (const auto& [split, models] : *kind) EXPECT_FALSE(models.empty()) << split;
  }
  for (const auto& [split, models] : cutouts) scenes[split].insert(models.begin(), models.end());
  for (const auto& [split, models] : scenes) {
    for (const auto& [other, theirs] : scenes) {
      if (split == other) continue;
      for (const std::string& model : models)
        EXPECT_FALSE(theirs.contains(model)) << model << " in " << split << " and " << other;
    }
  }
}

// The same number in the list of another split is another room: other walls, light, cameras, furniture.
TEST_F(RoomsTest, SplitsShareNoSeeds) {
  std::map<std::string, std::string> seeds;
  for (const auto& [name, content] : Contents(root_ / "a")) {
    if (name.find("/metadata/") == std::string::npos) continue;
    const size_t at = content.find("\"seed\":");
    ASSERT_NE(at, std::string::npos) << name;
    const std::string seed = content.substr(at, content.find(',', at) - at);
    EXPECT_TRUE(seeds.emplace(seed, name).second) << name << " and " << seeds[seed];
  }
  EXPECT_EQ(seeds.size(), 7U);
}

TEST_F(RoomsTest, ImpossibleOptionsAreRefused) {
  const auto with = [](auto change) {
    RoomsOptions o = SmallSet(root_ / "refused", 1);
    change(o);
    return o;
  };
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.size = 8; })), UsageError);
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.frames = 1; })), UsageError);
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.samples = 0; })), UsageError);
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.still.train = -1; })), UsageError);
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.paired_val = -1; })), UsageError);
  EXPECT_THROW(
      Make(with([](RoomsOptions& o) { o.still = o.dynamic = o.cutouts = {}, o.paired = o.paired_val = 0; })),
      UsageError);
  EXPECT_FALSE(fs::exists(root_ / "refused"));
  std::ofstream(root_ / "file") << "x";
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.out = root_ / "file"; })), UsageError);
  fs::create_directories(root_ / "foreign");
  std::ofstream(root_ / "foreign" / "thesis.txt") << "precious";
  EXPECT_THROW(Make(with([](RoomsOptions& o) { o.out = root_ / "foreign"; })), UsageError);
}

TEST(Npy, FloatsComeBack) {
  const fs::path path = fs::temp_directory_path() / ("wildrayzer_npy_" + std::to_string(::getpid()) + ".npy");
  const std::vector<float> values = {0, 1.5F, -2, 3e8F, 5, 6};
  WriteNpy(path, 2, 3, values);
  int height = 0, width = 0;
  EXPECT_EQ(ReadNpyFloats(path, &height, &width), values);
  EXPECT_EQ(height, 2);
  EXPECT_EQ(width, 3);
  fs::resize_file(path, 140);
  EXPECT_THROW(ReadNpyFloats(path, &height, &width), FileError);
  fs::remove(path);
}

}  // namespace
}  // namespace wildrayzer::synth
