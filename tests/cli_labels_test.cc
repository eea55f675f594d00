// The labels command, run as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "run_program.h"
#include "wildrayzer/io/npy.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr int kSide = 64, kFrames = 6;

// Folder scenes with true masks: a bright square wanders over a picture.
void WriteScenes(const fs::path& root, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    fs::create_directories(root / name / "images");
    fs::create_directories(root / name / "masks");
    for (int f = 0; f < kFrames; ++f) {
      Image image = TestPicture(kSide, kSide, static_cast<int>(name.size()));
      GrayImage mask(kSide, kSide);
      for (int y = 16; y < 40; ++y) {
        for (int x = 8 * f; x < 8 * f + 16; ++x) {
          mask.At(x, y) = 255;
          std::fill_n(image.Pixel(x, y), 3, 255);
        }
      }
      WritePng(root / name / "images" / ("frame" + std::to_string(f) + ".png"), image);
      WritePng(root / name / "masks" / ("frame" + std::to_string(f) + ".png"), mask);
    }
  }
}

std::vector<std::string> Arguments(const fs::path& data, const fs::path& out,
                                   const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"labels", data, "--out", out, "--clusters", "16"};
  for (const std::string& argument : TinyModel()) arguments.push_back(argument);
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

nlohmann::json Summary(const fs::path& folder) {
  return nlohmann::json::parse(ReadText(folder / "summary.json"));
}

// Intersection over union of all written masks with the true ones, counted from the files.
double IouOfFiles(const fs::path& data, const fs::path& out, const std::vector<std::string>& names) {
  int64_t both = 0, either = 0;
  for (const std::string& name : names) {
    for (int f = 0; f < kFrames; ++f) {
      const GrayImage truth = ReadGray(data / name / "masks" / ("frame" + std::to_string(f) + ".png"));
      const std::string stem = "0000" + std::to_string(f);
      const GrayImage label = ReadGray(out / "masks" / name / (stem + ".png"));
      const NpyArray array = ReadNpy(out / "masks" / name / (stem + ".npy"));
      EXPECT_EQ(array.shape, (std::vector<int64_t>{kSide, kSide}));
      for (size_t i = 0; i < label.values.size(); ++i) {
        EXPECT_EQ(array.data[i] != std::byte{0}, label.values[i] != 0);
        both += label.values[i] && truth.values[i];
        either += label.values[i] || truth.values[i];
      }
    }
  }
  return either == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(either);
}

TEST(Labels, EveryFrameAndEveryStep) {
  const fs::path root = FreshFolder("labels_all");
  WriteScenes(root / "data", {"hall", "kitchen"});
  const ProgramResult result = RunProgram(Arguments(root / "data", root / "out", {"--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Tree(root / "out"),
              IsSupersetOf({"labels.json", "summary.json", "scenes/hall.json", "masks/kitchen/00000.npy",
                            "masks/kitchen/00005.png", "pictures/hall/00003_1_rendering.png",
                            "pictures/hall/00003_2_ssim.png", "pictures/hall/00003_3_features.png",
                            "pictures/hall/00003_4_saliency.png", "pictures/hall/00003_5_clusters.png",
                            "pictures/hall/00003_6_selected.png", "pictures/hall/00003_7_unrefined.png",
                            "pictures/hall/00003_8_label.png", "pictures/hall/sheet_00001.png"}));
  const nlohmann::json summary = Summary(root / "out");
  EXPECT_EQ(nlohmann::json::parse(result.out), summary);
  EXPECT_EQ(summary["frames"], 2 * kFrames);
  EXPECT_EQ(summary["against_true_masks"]["frames_with_motion"], 2 * kFrames);
  EXPECT_NEAR(summary["against_true_masks"]["over_all_pixels"]["iou"],
              IouOfFiles(root / "data", root / "out", {"hall", "kitchen"}), 1e-9);
}

TEST(Labels, AreTheSameEveryTimeAndGoOnWhereTheyWere) {
  const fs::path root = FreshFolder("labels_again");
  WriteScenes(root / "data", {"hall", "kitchen"});
  ASSERT_EQ(RunProgram(Arguments(root / "data", root / "a", {"--no-pictures"})).exit_code, 0);
  ASSERT_EQ(RunProgram(Arguments(root / "data", root / "b", {"--no-pictures", "--scenes", "1"})).exit_code,
            0);
  EXPECT_EQ(Summary(root / "b")["frames"], kFrames);
  const auto first = fs::last_write_time(root / "b" / "scenes" / "hall.json");
  ASSERT_EQ(RunProgram(Arguments(root / "data", root / "b", {"--no-pictures"})).exit_code, 0);
  EXPECT_EQ(fs::last_write_time(root / "b" / "scenes" / "hall.json"), first);
  ASSERT_EQ(Tree(root / "a"), Tree(root / "b"));
  for (const std::string& file : Tree(root / "a")) {
    if (fs::is_directory(root / "a" / file)) continue;
    EXPECT_EQ(ReadText(root / "a" / file), ReadText(root / "b" / file)) << file;
  }
  // A damaged description is made anew, other settings are refused.
  std::ofstream(root / "b" / "scenes" / "hall.json") << "{";
  ASSERT_EQ(RunProgram(Arguments(root / "data", root / "b", {"--no-pictures"})).exit_code, 0);
  EXPECT_EQ(ReadText(root / "a" / "scenes" / "hall.json"), ReadText(root / "b" / "scenes" / "hall.json"));
  const ProgramResult other = RunProgram(Arguments(root / "data", root / "b", {"--weights", "fixed"}));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("other settings"));
}

TEST(Labels, AViewListDecidesWhatIsLabelled) {
  const fs::path root = FreshFolder("labels_views");
  WriteScenes(root / "data", {"hall", "kitchen"});
  std::ofstream(root / "views.json") << R"({"hall": {"context": [0, 5], "target": [2, 4]}})";
  const ProgramResult result =
      RunProgram(Arguments(root / "data", root / "out", {"--view-index", root / "views.json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto masks = Tree(root / "out" / "masks");
  EXPECT_THAT(masks, IsSupersetOf({"hall/00002.png", "hall/00004.png"}));
  EXPECT_EQ(std::count_if(masks.begin(), masks.end(), [](auto& name) { return name.ends_with(".png"); }), 2);
}

TEST(Labels, ABrokenSceneIsNamedAndTheOthersAreLabelled) {
  const fs::path root = FreshFolder("labels_broken");
  WriteScenes(root / "data", {"attic", "hall", "kitchen"});
  std::ofstream(root / "data" / "hall" / "images" / "frame2.png") << "no picture";
  for (int f = 1; f < kFrames; ++f) {
    fs::remove(root / "data" / "attic" / "images" / ("frame" + std::to_string(f) + ".png"));
  }
  const ProgramResult result = RunProgram(Arguments(root / "data", root / "out"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("frame2.png"));
  EXPECT_THAT(result.err, HasSubstr("2 of 3 scenes"));
  EXPECT_EQ(Summary(root / "out")["scenes_failed"], 2);
  EXPECT_EQ(Summary(root / "out")["frames"], kFrames);
  // Once it is mended only it is missing.
  fs::remove_all(root / "data" / "attic");
  fs::remove_all(root / "data" / "hall");
  WriteScenes(root / "data", {"attic", "hall"});
  ASSERT_EQ(RunProgram(Arguments(root / "data", root / "out")).exit_code, 0);
  EXPECT_EQ(Summary(root / "out")["frames"], 3 * kFrames);
}

TEST(Labels, SaysWhatIsWrong) {
  const fs::path root = FreshFolder("labels_wrong");
  WriteScenes(root / "data", {"hall"});
  fs::create_directories(root / "full");
  std::ofstream(root / "full" / "letter.txt") << "dear";
  const auto expect = [&](const std::vector<std::string>& arguments, int exit_code,
                          const std::string& message) {
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'),
              1 + std::ptrdiff_t{result.err.find("random weights") != std::string::npos})
        << result.err;
    EXPECT_FALSE(fs::exists(root / "out")) << message;
  };
  const fs::path data = root / "data", out = root / "out";
  expect({"labels", data, "--out", out}, 2, "no model");
  expect({"labels", data}, 2, "--out");
  expect(Arguments(root / "nowhere", out), 1, "nowhere");
  expect(Arguments(data, root / "full"), 2, "is not empty and holds no labels");
  expect({"labels", data, "--out", out, "--model", root / "no.safetensors"}, 1, "no.safetensors");
  expect({"labels", data, "--out", out, "--init", "random", "--clusters", "0"}, 2, "--clusters");
  expect({"labels", data, "--out", out, "--init", "random", "--inputs", "1"}, 2, "--inputs");
  expect({"labels", data, "--out", out, "--init", "random", "--top-share", "2"}, 2, "--top-share");
  expect(Arguments(data, out, {"--view-index", root / "none.json"}), 1, "none.json");
  expect(Arguments(data, out, {"--masks", root / "none"}), 2, "none: is no folder");
}

TEST(Labels, HelpHasAnExample) {
  const ProgramResult result = RunProgram({"labels", "--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("Example:\n  wildrayzer labels "));
}

}  // namespace
}  // namespace wildrayzer
