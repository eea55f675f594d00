// The commands, run as a user runs them, on a tiny random model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "run_program.h"
#include "wildrayzer/io/video.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

std::vector<std::string> Join(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Cli, HelpHasAnExampleForEveryCommand) {
  for (const std::string command : {"render", "masks", "inspect", "convert", "rooms", "eval"}) {
    const ProgramResult result = RunProgram({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_THAT(result.out, HasSubstr("Example:\n  wildrayzer " + command));
  }
}

TEST(Render, LeavesEverythingThatIsPromised) {
  const fs::path folder = FreshFolder("render");
  WritePhotos(folder / "in", 3);
  const ProgramResult result =
      RunProgram(Join({"render", folder / "in", "--out", folder / "out", "--frames", "4", "--inputs", "2",
                       "--targets", "1", "--export", "nerfstudio", "--export", "colmap", "--json"},
                      TinyModel()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Tree(folder / "out"), IsSupersetOf({"index.html",
                                                  "video.mp4",
                                                  "cameras.json",
                                                  "metadata.json",
                                                  "transforms.json",
                                                  "colmap/images.txt",
                                                  "views/frame_000.png",
                                                  "views/frame_003.png",
                                                  "views/target_photo1.png",
                                                  "clean/photo0.png",
                                                  "source/photo2.png",
                                                  "masks/photo0.png",
                                                  "masks/photo1.png",
                                                  "masks/photo2.png",
                                                  "masks_overlay/photo2.png",
                                                  "images/photo1.jpg",
                                                  "image_masks/images/photo1.jpg.png",
                                                  "place/transforms.json",
                                                  "place/colmap/images.txt",
                                                  "place/images/photo1.png",
                                                  "place/images/path_003.png"}));
  EXPECT_THAT(Tree(folder), Contains("out"));
  EXPECT_EQ(fs::exists(folder / "out/views/frame_004.png"), false);

  const auto metadata = nlohmann::json::parse(result.out);
  EXPECT_EQ(metadata, nlohmann::json::parse(ReadText(folder / "out/metadata.json")));
  EXPECT_EQ(metadata["model"]["precision"], "fp32");
  EXPECT_EQ(metadata["photos"].size(), 3u);
  EXPECT_EQ(metadata["photos"][2]["role"], "target");
  EXPECT_THAT(metadata["warnings"].dump(), HasSubstr("mean nothing"));

  // Views have the model's resolution; masks and clean photos the photo's.
  EXPECT_EQ(ReadImage(folder / "out/views/frame_000.png").width, 64);
  const GrayImage mask = ReadGray(folder / "out/masks/photo0.png");
  EXPECT_EQ(std::make_pair(mask.width, mask.height), std::make_pair(80, 60));
  const Image clean = ReadImage(folder / "out/clean/photo0.png");
  EXPECT_EQ(std::make_pair(clean.width, clean.height), std::make_pair(80, 60));
  // What the model did not see is the photo's own, and so is what the map says.
  const Image photo = ReadImage(folder / "in/photo0.png"),
              source = ReadImage(folder / "out/source/photo0.png");
  size_t own = 0;
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 80; ++x) {
      const bool is_own = std::equal(source.Pixel(x, y), source.Pixel(x, y) + 3, source.Pixel(2, 30));
      own += is_own;
      if (!is_own) continue;
      EXPECT_TRUE(std::equal(photo.Pixel(x, y), photo.Pixel(x, y) + 3, clean.Pixel(x, y)));
    }
  }
  EXPECT_NEAR(metadata["photos"][0]["clean"]["own"].get<double>(), static_cast<double>(own) / 4800, 1e-9);
  EXPECT_EQ(metadata["output"]["source_colours"].size(), 4u);

  const auto cameras = nlohmann::json::parse(ReadText(folder / "out/cameras.json"))["cameras"];
  ASSERT_EQ(cameras.size(), 3u + 4u);
  EXPECT_EQ(cameras[0]["width"], 80);
  // The first input is the canonical view: its pose is the identity.
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c)
      EXPECT_NEAR(cameras[0]["c2w"][r][c].get<double>(), r == c ? 1.0 : 0.0, 1e-6);  // fp32 arithmetic
  }

  const std::string page = ReadText(folder / "out/index.html");
  EXPECT_THAT(page, HasSubstr("data:video/mp4;base64,"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("http")));  // needs no network
}

TEST(Render, SameSeedSameBytes) {
  const fs::path folder = FreshFolder("seed");
  WritePhotos(folder / "in", 2);
  std::vector<std::string> pictures;
  for (const std::string seed : {"5", "5", "6"}) {
    const fs::path out = folder / ("out" + std::to_string(pictures.size()));
    const ProgramResult result = RunProgram(
        Join({"render", folder / "in", "--out", out, "--frames", "2", "--seed", seed}, TinyModel()));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    pictures.push_back(ReadText(out / "views/frame_001.png") + ReadText(out / "cameras.json"));
  }
  EXPECT_EQ(pictures[0], pictures[1]);
  EXPECT_NE(pictures[0], pictures[2]);
}

TEST(Render, TakesPhotosOfDifferentSizesAndAVideo) {
  const fs::path folder = FreshFolder("sizes");
  WritePng(folder / "a.png", TestPicture(90, 50, 1));
  WritePng(folder / "b.png", TestPicture(40, 120, 2));
  const ProgramResult photos = RunProgram(Join({"render", folder / "a.png", folder / "b.png", "--no-motion",
                                                "--frames", "2", "--out", folder / "photos"},
                                               TinyModel()));
  ASSERT_EQ(photos.exit_code, 0) << photos.err;
  EXPECT_EQ(ReadImage(folder / "photos/clean/b.png").width, 40);
  EXPECT_FALSE(fs::exists(folder / "photos/masks"));

  VideoWriter video(folder / "walk.mp4", 96, 64, 10);
  for (int i = 0; i < 9; ++i) video.Write(TestPicture(96, 64, i));
  video.Commit();
  const ProgramResult frames =
      RunProgram(Join({"render", folder / "walk.mp4", "--inputs", "3", "--trajectory", "orbit", "--frames",
                       "2", "--export", "nerfstudio", "--out", folder / "video"},
                      TinyModel()));
  ASSERT_EQ(frames.exit_code, 0) << frames.err;
  EXPECT_TRUE(fs::exists(folder / "video/clean/frame_000008.png"));
  EXPECT_EQ(ReadImage(folder / "video/images/frame_000008.jpg").width, 96);
}

TEST(Render, FollowsCamerasFromItsOwnFile) {
  const fs::path folder = FreshFolder("trajectory");
  WritePhotos(folder / "in", 2);
  ASSERT_EQ(RunProgram(Join({"render", folder / "in", "--out", folder / "one", "--frames", "3"}, TinyModel()))
                .exit_code,
            0);
  // Only the path's cameras: their views must come out again, to the bit.
  auto cameras = nlohmann::json::parse(ReadText(folder / "one/cameras.json"));
  cameras["cameras"].erase(0);
  cameras["cameras"].erase(0);
  std::ofstream(folder / "path.json") << cameras.dump();
  const ProgramResult again = RunProgram(Join(
      {"render", folder / "in", "--out", folder / "two", "--trajectory", folder / "path.json"}, TinyModel()));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(ReadText(folder / "one/views/frame_001.png"), ReadText(folder / "two/views/frame_001.png"));
  // The photos' own cameras, 80 x 60 pixels, are followed in square frames without squeezing anything.
  const ProgramResult all = RunProgram(Join({"render", folder / "in", "--out", folder / "three",
                                             "--trajectory", folder / "one/cameras.json", "--json"},
                                            TinyModel()));
  ASSERT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr("2 of 5 cameras are of another shape"));
  EXPECT_EQ(nlohmann::json::parse(all.out)["output"]["views_extended_to_the_frame"], 2);
  const auto followed = nlohmann::json::parse(ReadText(folder / "three/cameras.json"))["cameras"];
  ASSERT_EQ(followed.size(), 7u);
  for (size_t i = 2; i < followed.size(); ++i) {
    EXPECT_NEAR(followed[i]["fx"].get<double>(), followed[i]["fy"].get<double>(),
                0.07 * followed[i]["fx"].get<double>());  // 80 x 60 was resized to 80 instead of 85 x 64
  }
}

TEST(Masks, CoversEveryPhotoOfALongFolder) {
  const fs::path folder = FreshFolder("masks");
  WritePhotos(folder / "in", 7);
  const ProgramResult result = RunProgram(
      Join({"masks", folder / "in", "--out", folder / "out", "--window", "3", "--json"}, TinyModel()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["photos"].size(), 7u);
  EXPECT_TRUE(nlohmann::json::parse(result.out)["seconds"].contains("writing masks"));
  for (int i = 0; i < 7; ++i)
    EXPECT_TRUE(fs::exists(folder / "out/masks" / ("photo" + std::to_string(i) + ".png"))) << i;
}

TEST(Masks, ARenderOfTheSamePhotosHasTheSameMasks) {
  const fs::path folder = FreshFolder("same_masks");
  WritePhotos(folder / "in", 3);
  ASSERT_EQ(RunProgram(Join({"masks", folder / "in", "--out", folder / "masks"}, TinyModel())).exit_code, 0);
  ASSERT_EQ(
      RunProgram(Join({"render", folder / "in", "--out", folder / "render", "--frames", "0"}, TinyModel()))
          .exit_code,
      0);
  EXPECT_EQ(ReadText(folder / "masks/masks/photo1.png"), ReadText(folder / "render/masks/photo1.png"));
}

// The model that is used when none is named, with copies of the program that lie beside one and beside none.
class DefaultModelOf : public ::testing::TestWithParam<std::string> {};

// Standard error of COMMAND with two photos and no --model, run by the program in `folder`/bin.
std::string ErrorsOf(const std::string& command, const fs::path& folder) {
  const std::string line = (folder / "bin/wildrayzer").string() + " " + command + " " +
                           (folder / "in").string() + " --out " + (folder / "out").string() +
                           " >/dev/null 2>" + (folder / "errors").string();
  EXPECT_NE(std::system(line.c_str()), 0);
  EXPECT_FALSE(fs::exists(folder / "out"));
  return ReadText(folder / "errors");
}

fs::path Installation(const std::string& name) {
  const fs::path folder = FreshFolder(name);
  fs::create_directories(folder / "bin");
  fs::copy_file(WILDRAYZER_PROGRAM, folder / "bin/wildrayzer");
  WritePhotos(folder / "in", 2);
  return folder;
}

TEST_P(DefaultModelOf, IsTheOneInstalledBesideTheProgram) {
  const fs::path folder = Installation("with_model_" + GetParam());
  const fs::path model = folder / "share/wildrayzer/small.safetensors";
  fs::create_directories(model.parent_path());
  std::ofstream(model) << "no tensors";  // to be opened is all it has to suffer
  const std::string errors = ErrorsOf(GetParam(), folder);
  EXPECT_THAT(errors, HasSubstr("no --model given: using the small model that comes with the program, " +
                                model.string()));
  EXPECT_THAT(errors, HasSubstr("wildrayzer: " + model.string()));
}

TEST_P(DefaultModelOf, IsMissedWithARemedy) {
  const fs::path folder = Installation("without_model_" + GetParam());
  const std::string errors = ErrorsOf(GetParam(), folder);
  EXPECT_THAT(errors, HasSubstr("give --model CHECKPOINT"));
  EXPECT_THAT(errors, HasSubstr("models/small.safetensors, is missing"));
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
}

INSTANTIATE_TEST_SUITE_P(Commands, DefaultModelOf, ::testing::Values("render", "masks"));

}  // namespace
}  // namespace wildrayzer
