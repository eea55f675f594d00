// Scoring, methods that read folders, and the runner, on small data made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "wildrayzer/evaluation/model_method.h"
#include "wildrayzer/evaluation/runner.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kSize = 32;

Image Flat(uint8_t value) {
  Image image(kSize, kSize);
  std::fill(image.rgb.begin(), image.rgb.end(), value);
  return image;
}

Planes LeftHalf() {
  Planes mask(1, kSize, kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize / 2; ++x) mask.At(0, y, x) = 1.0f;
  }
  return mask;
}

// Two inputs, one target whose left half moves; clean truth 0.5.
EvaluationScene SmallScene() {
  EvaluationScene scene;
  scene.name = "small";
  scene.num_inputs = 2;
  scene.frames = {0, 4, 2};
  scene.observed = {Flat(0), Flat(255), Flat(51)};
  scene.truth = {Planes(3, kSize, kSize, 0.5f)};
  scene.clean_truth = true;
  scene.masks = {LeftHalf(), Planes(), LeftHalf()};
  return scene;
}

// A rendering wrong by 0.1 on the left half and by 0.01 on the right one.
MethodOutput SmallOutput() {
  MethodOutput output;
  Planes picture(3, kSize, kSize, 0.51f);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize / 2; ++x) picture.At(c, y, x) = 0.6f;
    }
  }
  output.renders = {picture};
  output.masks = {LeftHalf(), LeftHalf(), Planes(1, kSize, kSize, 0.3f)};
  output.soft_masks = true;
  return output;
}

TEST(Scoring, SeparatesTheRegions) {
  const SceneResult result = ScoreScene(SmallScene(), SmallOutput(), FindProtocol("iphone"), 0.5, {});
  ASSERT_EQ(result.images.size(), 1u);
  const auto& scores = result.images[0].scores;
  EXPECT_EQ(result.images[0].frame, 2);
  EXPECT_NEAR(scores.at("psnr_transient"), 20.0, 1e-4);
  EXPECT_NEAR(scores.at("psnr_static"), 40.0, 1e-3);  // 0.51f - 0.5f is 0.01 to 1e-6
  EXPECT_NEAR(scores.at("psnr"), -10 * std::log10((0.01 + 0.0001) / 2), 1e-4);
  EXPECT_FALSE(scores.contains("lpips"));  // not measured, so not there
}

TEST(Scoring, JudgesMasksWhereThereIsTruth) {
  const SceneResult result = ScoreScene(SmallScene(), SmallOutput(), FindProtocol("masks"), 0.5, {});
  EXPECT_TRUE(result.images.empty());
  ASSERT_EQ(result.masks.size(), 2u);  // the second input has no true mask
  EXPECT_TRUE(result.masks[0].is_input);
  EXPECT_DOUBLE_EQ(Iou(result.masks[0].counts), 1.0);
  EXPECT_FALSE(result.masks[1].is_input);
  EXPECT_DOUBLE_EQ(Recall(result.masks[1].counts), 0.0);    // 0.3 is below the threshold
  EXPECT_DOUBLE_EQ(Recall(result.masks[1].sweep[4]), 1.0);  // but above 0.1
}

TEST(Scoring, WithoutCleanTargetsOnlyTheStaticRegionCounts) {
  EvaluationScene scene = SmallScene();
  scene.clean_truth = false;
  const auto scores = ScoreScene(scene, SmallOutput(), FindProtocol("dre10k"), 0.5, {}).images[0].scores;
  EXPECT_TRUE(scores.contains("psnr_static"));
  EXPECT_FALSE(scores.contains("psnr_transient"));
  EXPECT_FALSE(scores.contains("psnr"));
  EXPECT_THROW(ScoreScene(scene, SmallOutput(), FindProtocol("iphone"), 0.5, {}), Error);
}

TEST(Scoring, ASceneWithoutTrueMasksIsRefusedWhereTheyDecide) {
  EvaluationScene scene = SmallScene();
  scene.masks[2] = Planes();
  EXPECT_THROW(ScoreScene(scene, SmallOutput(), FindProtocol("dre10k"), 0.5, {}), Error);
  EXPECT_NO_THROW(ScoreScene(scene, SmallOutput(), FindProtocol("iphone"), 0.5, {}));
}

TEST(Scoring, StaticDataNeedsNoCleanTargets) {
  EvaluationScene scene = SmallScene();
  scene.clean_truth = false;
  const auto scores = ScoreScene(scene, SmallOutput(), FindProtocol("re10k"), 0.5, {}).images[0].scores;
  EXPECT_NEAR(scores.at("psnr"), -10 * std::log10((0.01 + 0.0001) / 2), 1e-4);
  EXPECT_FALSE(scores.contains("psnr_static"));
}

TEST(Scoring, UsesTheDistanceGiven) {
  const LpipsFunction lpips = [](const Planes&, const Planes& truth) {
    LpipsMaps maps;
    for (Planes& map : maps) map = Planes(1, truth.height, truth.width, 0.1f);
    return maps;
  };
  const auto scores =
      ScoreScene(SmallScene(), SmallOutput(), FindProtocol("iphone"), 0.5, lpips).images[0].scores;
  EXPECT_NEAR(scores.at("lpips"), 0.5, 1e-6);
  EXPECT_NEAR(scores.at("lpips_spatial_static"), 0.5, 1e-6);
  EXPECT_NEAR(scores.at("lpips_released_static"), 0.6, 1e-6);
}

TEST(Scoring, RefusesWrongOutputs) {
  MethodOutput output = SmallOutput();
  output.renders[0] = Planes(3, kSize, 16);
  EXPECT_THROW(ScoreScene(SmallScene(), output, FindProtocol("iphone"), 0.5, {}), Error);
  output = SmallOutput();
  output.renders[0].values[3] = NAN;
  EXPECT_THROW(ScoreScene(SmallScene(), output, FindProtocol("iphone"), 0.5, {}), Error);
  output.renders.push_back(output.renders[0]);
  EXPECT_THROW(ScoreScene(SmallScene(), output, FindProtocol("iphone"), 0.5, {}), Error);
  EXPECT_THROW(FindProtocol("imagenet"), UsageError);
}

TEST(Methods, FloorsAreNearestMeanAndWarp) {
  const auto floors = FloorMethods(1);
  ASSERT_EQ(floors.size(), 3u);
  const EvaluationScene scene = SmallScene();
  EXPECT_FLOAT_EQ(floors[0]->Run(scene).renders.at(0).values[0], 0.0f);  // tie between 0 and 4: the earlier
  EXPECT_FLOAT_EQ(floors[1]->Run(scene).renders.at(0).values[0], 0.5f);
  EXPECT_FLOAT_EQ(floors[2]->Run(scene).renders.at(0).values[0], 0.0f);  // flat pictures cannot be registered
}

TEST(Methods, CoSegmentationMasksAreBinaryAndOneAView) {
  ModelSource source;  // random weights, its own features
  source.use_motion = false;
  for (const char* setting :
       {"model.target_image.height=32", "model.target_image.width=32", "model.image_tokenizer.patch_size=8",
        "model.target_pose_tokenizer.patch_size=8", "model.transformer.d=64", "model.transformer.d_head=32",
        "model.transformer.encoder_n_layer=1", "model.transformer.encoder_geom_n_layer=1",
        "model.transformer.decoder_n_layer=1", "model.scene_latent.length=8"}) {
    source.overrides.push_back(setting);
  }
  const auto model = std::make_shared<const Reconstructor>(source);
  const EvaluationScene scene = SmallScene();
  const MaskSource masks = CoSegmentationMasks(model);
  for (const Planes& mask : masks(scene)) {
    EXPECT_EQ(mask.SizeText(), "1 x 32 x 32");
    for (const float v : mask.values) EXPECT_TRUE(v == 0.0f || v == 1.0f);
  }
  const MethodOutput output = ModelMethod("m", "M", "", model, masks)->Run(scene);
  EXPECT_EQ(output.renders.size(), 1u);
  EXPECT_EQ(output.masks.size(), 3u);
  EXPECT_FALSE(output.soft_masks);
}

class Folders : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            ("wildrayzer_protocols_" +
             std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  // Five frames 0, 25, .. 100 with clean pictures equal to them and left-half masks.
  SceneRecord Record(const std::string& name) const {
    SceneRecord record;
    record.name = name;
    record.source = root_ / name;
    fs::create_directories(root_ / name);
    for (int i = 0; i < 5; ++i) {
      FrameRecord frame;
      frame.image_path = root_ / name / (std::to_string(i) + ".png");
      frame.clean_path = frame.image_path;
      frame.mask_path = root_ / name / (std::to_string(i) + "_mask.png");
      frame.mask_frame = MaskFrame::kModel;
      WritePng(frame.image_path, Flat(static_cast<uint8_t>(25 * i)));
      WritePng(frame.mask_path, GrayFrom(LeftHalf()));
      record.frames.push_back(frame);
    }
    return record;
  }

  SettingRequest Setting(std::vector<SceneRecord> records) const {
    SettingRequest setting;
    setting.label = "2 views";
    setting.data = "test";
    setting.scenes = std::make_shared<FixedScenes>(std::move(records));
    setting.num_inputs = 2;
    setting.num_targets = 3;
    return setting;
  }

  RunOptions Options() const {
    RunOptions options;
    options.folder = root_ / "out";
    options.protocol = FindProtocol("iphone");
    options.width = options.height = kSize;
    return options;
  }

  fs::path root_;
};

// Renders the truth; counts its calls; fails on scenes named "bad".
class Perfect : public Method {
 public:
  Perfect() : Method("perfect", "Perfect", "knows the truth") {}
  MethodOutput Run(const EvaluationScene& scene) const override {
    ++calls;
    if (scene.name == "bad") throw Error("cannot do bad ones");
    MethodOutput output;
    output.renders = scene.truth;
    output.masks = scene.masks;
    return output;
  }
  mutable int calls = 0;
};

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

TEST_F(Folders, RenderingsAreFoundInBothLayouts) {
  const EvaluationScene scene = SmallScene();
  const auto method = RenderingsFromFolder("other", root_);
  fs::create_directories(root_ / "small" / "rendered");
  EXPECT_THROW(method->Run(scene), FileError);
  WritePng(root_ / "small" / "rendered" / "target_view_00.png", Flat(51));
  EXPECT_FLOAT_EQ(method->Run(scene).renders.at(0).values[0], 0.2f);
  WritePng(root_ / "small" / "00002.png", Flat(102));
  EXPECT_FLOAT_EQ(method->Run(scene).renders.at(0).values[0], 0.4f);
}

TEST_F(Folders, MasksAreReadForEveryView) {
  const EvaluationScene scene = SmallScene();
  fs::create_directories(root_ / "small");
  for (const int frame : {0, 4})
    WritePng(root_ / "small" / ("0000" + std::to_string(frame) + ".png"), GrayFrom(LeftHalf()));
  EXPECT_THROW(MasksFromFolder(scene, root_), FileError);
  WritePng(root_ / "small" / "00002.png", GrayFrom(Planes(1, 8, 8, 1.0f)));
  const std::vector<Planes> masks = MasksFromFolder(scene, root_);
  ASSERT_EQ(masks.size(), 3u);
  EXPECT_EQ(masks[0].values, LeftHalf().values);
  EXPECT_EQ(masks[2].values, Planes(1, kSize, kSize, 1.0f).values);
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
