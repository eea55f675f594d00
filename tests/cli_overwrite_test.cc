// --overwrite replaces what the program made itself, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "bad_input.h"
#include "run_program.h"
#include "wildrayzer/util/folder_marker.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Every file below the folder with its content.
std::map<std::string, std::string> Contents(const fs::path& folder) {
  std::map<std::string, std::string> contents;
  for (const std::string& name : Tree(folder))
    contents[name] = fs::is_regular_file(folder / name) ? ReadText(folder / name) : "";
  return contents;
}

ProgramResult RunTiny(const std::string& command, const std::vector<std::string>& photos, const fs::path& out,
                      const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"-q", command, "--out", out, "--overwrite"};
  for (const auto& part : {photos, more, TinyModel()})
    arguments.insert(arguments.end(), part.begin(), part.end());
  if (command == "render") arguments.insert(arguments.end(), {"--frames", "2"});
  return RunProgram(arguments);
}

// One line that names the folder and what is wrong, exit code 2, and every byte where it was.
void ExpectRefused(const fs::path& root, const std::vector<std::string>& photos, const fs::path& out,
                   const std::string& message, const std::vector<std::string>& more = {}) {
  const auto before = Contents(root);
  for (const std::string command : {"render", "masks"}) {
    if (command == "masks" && !more.empty()) continue;
    SCOPED_TRACE(command + " --out " + out.string());
    const ProgramResult result = RunTiny(command, photos, out, more);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, StartsWith("wildrayzer: " + out.string() + ": "));
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(Contents(root), before);
  }
}

TEST(Overwrite, PhotosAndOtherFilesOfTheUserSurvive) {
  const fs::path root = FreshFolder("overwrite_photos");
  const fs::path trip = root / "trip", photos = trip / "photos";
  WritePhotos(photos, 3);
  Write(trip / "diary.txt", "monday");
  fs::create_directories(root / "home");
  Write(root / "home/thesis.tex", "years");
  ExpectRefused(root, {photos}, photos, "photo0.png, which this run reads");
  ExpectRefused(root, {photos / "photo0.png", photos / "photo2.png"}, trip,
                "photo0.png, which this run reads");
  ExpectRefused(root, {photos}, root / "home", "has no made_by_wildrayzer.txt");
  // Under another name, and read through a link.
  fs::create_directory_symlink(trip, root / "holiday");
  ExpectRefused(root, {photos}, root / "holiday", "photo0.png, which this run reads");
  fs::create_directories(root / "links");
  for (const char* name : {"photo0.png", "photo1.png"})
    fs::create_symlink(photos / name, root / "links" / name);
  ExpectRefused(root, {root / "links"}, photos, "photo0.png, which this run reads");
}

TEST(Overwrite, ReplacesAResultButNotWhatIsAddedToItOrReadFromIt) {
  const fs::path root = FreshFolder("overwrite_result");
  WritePhotos(root / "in", 2);
  const fs::path out = root / "out";
  ASSERT_EQ(RunTiny("render", {root / "in"}, out, {"--export", "nerfstudio"}).exit_code, 0);
  ASSERT_THAT(Tree(out), Contains(kMarkerName));
  ASSERT_THAT(ReadText(out / kMarkerName), HasSubstr("\nclean/photo0.png\n"));

  ExpectRefused(root, {out / "clean"}, out, "photo0.png, which this run reads");
  ExpectRefused(root, {root / "in"}, out, "cameras.json, which this run reads",
                {"--trajectory", out / "cameras.json"});
  Write(out / "masks/painted.png", "by hand");
  ExpectRefused(root, {root / "in"}, out, "masks/painted.png, which this program did not make");
  fs::remove(out / "masks/painted.png");

  // Another command may replace it; nothing of the old one stays.
  const ProgramResult masks = RunTiny("masks", {root / "in"}, out);
  ASSERT_EQ(masks.exit_code, 0) << masks.err;
  EXPECT_THAT(Tree(root), ::testing::ElementsAre("in", "in/photo0.png", "in/photo1.png", "out",
                                                 "out/made_by_wildrayzer.txt", "out/masks",
                                                 "out/masks/photo0.png", "out/masks/photo1.png",
                                                 "out/masks_overlay", "out/masks_overlay/photo0.png",
                                                 "out/masks_overlay/photo1.png", "out/metadata.json"));
}

TEST(Overwrite, AModelInTheResultIsRead) {
  const fs::path root = FreshFolder("overwrite_model");
  WritePhotos(root / "in", 2);
  const fs::path out = root / "out";
  ASSERT_EQ(RunTiny("render", {root / "in"}, out).exit_code, 0);
  const auto before = Contents(root);
  for (const std::string option : {"--model", "--config", "--dino"}) {
    const ProgramResult result = RunProgram({"-q", "masks", root / "in", "--out", out, "--overwrite", option,
                                             out / "metadata.json", "--init", "random"});
    EXPECT_EQ(result.exit_code, 2) << option;
    EXPECT_THAT(result.err, HasSubstr("metadata.json, which this run reads")) << option;
  }
  EXPECT_EQ(Contents(root), before);
}

TEST(Overwrite, AnExistingEmptyFolderStaysTheSame) {
  const fs::path root = FreshFolder("overwrite_empty");
  WritePhotos(root / "in", 2);
  fs::create_directories(root / "disk");
  fs::create_directory_symlink(root / "disk", root / "out");
  const ProgramResult result = RunTiny("render", {root / "in"}, root / "out");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::is_symlink(root / "out"));
  EXPECT_TRUE(fs::exists(root / "disk/index.html"));
}

// Commands that go on where they were stopped write into folders that they began themselves.
TEST(Overwrite, OtherCommandsRefuseForeignFolders) {
  const fs::path root = FreshFolder("overwrite_others");
  fs::create_directories(root / "home");
  Write(root / "home/thesis.tex", "years");
  Write(root / "file", "text");
  WritePhotos(root / "scenes/hall", 4);
  const auto before = Contents(root);
  for (const std::string place : {"home", "file"}) {
    for (const std::string command : {"eval", "labels", "rooms"}) {
      std::vector<std::string> arguments = {"-q", command, "--out", root / place};
      if (command != "rooms") arguments.push_back(root / "scenes");
      if (command == "labels") arguments.insert(arguments.end(), {"--init", "random"});
      const ProgramResult result = RunProgram(arguments);
      EXPECT_EQ(result.exit_code, 2) << command << ": " << result.err;
      EXPECT_THAT(result.err, HasSubstr(place == "file" ? "is a file" : "is not empty and holds no"));
    }
  }
  EXPECT_EQ(Contents(root), before);
}

}  // namespace
}  // namespace wildrayzer
