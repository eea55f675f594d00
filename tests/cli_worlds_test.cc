// The worlds command as a user runs it, and what the other commands make of its files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "run_program.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// Small worlds that take some milliseconds each.
std::vector<std::string> WorldsArguments(const fs::path& out, int scenes,
                                         const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "worlds",  "--out",    out,      "--scenes", std::to_string(scenes), "--size", "32",
      "--views", "3",        "--seed", "5",        "--textures",           "5",      "--figures",
      "5",       "--device", "cpu"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void ExpectRefusal(const std::vector<std::string>& arguments, const std::string& message, int exit_code = 2) {
  const ProgramResult result = RunProgram(arguments);
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr(message));
}

TEST(WorldsCommand, WritesSheetsStatisticsAndScenes) {
  const fs::path out = FreshFolder("worlds") / "set";
  const ProgramResult result =
      RunProgram(WorldsArguments(out, 3, {"--aspect", "4:3,3:4", "--layout", "--json", "--quiet"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("made"), 3);
  EXPECT_EQ(json.at("found"), 0);
  EXPECT_EQ(json.at("device"), "cpu");
  EXPECT_GT(json.at("worlds_a_second").get<double>(), 0);
  EXPECT_THAT(Tree(out), IsSupersetOf({"facts.jsonl", "histograms.svg", "sheet_000.png", "statistics.json",
                                       "worlds.json", "scenes/full_list.txt",
                                       "scenes/full_list_context_2_view_idx.json"}));
  const Image first = ReadImage(out / "scenes" / "images" / "world_000000" / "00000.png");
  EXPECT_TRUE((first.width == 40 && first.height == 30) || (first.width == 30 && first.height == 40))
      << first.width;
  // Found, not made again; a longer set continues it.
  const std::string facts = ReadText(out / "facts.jsonl");
  ASSERT_EQ(RunProgram(WorldsArguments(out, 4, {"--aspect", "4:3,3:4"})).exit_code, 0);
  EXPECT_THAT(ReadText(out / "facts.jsonl"), ::testing::StartsWith(facts));
}

TEST(WorldsCommand, OtherCommandsReadTheScenes) {
  const fs::path root = FreshFolder("worlds_packed");
  ASSERT_EQ(RunProgram(WorldsArguments(root / "set", 3, {"--layout"})).exit_code, 0);
  const fs::path scenes = root / "set" / "scenes";
  const ProgramResult packed =
      RunProgram({"pack", scenes / "full_list.txt", "--masks", scenes / "binary_masks", "--view-index",
                  scenes / "full_list_context_2_view_idx.json", "--size", "32x32", "--patch", "8", "--out",
                  root / "worlds.safetensors", "--json", "--quiet"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  const nlohmann::json json = nlohmann::json::parse(packed.out);
  EXPECT_EQ(json.at("scenes"), 3);
  EXPECT_EQ(json.at("frames"), 9);
  EXPECT_EQ(json.at("clean"), 9);
  EXPECT_EQ(json.at("masks"), 9);
}

TEST(WorldsCommand, AKilledRunGoesOn) {
  const fs::path root = FreshFolder("worlds_killed");
  const int scenes = 80;  // facts are kept in three parts
  {
    RunningProgram run(WorldsArguments(root / "killed", scenes, {"--threads", "1"}));
    while (!run.Ended() && !fs::exists(root / "killed" / "facts.jsonl"))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    run.Kill();
    run.Wait();
  }
  ASSERT_FALSE(fs::exists(root / "killed" / "statistics.json")) << "killed too late to tell anything";
  const ProgramResult again = RunProgram(WorldsArguments(root / "killed", scenes, {"--json", "--quiet"}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_GT(nlohmann::json::parse(again.out).at("found"), 0);
  ASSERT_EQ(RunProgram(WorldsArguments(root / "whole", scenes)).exit_code, 0);
  ASSERT_EQ(Tree(root / "killed"), Tree(root / "whole"));
  for (const std::string& name : Tree(root / "whole"))
    EXPECT_TRUE(ReadText(root / "killed" / name) == ReadText(root / "whole" / name)) << name;
}

TEST(WorldsCommand, MistakesAreToldInOneLine) {
  const fs::path root = FreshFolder("worlds_mistakes");
  ExpectRefusal(WorldsArguments(root / "a", 1, {"--min-overlap", "0.95"}),
                "--min-overlap must be between 0 and 0.9");
  ExpectRefusal(WorldsArguments(root / "a", 1, {"--aspect", "wide"}), "--aspect wide: give WIDTH:HEIGHT");
  ExpectRefusal(WorldsArguments(root / "a", 0), "--scenes must be between 1 and");
  fs::create_directories(root / "empty");
  ExpectRefusal(WorldsArguments(root / "a", 1, {"--pictures", root / "empty"}), "no pictures", 1);
  ExpectRefusal(WorldsArguments(root / "a", 1, {"--cutouts", root / "empty"}), "instances.json", 1);
  EXPECT_FALSE(fs::exists(root / "a"));
  WriteFileAtomically(root / "empty" / "mine.txt", "mine");
  ExpectRefusal(WorldsArguments(root / "empty", 1), (root / "empty").string());
  ASSERT_EQ(RunProgram(WorldsArguments(root / "b", 1)).exit_code, 0);
  ExpectRefusal(WorldsArguments(root / "b", 1, {"--motion", "0.5"}), "another motion (1.0, now 0.5)");
}

}  // namespace
}  // namespace wildrayzer
