// Scoring, and methods that read folders, on small data made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>

#include "wildrayzer/evaluation/model_method.h"
#include "wildrayzer/evaluation/testing/small_evaluation.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::Flat;
using testing::Folders;
using testing::kSize;
using testing::LeftHalf;
using testing::SmallOutput;
using testing::SmallScene;

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
  ASSERT_EQ(floors.size(), 5u);
  const EvaluationScene scene = SmallScene();
  EXPECT_FLOAT_EQ(floors[0]->Run(scene).renders.at(0).values[0], 0.0f);  // tie between 0 and 4: the earlier
  EXPECT_FLOAT_EQ(floors[1]->Run(scene).renders.at(0).values[0], 0.5f);
  EXPECT_FLOAT_EQ(floors[4]->Run(scene).renders.at(0).values[0], 0.0f);  // flat pictures cannot be registered
}

// Cameras that stand still are off by what the true ones turn and move, whatever world they are put in.
TEST(Methods, TheFloorOfCamerasStandsStill) {
  EvaluationScene scene = SmallScene();
  scene.cameras.resize(3);
  for (int i = 0; i < 3; ++i) {
    const double angle = (i - 1) * 0.2;
    scene.cameras[i].c2w.topLeftCorner<3, 3>() =
        Eigen::AngleAxisd(angle, Eigen::Vector3d::UnitY()).toRotationMatrix();
    scene.cameras[i].c2w(0, 3) = 5 + i;
  }
  const auto still = std::move(FloorMethods(1).at(2));
  ASSERT_EQ(still->name, "floor_still");
  const MethodOutput output = still->Run(scene);
  EXPECT_TRUE(output.renders.empty());
  const auto cameras = ScoreScene(scene, output, FindProtocol("iphone"), 0.5, {}).cameras;
  // Of the pairs 0-1, 1-2 and 0-2.
  EXPECT_NEAR(cameras.at("camera_relative_rotation"), 4.0 / 3 * 0.2 * 180 / 3.14159265358979, 1e-6);
  EXPECT_DOUBLE_EQ(cameras.at("camera_direction"), 180);
  EXPECT_DOUBLE_EQ(cameras.at("camera_rra_15"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(cameras.at("camera_rta_30"), 0);
  EXPECT_DOUBLE_EQ(cameras.at("camera_auc_30"), 0);
}

TEST(Methods, TheConstantGuessGoesStraightAhead) {
  EvaluationScene scene = SmallScene();
  scene.cameras.resize(3);
  for (int i = 0; i < 3; ++i) scene.cameras[i].c2w(2, 3) = 0.1 * scene.frames[i];
  const auto guess = std::move(FloorMethods(1).at(3));
  ASSERT_EQ(guess->name, "floor_ahead");
  const MethodOutput output = guess->Run(scene);
  const auto cameras = ScoreScene(scene, output, FindProtocol("iphone"), 0.5, {}).cameras;
  EXPECT_NEAR(cameras.at("camera_auc_30"), 1, 1e-6);
}

// Three cameras near a line leave the similarity to chance: no score is made of it.
TEST(Methods, FewCamerasAreNotAligned) {
  EvaluationScene scene = SmallScene();
  const auto keys = [&](size_t count) {
    scene.cameras.assign(count, {});
    MethodOutput output;
    output.cameras.assign(count, {});
    return ScoreScene(scene, output, FindProtocol("iphone"), 0.5, {}).cameras;
  };
  EXPECT_FALSE(keys(4).contains("camera_rotation"));
  EXPECT_TRUE(keys(5).contains("camera_rotation"));
  EXPECT_TRUE(keys(4).contains("camera_rra_5"));
}

// Of a model so small that loading it takes no time.
std::vector<std::string> TinyOverrides() {
  return {"model.target_image.height=32",
          "model.target_image.width=32",
          "model.image_tokenizer.patch_size=8",
          "model.target_pose_tokenizer.patch_size=8",
          "model.transformer.d=64",
          "model.transformer.d_head=32",
          "model.transformer.encoder_n_layer=1",
          "model.transformer.encoder_geom_n_layer=1",
          "model.transformer.decoder_n_layer=1",
          "model.scene_latent.length=8"};
}

TEST(Methods, CoSegmentationMasksAreBinaryAndOneAView) {
  ModelSource source;  // random weights, its own features
  source.use_motion = false;
  source.overrides = TinyOverrides();
  const JudgedModel model = LoadJudged(source);
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

TEST_F(Folders, FilesOfOtherProgramsAreToldApart) {
  const EvaluationScene scene = SmallScene();
  const auto renders = RenderingsFromFolder("other", root_);
  const MaskSource masks = ExternalMasks(root_);
  std::set<std::string> renders_seen, masks_seen;
  const auto look = [&] {
    renders_seen.insert(renders->Identity(scene));
    masks_seen.insert(masks.Identity(scene));
  };
  look();
  fs::create_directories(root_ / "small");
  WritePng(root_ / "small" / "00002.png", Flat(51));
  look();
  look();
  EXPECT_EQ(renders_seen.size(), 2u);
  fs::last_write_time(root_ / "small" / "00002.png",
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  look();
  WritePng(root_ / "small" / "00004.png", Flat(51));
  look();
  WritePng(root_ / "other_scene.png", Flat(51));  // of another scene
  look();
  EXPECT_EQ(renders_seen.size(), 4u);
  EXPECT_EQ(masks_seen.size(), 4u);
  EXPECT_EQ(FileStamp(root_ / "nowhere"), "absent");
}

TEST(Methods, AModelIsItsWeightsConfigurationAndPrecision) {
  ModelSource source;
  source.use_motion = false;
  source.precision = PrecisionChoice::kFp32;
  source.overrides = TinyOverrides();
  const auto identity = [&](MaskSource masks = {}) {
    return ModelMethod("m", "M", "", LoadJudged(source), std::move(masks))->Identity(SmallScene());
  };
  std::set<std::string> seen = {identity(), identity(), identity(TrueMasks()), identity(ConstantMasks(0)),
                                identity(ConstantMasks(1))};
  EXPECT_EQ(seen.size(), 4u);
  const auto changed = [&] { return seen.insert(identity()).second; };
  source.seed = 1;
  EXPECT_TRUE(changed());
  source.precision = PrecisionChoice::kBf16;
  EXPECT_TRUE(changed());
  source.overrides.emplace_back("model.motion.threshold=0.31");
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
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

}  // namespace
}  // namespace wildrayzer
