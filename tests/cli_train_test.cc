// The train command, run as a user runs it: all stages in a row, and recipes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>
#include <sstream>

#include "train_run.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// The parts with a learning rate of 0 show what the weights are at the beginning.
const char* const kParts[] = {"init", "warmup", "pre", "masks_init", "masks", "masked", "joint"};
constexpr int kNothing = -1;
constexpr int kStages[] = {kNothing, 0, 1, kNothing, 2, 3, 4};

// A view list of our own: two inputs and one target of the eight frames.
fs::path ListedViews() {
  const fs::path path = Rooms() / "views.json";
  std::ofstream(path) << R"({"moving_test_000000": {"context": [3, 5], "target": [1]}})";
  return path;
}

std::string Recipe() {
  const std::string coco = (Rooms() / "coco" / "train").string();
  return R"(  deterministic_views: true
  deterministic_views_refresh_every: 1000000
  train_steps: 40
  print_every: 4
  vis_every: 20
recipe:
  - {name: init, settings: [training.stage=1, training.lr=0, training.train_steps=1]}
  - name: warmup
    settings: [training.stage=0, training.lr=1e-4, 'training.worlds={scenes: 4, views: 3, min_views: 3, motion: 0.1, movers: 0,
      textures: 8, figures: 4}', 'training.validation={worlds: 2}']
  - name: pre
    settings: [training.stage=1, 'training.validation={path: )" +
         (Rooms() / "dynamic_re10k" / "test" / "dre10k_final_context_2.txt").string() +
         R"(, scenes: 1, num_target_views: 6}']
  - {name: masks_init, settings: [training.stage=2, training.lr=0, training.train_steps=1]}
  - {name: masks, settings: [training.stage=2, training.lr=1e-2]}
  - {name: masked, settings: [training.stage=3, training.dataset_mix_ratio=0]}
  - name: joint
    settings: [training.stage=4, 'training.copy_paste={enabled: true, coco_root: )" +
         coco + ", coco_ann_file: " + coco + "/instances.json}', 'training.validation={path: " +
         (Rooms() / "dynamic_re10k" / "test" / "dre10k_final_context_2.txt").string() +
         ", view_index: " + ListedViews().string() +
         ", masks: " + (Rooms() / "dynamic_re10k" / "test" / "binary_masks").string() + ", scenes: 1}']\n";
}

// The stages' table of method.md, said independently of training/stage.cc: 0 is the camera warm-up.
bool MayChange(int stage, const std::string& name) {
  if (stage == kNothing) return false;
  const bool motion = name.find("motion_mask_predictor") == 0;
  const bool noise = name == "noise_token";
  const bool backbone = !motion && !noise;
  return (backbone && stage != 2) || (motion && (stage == 2 || stage == 4)) || (noise && stage >= 3);
}

class Stages : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = FreshFolder("stages");
    config_ = WriteTrainConfig(root_ / "recipe.yaml", Recipe());
    result_ = RunProgram(TrainArguments(config_, root_ / "run", {"training.use_tf32=true"}));
  }
  void SetUp() override { ASSERT_EQ(result_.exit_code, 0) << result_.err; }

  static fs::path Model(const std::string& part) { return root_ / "run" / part / "model.safetensors"; }

  static inline fs::path root_, config_;
  static inline ProgramResult result_;
};

TEST_F(Stages, ChangeExactlyTheWeightsTheyMay) {
  for (size_t i = 1; i < std::size(kParts); ++i) {
    const auto before = ReadTensors(Model(kParts[i - 1]));
    const auto after = ReadTensors(Model(kParts[i]));
    ASSERT_GT(before.size(), 50U);
    for (const auto& [name, tensor] : after) {
      // The motion estimator may come into being in stage 2.
      EXPECT_TRUE(before.contains(name) || name.find("motion_mask_predictor") == 0) << name;
    }
    for (const auto& [name, tensor] : before) {
      ASSERT_TRUE(after.contains(name)) << name;
      EXPECT_EQ(after.at(name).shape, tensor.shape) << name;
      EXPECT_EQ(after.at(name) != tensor, MayChange(kStages[i], name))
          << name << " in stage " << kStages[i] << " (" << kParts[i] << ")";
    }
  }
}

TEST_F(Stages, LearnFromTheirOwnStart) {
  for (size_t i = 1; i < std::size(kParts); ++i) {
    if (kStages[i] == kNothing) continue;
    const auto curve = ReadCurve(root_ / "run" / kParts[i], "train/loss");
    ASSERT_EQ(curve.size(), 10U) << kParts[i];
    double start = 0, end = 0;
    for (size_t k = 0; k < 3; ++k) {
      start += curve[k].second / 3;
      end += curve[curve.size() - 1 - k].second / 3;
    }
    EXPECT_LT(end, 0.985 * start) << kParts[i];
  }
  const auto bce = ReadCurve(root_ / "run" / "masks", "train/mask_bce");
  ASSERT_FALSE(bce.empty());
  EXPECT_LT(bce.back().second, bce.front().second);
}

TEST_F(Stages, NameKeysWithoutEffectOnce) {
  const size_t at = result_.err.find("recipe.yaml: keys without effect here (1): training.use_tf32\n");
  ASSERT_NE(at, std::string::npos) << result_.err;
  EXPECT_EQ(result_.err.find("without effect", at + 30), std::string::npos);
}

TEST_F(Stages, LeaveModelsLogsAndReports) {
  EXPECT_THAT(Tree(root_ / "run"), IsSupersetOf({"report.html", "summary.md", "model.safetensors",
                                                 "joint/report.html", "joint/model.pt", "joint/log.jsonl",
                                                 "warmup/checkpoints/step_0000000040.safetensors"}));
  EXPECT_EQ(ReadText(root_ / "run" / "model.safetensors"), ReadText(Model("joint")));
  // Stages without rooms or without pasted objects are told apart in the log.
  EXPECT_FALSE(ReadCurve(root_ / "run" / "warmup", "train/camera_loss").empty());
  EXPECT_TRUE(ReadCurve(root_ / "run" / "pre", "train/camera_loss").empty());
  EXPECT_FALSE(ReadCurve(root_ / "run" / "joint", "train/input_mask_bce").empty());
}

// The mean rotation of views relative to the first, in degrees, told from the scene's file alone.
double MeanTurn(const nlohmann::json& frames, const std::vector<size_t>& views) {
  double degrees = 0;
  const auto& first = frames[views[0]]["w2c"];
  for (size_t i = 1; i < views.size(); ++i) {
    const auto& other = frames[views[i]]["w2c"];
    double trace = 0;  // of R_0 R_i^T
    for (int k = 0; k < 9; ++k) {
      trace += first[k / 3][k % 3].get<double>() * other[k / 3][k % 3].get<double>();
    }
    degrees += std::acos(std::clamp((trace - 1) / 2, -1.0, 1.0)) * 180 / std::numbers::pi;
  }
  return degrees / static_cast<double>(views.size() - 1);
}

nlohmann::json TestFrames() {
  const fs::path test = Rooms() / "dynamic_re10k" / "test";
  return nlohmann::json::parse(ReadText(test / "metadata" / "moving_test_000000.json")).at("frames");
}

TEST_F(Stages, ValidationKnowsTheTrueCameras) {
  const auto frames = TestFrames();
  ASSERT_EQ(frames.size(), 8U);  // two inputs and six targets: all of them
  const auto still = ReadCurve(root_ / "run" / "pre", "validation/still_rotation_degrees");
  ASSERT_EQ(still.size(), 2U);  // before the first step and after the last
  // Files hold nine digits; the arc cosine loses half of them near 0.
  EXPECT_NEAR(still[0].second, MeanTurn(frames, {0, 1, 2, 3, 4, 5, 6, 7}), 1e-3);
  EXPECT_EQ(still[0].second, still[1].second);
  const auto psnr = ReadCurve(root_ / "run" / "pre", "validation/psnr");
  ASSERT_EQ(psnr.size(), 2U);
  EXPECT_EQ(psnr[0].first, 0);
  EXPECT_EQ(psnr[1].first, 40);
  EXPECT_GT(psnr[1].second, psnr[0].second);
}

TEST_F(Stages, ValidationScoresTheSameWorldsEveryTime) {
  const fs::path warmup = root_ / "run" / "warmup";
  const auto still = ReadCurve(warmup, "validation/world_still_degrees");
  ASSERT_EQ(still.size(), 2U);  // before the first step and after the last
  EXPECT_GT(still[0].second, 0);
  EXPECT_EQ(still[0].second, still[1].second);
  const auto turned = ReadCurve(warmup, "validation/world_rotation_degrees");
  ASSERT_EQ(turned.size(), 2U);
  EXPECT_NE(turned[0].second, turned[1].second);  // the model has changed
}

TEST_F(Stages, ValidationTakesListedViewsAndMasks) {
  const auto still = ReadCurve(root_ / "run" / "joint", "validation/still_rotation_degrees");
  ASSERT_EQ(still.size(), 2U);
  EXPECT_NEAR(still[0].second, MeanTurn(TestFrames(), {3, 5, 1}), 1e-3);
  const auto iou = ReadCurve(root_ / "run" / "joint", "validation/mask_iou");
  ASSERT_EQ(iou.size(), 2U);
  EXPECT_GE(iou[1].second, 0);
  EXPECT_LE(iou[1].second, 1);
}

TEST_F(Stages, AFinishedRunIsLeftAlone) {
  const std::string log = ReadText(root_ / "run" / "masks" / "log.jsonl");
  const auto written = fs::last_write_time(Model("masks"));
  const ProgramResult again = RunProgram(TrainArguments(config_, root_ / "run", {"--resume"}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("finished before"));
  EXPECT_THAT(again.err, HasSubstr("nothing was left to train"));
  EXPECT_EQ(fs::last_write_time(Model("masks")), written);
  EXPECT_EQ(ReadText(root_ / "run" / "masks" / "log.jsonl"), log);
  EXPECT_EQ(ReadText(root_ / "run" / "model.safetensors"), ReadText(Model("joint")));

  const ProgramResult refused = RunProgram(TrainArguments(config_, root_ / "run", {}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("add --resume"));
  EXPECT_EQ(fs::last_write_time(Model("masks")), written);
}

TEST_F(Stages, OneStageOfARecipe) {
  // Its weights come from the part before.
  const ProgramResult alone = RunProgram(TrainArguments(config_, root_ / "alone", {"--stage", "3"}));
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("train the stages before first"));
  fs::create_directories(root_ / "one" / "masks");
  fs::copy(Model("masks"), root_ / "one" / "masks" / "model.safetensors");
  const ProgramResult one =
      RunProgram(TrainArguments(config_, root_ / "one", {"--stage", "3", "training.train_steps=1"}));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  // The model of the whole recipe does not exist yet, and is not spoken of.
  EXPECT_THAT(one.err, HasSubstr((root_ / "one" / "masked" / "model.safetensors").string()));
  EXPECT_FALSE(fs::exists(root_ / "one" / "model.safetensors"));
  const auto start = ReadTensors(Model("masks"));
  for (const auto& [name, tensor] : ReadTensors(root_ / "one" / "masked" / "model.safetensors")) {
    if (!MayChange(3, name)) {
      EXPECT_EQ(tensor, start.at(name)) << name;
    }
  }
}

TEST_F(Stages, OnePartOfARecipe) {
  const ProgramResult none = RunProgram(TrainArguments(config_, root_ / "part", {"--part", "nowhere"}));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("its parts are"));
  EXPECT_THAT(none.err, HasSubstr("masked"));
  EXPECT_FALSE(fs::exists(root_ / "part"));
  // From weights of its own it needs no part before it.
  const ProgramResult part = RunProgram(TrainArguments(
      config_, root_ / "part",
      {"--part", "masked", "training.init_checkpoint=" + Model("masks").string(), "training.train_steps=1"}));
  ASSERT_EQ(part.exit_code, 0) << part.err;
  EXPECT_TRUE(fs::exists(root_ / "part" / "masked" / "model.safetensors"));
  EXPECT_FALSE(fs::exists(root_ / "part" / "model.safetensors"));
}

// Python is no part of the project; where it has torch, it must be able to read what we write.
TEST_F(Stages, PythonReadsTheModel) {
  const auto run = [](const std::string& interpreter, const std::string& script, const fs::path& argument) {
    const std::string command = interpreter + " -c '" + script + "' '" + argument.string() + "' 2>/dev/null";
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) out.push_back(static_cast<char>(c));
    return ::pclose(pipe) == 0 ? out : std::string();
  };
  // The system's own may have it where another one comes first in the path.
  std::string python;
  for (const char* const candidate : {"python3", "/usr/bin/python3"}) {
    if (python.empty() && run(candidate, "import torch; print(1)", "") == "1\n") python = candidate;
  }
  if (python.empty()) GTEST_SKIP() << "python3 with torch is not installed";
  const std::string out = run(python, R"(
import inspect, sys, torch
safe = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
for name, value in torch.load(sys.argv[1], map_location="cpu", **safe)["model"].items():
    print(name, value.dtype, *value.shape)
    assert bool(torch.isfinite(value).all())
)",
                              root_ / "run" / "joint" / "model.pt");
  std::set<std::string> loaded, expected;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) loaded.insert(line);
  for (const auto& [name, tensor] : ReadTensors(Model("joint"))) {
    std::string line = name + " torch.float32";
    for (const int64_t size : tensor.shape) line += " " + std::to_string(size);
    expected.insert(line);
  }
  EXPECT_EQ(loaded, expected);
}

}  // namespace
}  // namespace wildrayzer
