#include "wildrayzer/training/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/training/run_log.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::FreshFolder;
using ::testing::HasSubstr;

constexpr char kCheckpoint[] = "checkpoints/step_0000000010.safetensors";

void Put(const fs::path& path, const std::string& text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// Refused with a message that begins with the path.
void ExpectRefused(const std::function<void()>& check, const fs::path& path) {
  try {
    check();
    ADD_FAILURE() << path << " was not refused";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith(path.string() + ": "));
  }
}

TEST(RunFolder, OnlyNumberedFilesAreCheckpoints) {
  const fs::path folder = FreshFolder("run_folder_checkpoints");
  EXPECT_TRUE(CheckpointsIn(folder / "missing").empty());
  for (const char* name :
       {"step_0000000200.safetensors", "step_0000000030.safetensors", "step_best.safetensors",
        "step_0000000200_good.safetensors", "step_200.safetensors", "step_0000000200.pt",
        ".step_0000000200.safetensors.tmp-1-1.safetensors"})
    Put(folder / name);
  EXPECT_THAT(CheckpointsIn(folder), ::testing::ElementsAre(folder / "step_0000000030.safetensors",
                                                            folder / "step_0000000200.safetensors"));
}

TEST(RunFolder, NothingIsWrittenOverWithoutACheckpointToGoOnFrom) {
  for (const std::string name : {"model.safetensors", "model.pt", "report.html", "summary.md"}) {
    const fs::path folder = FreshFolder("run_folder_results");
    Put(folder / name);
    for (const bool resume : {false, true})
      ExpectRefused([&] { CheckRunFolder(folder, resume); }, folder / name);
    Put(folder / kCheckpoint);
    CheckRunFolder(folder, true);
    ExpectRefused([&] { CheckRunFolder(folder, false); }, folder);
  }
  const fs::path folder = FreshFolder("run_folder_new");
  Put(folder / "photos/1.jpg");  // files beside the run's are left alone
  CheckRunFolder(folder, false);
  CheckRunFolder(folder / "absent", true);
  Put(folder / "file");
  ExpectRefused([&] { CheckRunFolder(folder / "file", false); }, folder / "file");
}

TEST(RunFolder, OnlyALogOfOursBeginsAnew) {
  const fs::path folder = FreshFolder("run_folder_log");
  for (const std::string foreign :
       {"a diary\n", "{\"step\": 3}\n", "{\"step\": 3, \"time\": 1}\n{\"step\":0,\"start\":true}\n"}) {
    Put(folder / kRunLogName, foreign);
    ExpectRefused([&] { CheckRunFolder(folder, false); }, folder / kRunLogName);
  }
  Put(folder / kRunLogName, "");
  CheckRunFolder(folder, false);
  { RunLog log(folder); }
  CheckRunFolder(folder, false);
}

TEST(RunFolder, ARecipeKnowsItsOwnByItsParts) {
  const fs::path folder = FreshFolder("run_folder_recipe");
  CheckRecipeFolder(folder / "absent", {"one", "two"});
  Put(folder / "two/notes.txt");
  CheckRecipeFolder(folder, {"one", "two"});
  Put(folder / "model.safetensors");
  ExpectRefused([&] { CheckRecipeFolder(folder, {"one", "two"}); }, folder / "model.safetensors");
  // A run of one stage in that place is not the recipe's either.
  Put(folder / kCheckpoint);
  ExpectRefused([&] { CheckRecipeFolder(folder, {"one", "two"}); }, folder / "model.safetensors");
  Put(folder / "two" / kCheckpoint);
  CheckRecipeFolder(folder, {"one", "two"});
}

}  // namespace
}  // namespace wildrayzer
