// The runner: what it measures, keeps and measures anew.
#include "wildrayzer/evaluation/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "wildrayzer/evaluation/testing/small_evaluation.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::Flat;
using testing::Folders;
using ::testing::HasSubstr;
using testing::kSize;
using testing::Perfect;

TEST_F(Folders, RunsResumesAndListsFailures) {
  std::vector<SceneRecord> records = {Record("good"), Record("bad"), Record("broken")};
  fs::remove(records[2].frames[0].image_path);
  const SettingRequest setting = Setting(records);
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  const auto* perfect = static_cast<const Perfect*>(methods[0].get());

  const SettingResult first = RunSetting(setting, methods, Options());
  EXPECT_EQ(perfect->calls, 2);
  const auto& scenes = first.methods.at(0).scenes;
  ASSERT_EQ(scenes.size(), 3u);
  EXPECT_EQ(scenes[0].failure, "");
  EXPECT_EQ(scenes[0].images.size(), 3u);
  EXPECT_EQ(scenes[1].failure, "cannot do bad ones");
  EXPECT_THAT(scenes[2].failure, HasSubstr("0.png"));
  const MethodSummary summary = Summarise(first.methods[0], 1);
  EXPECT_EQ(summary.failed, 2);
  EXPECT_EQ(summary.scores.at("psnr").over_scenes.counted, 1);
  EXPECT_DOUBLE_EQ(summary.scores.at("psnr").over_scenes.mean, 100.0);
  EXPECT_DOUBLE_EQ(summary.scores.at("mask_iou").over_scenes.mean, 1.0);

  // Resuming measures only what failed, and gives the same numbers.
  WritePng(records[2].frames[0].image_path, Flat(0));
  const SettingResult second = RunSetting(setting, methods, Options());
  EXPECT_EQ(perfect->calls, 4);  // "bad" and "broken"
  EXPECT_EQ(Summarise(second.methods[0], 1).failed, 1);
  EXPECT_EQ(second.methods[0].scenes[0].images[1].scores, scenes[0].images[1].scores);

  const std::vector<GalleryScene> gallery = MakeGallery(setting, second, Options());
  ASSERT_EQ(gallery.size(), 3u);
  EXPECT_EQ(gallery[0].rows.at(0).cells.size(), 2u);  // inputs
  EXPECT_EQ(gallery[0].rows.size(), 4u + 3u);         // inputs, seen, truth, masks; renders, errors, masks
  EXPECT_EQ(gallery[1].rows.size(), 4u);
}

// Whatever decides a result and changes makes it outdated; everything else leaves it as it is.
TEST_F(Folders, StoredResultsHoldOnlyForWhatDecidedThem) {
  const SceneRecord record = Record("good");
  SettingRequest setting = Setting({record});
  RunOptions options = Options();
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  auto* perfect = static_cast<Perfect*>(methods[0].get());
  const auto measured = [&] {
    const int before = perfect->calls;
    const SettingResult result = RunSetting(setting, methods, options);
    EXPECT_EQ(result.methods[0].scenes[0].failure, "");
    const int calls = perfect->calls - before;
    EXPECT_EQ(result.outdated, before > 0 ? calls : 0);
    return calls;
  };
  EXPECT_EQ(measured(), 1);
  EXPECT_EQ(measured(), 0);
  options.gallery_scenes = 0;
  setting.data = "another name";
  EXPECT_EQ(measured(), 0);

  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"the method's model", [&] { perfect->identity = "weights 2"; }},
      {"version", [&] { options.identity = "version 2"; }},
      {"protocol", [&] { options.protocol = FindProtocol("dre10k"); }},
      {"mask threshold", [&] { options.mask_threshold = 0.100001; }},
      {"size", [&] { options.width = options.height = 2 * kSize; }},
      {"views", [&] { setting.num_targets = 2; }},
      {"a picture", [&] { WritePng(record.frames[0].image_path, Flat(1)); }},
      {"a mask", [&] { WritePng(record.frames[4].mask_path, GrayFrom(Planes(1, kSize, kSize, 1.0F))); }},
      {"a camera",
       [&] {
         SceneRecord posed = record;
         for (FrameRecord& frame : posed.frames) frame.w2c = Eigen::Matrix4d::Identity();
         setting.scenes = std::make_shared<FixedScenes>(std::vector{posed});
       }},
  };
  for (const auto& [what, change] : changes) {
    change();
    EXPECT_EQ(measured(), 1) << what;
    EXPECT_EQ(measured(), 0) << what;
  }

  // A result that does not say what decided it, as earlier versions wrote them, does not hold either.
  const fs::path file = root_ / "out" / "runs" / FolderName("2 views") / "perfect" / "good.json";
  std::ifstream stream(file);
  auto json = nlohmann::json::parse(stream);
  ASSERT_EQ(json.erase("decided_by"), 1u);
  std::ofstream(file) << json;
  EXPECT_EQ(measured(), 1);
}

// Pictures in the report are those of the numbers: none of an earlier result with more of them are left.
TEST_F(Folders, PicturesOfAnOutdatedResultGo) {
  SettingRequest setting = Setting({Record("good")});
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  RunSetting(setting, methods, Options());
  const fs::path pictures = root_ / "out" / "runs" / FolderName("2 views") / "perfect" / "good";
  EXPECT_TRUE(fs::exists(pictures / "target_02.png"));
  setting.num_targets = 2;
  RunSetting(setting, methods, Options());
  EXPECT_TRUE(fs::exists(pictures / "target_01.png"));
  EXPECT_FALSE(fs::exists(pictures / "target_02.png"));
}

TEST_F(Folders, ASceneThatCannotBeReadNowKeepsItsStoredResult) {
  const SceneRecord record = Record("good");
  const SettingRequest setting = Setting({record});
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  const auto* perfect = static_cast<const Perfect*>(methods[0].get());
  RunSetting(setting, methods, Options());
  fs::rename(record.frames[0].image_path, root_ / "away.png");
  EXPECT_THAT(RunSetting(setting, methods, Options()).methods[0].scenes[0].failure, HasSubstr("0.png"));
  fs::rename(root_ / "away.png", record.frames[0].image_path);
  EXPECT_EQ(RunSetting(setting, methods, Options()).methods[0].scenes[0].failure, "");
  EXPECT_EQ(perfect->calls, 1);
}

TEST_F(Folders, AStoredResultThatIsDamagedIsNamed) {
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  const SettingRequest setting = Setting({Record("good")});
  RunSetting(setting, methods, Options());
  const fs::path file = root_ / "out" / "runs" / FolderName("2 views") / "perfect" / "good.json";
  ASSERT_TRUE(fs::exists(file));
  std::ofstream(file) << "{\"scene\": ";
  EXPECT_THROW(RunSetting(setting, methods, Options()), FileError);
}

TEST_F(Folders, ShortScenesFail) {
  SceneRecord record = Record("short");
  record.frames.resize(4);
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(std::make_unique<Perfect>());
  const SettingResult result = RunSetting(Setting({record}), methods, Options());
  EXPECT_THAT(result.methods[0].scenes[0].failure, HasSubstr("has 4 frames"));
}

TEST(FolderName, IsSafeAndDistinct) {
  EXPECT_EQ(FolderName("scene_01-b.x"), "scene_01-b.x");
  EXPECT_NE(FolderName("a/b"), FolderName("a_b"));
  EXPECT_NE(FolderName("a/b"), FolderName("a:b"));
  for (const char* name : {"..", ".", "", "../../etc", "a/b", "a\\b"}) {
    const std::string safe = FolderName(name);
    EXPECT_EQ(safe.find('/'), std::string::npos) << safe;
    EXPECT_NE(safe.front(), '.') << safe;
  }
}

}  // namespace
}  // namespace wildrayzer
