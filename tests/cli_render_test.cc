// `render` with masks of the user's own, frames of the photos' shape, and many places at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "run_program.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> RenderWith(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"render", "--frames", "0"});
  for (const std::string& part : TinyModel()) arguments.push_back(part);
  return arguments;
}

TEST(OwnMasksOfRender, AreUsedAndTold) {
  const fs::path folder = FreshFolder("own");
  WritePhotos(folder / "in", 3);
  GrayImage left(80, 60);  // black moves, as COLMAP's masks have it
  for (int y = 0; y < left.height; ++y) {
    for (int x = 0; x < left.width; ++x) left.At(x, y) = x < 40 ? 0 : 255;
  }
  fs::create_directories(folder / "masks");
  for (const char* name : {"photo0.png.png", "photo2.png.png"}) WritePng(folder / "masks" / name, left);
  const ProgramResult result = RunProgram(RenderWith(
      {folder / "in", "--out", folder / "out", "--masks", folder / "masks", "--invert-masks", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("photo1.png: has no mask"));
  const auto metadata = nlohmann::json::parse(result.out);
  EXPECT_EQ(metadata["photos"][0]["mask"], "own");
  EXPECT_EQ(metadata["photos"][1]["mask"], "model");
  EXPECT_DOUBLE_EQ(metadata["photos"][0]["masked_patches"], 0.5);
  const GrayImage used = ReadGray(folder / "out/masks/photo0.png");
  EXPECT_GT(used.At(20, 30), 250);
  EXPECT_LT(used.At(60, 30), 5);
}

TEST(OwnMasksOfRender, MistakesLeaveNothing) {
  const fs::path folder = FreshFolder("own_bad");
  WritePhotos(folder / "in", 2);
  fs::create_directories(folder / "masks");
  for (const auto& [arguments, says] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--masks", folder / "none"}, "no such folder of masks"},
           {{"--masks", folder / "masks"}, "would be called photo0.png"},
           {{"--invert-masks"}, "--invert-masks needs --masks"},
           {{"--frame", "whole"}, "--frame whole needs a model"}}) {
    std::vector<std::string> all = {folder / "in", "--out", folder / "out"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProgramResult result = RunProgram(RenderWith(all));
    EXPECT_EQ(result.exit_code, 2) << says;
    EXPECT_THAT(result.err, HasSubstr(says));
    EXPECT_FALSE(fs::exists(folder / "out"));
  }
}

TEST(RenderFrame, IsThePhotosOwnForAModelOfAnyShape) {
  const fs::path folder = FreshFolder("whole");
  WritePhotos(folder / "in", 2, 160, 90);
  const ProgramResult result =
      RunProgram(RenderWith({folder / "in", "--out", folder / "out", "--json", "--set",
                             "model.any_shape=true", "--set", "model.pose_latent.focal=centred"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto metadata = nlohmann::json::parse(result.out);
  EXPECT_EQ(metadata["output"]["model_resolution"], nlohmann::json::parse("[80, 48]"));
  const auto seen = metadata["photos"][0]["seen_by_the_model"];  // left, top, right, bottom
  EXPECT_GT((seen[2].get<double>() - seen[0].get<double>()) * (seen[3].get<double>() - seen[1].get<double>()),
            0.92 * 160 * 90);
}

class EachPlaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = FreshFolder("each");
    WritePhotos(folder_ / "in/place2", 2);
    WritePhotos(folder_ / "in/place10", 4);
    fs::resize_file(folder_ / "in/place10/photo1.png", 100);  // damaged
    WritePhotos(folder_ / "in/lonely", 1);
    fs::create_directories(folder_ / "in/.hidden");
    std::ofstream(folder_ / "in/notes.txt") << "no place";
  }
  ProgramResult Each(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {folder_ / "in", "--each", "--out", folder_ / "out"});
    return RunProgram(RenderWith(more));
  }
  fs::path folder_;
};

TEST_F(EachPlaceTest, HasAResultAndOneThatFailsStopsNoOther) {
  const ProgramResult result = Each();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("2 of 3 places failed or had to do without some photos"));
  EXPECT_THAT(result.err, HasSubstr("lonely: not rendered: at least two photos"));
  for (const char* place : {"place2", "place10"})
    EXPECT_TRUE(fs::exists(folder_ / "out" / place / "index.html"));
  EXPECT_FALSE(fs::exists(folder_ / "out/lonely"));
  // The table: numbers as numbers, one row a place.
  EXPECT_LT(result.out.find("place2"), result.out.find("place10"));
  EXPECT_THAT(result.out, HasSubstr("at least two photos"));
  EXPECT_THAT(result.out, ContainsRegex("place2 +2 +[0-9]+ % +[0-9.]+ +[^ ]*out/place2\n"));
  EXPECT_THAT(result.out, ContainsRegex("place10 +3 +[0-9]+ % .*is written without 1 of 4 photos"));
  // Warnings are those of the place alone.
  const auto warnings =
      nlohmann::json::parse(ReadText(folder_ / "out/place10/metadata.json"))["warnings"].dump();
  EXPECT_THAT(warnings, Not(HasSubstr("lonely")));

  // Started again it goes on with what is missing.
  WritePhotos(folder_ / "in/lonely", 2);
  const auto before = fs::last_write_time(folder_ / "out/place2/metadata.json");
  const ProgramResult again = Each({"--json"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(fs::last_write_time(folder_ / "out/place2/metadata.json"), before);
  EXPECT_TRUE(fs::exists(folder_ / "out/lonely/index.html"));
  std::istringstream lines(again.out);
  std::vector<std::string> states;
  for (std::string line; std::getline(lines, line);) states.push_back(nlohmann::json::parse(line)["state"]);
  EXPECT_EQ(states, (std::vector<std::string>{"done", "there before", "there before"}));

  // Other options would mix two kinds of results.
  const ProgramResult other = Each({"--no-clean"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("was begun with other options"));
  // Unless all are to be made anew.
  const ProgramResult anew = Each({"--no-clean", "--overwrite"});
  EXPECT_THAT(anew.err, HasSubstr("1 of 3 places"));  // the damaged photo
  EXPECT_FALSE(fs::exists(folder_ / "out/place2/clean"));
}

TEST_F(EachPlaceTest, TheResultsMayLieAmongThePlaces) {
  fs::remove_all(folder_ / "in/place10");
  fs::remove_all(folder_ / "in/lonely");
  for (int i = 0; i < 2; ++i) {
    const ProgramResult result = RunProgram(
        RenderWith({folder_ / "in", "--each", "--out", folder_ / "in/results", "--no-clean", "--json"}));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  }
}

TEST_F(EachPlaceTest, ForeignFoldersAreRefused) {
  fs::create_directories(folder_ / "out");
  std::ofstream(folder_ / "out/mine.txt") << "mine";
  const ProgramResult result = Each();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(Tree(folder_ / "out"), ::testing::ElementsAre("mine.txt"));
  const ProgramResult none =
      RunProgram(RenderWith({folder_ / "in/place2", "--each", "--out", folder_ / "new"}));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("holds no folder of photos"));
  const ProgramResult hint = RunProgram(RenderWith({folder_ / "in", "--out", folder_ / "new"}));
  EXPECT_EQ(hint.exit_code, 2);
  EXPECT_THAT(hint.err, HasSubstr("give --each to render"));
}

}  // namespace
}  // namespace wildrayzer
