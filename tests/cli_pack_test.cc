// The pack command as a user runs it, and what the other commands make of its file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "train_run.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string& MovingRooms() {
  static const std::string rooms = (Rooms() / "dynamic_re10k" / "train").string();
  return rooms;
}

ProgramResult PackRooms(const fs::path& out, const std::vector<std::string>& more = {},
                        const std::string& size = "32x32") {
  std::vector<std::string> arguments = {"pack",    MovingRooms() + "/full_list.txt",
                                        "--masks", MovingRooms() + "/binary_masks",
                                        "--size",  size,
                                        "--patch", "8",
                                        "--out",   out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunProgram(arguments);
}

void ExpectLine(const ProgramResult& result, int exit_code, const std::string& message) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr(message));
}

TEST(PackCommand, WritesOneFileAndSaysWhatIsInIt) {
  const fs::path root = FreshFolder("pack");
  const ProgramResult result = PackRooms(root / "p.safetensors", {"--json", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("scenes"), 3);
  EXPECT_EQ(json.at("scenes_skipped"), 0);
  EXPECT_EQ(json.at("frames"), 24);
  EXPECT_EQ(json.at("clean"), 24);
  EXPECT_EQ(json.at("masks"), 24);
  EXPECT_EQ(json.at("bytes"), fs::file_size(root / "p.safetensors"));
  EXPECT_THAT(Tree(root), ElementsAre("p.safetensors"));
  // The same again is the same file; a file that is there stays.
  ASSERT_EQ(PackRooms(root / "q.safetensors", {"--threads", "1"}).exit_code, 0);
  EXPECT_EQ(ReadText(root / "p.safetensors"), ReadText(root / "q.safetensors"));
  ExpectLine(PackRooms(root / "q.safetensors", {"--jpeg", "90"}), 2, "exists; add --overwrite");
  EXPECT_EQ(ReadText(root / "p.safetensors"), ReadText(root / "q.safetensors"));
  ASSERT_EQ(PackRooms(root / "q.safetensors", {"--jpeg", "90", "--overwrite"}).exit_code, 0);
  EXPECT_LT(fs::file_size(root / "q.safetensors"), fs::file_size(root / "p.safetensors"));
}

TEST(PackCommand, TrainsAsTheFolderDoes) {
  const fs::path root = FreshFolder("pack_train");
  const fs::path config = WriteTrainConfig(root / "c.yaml");
  ASSERT_EQ(PackRooms(root / "moving.safetensors").exit_code, 0);
  ASSERT_EQ(
      RunProgram({"pack", Rooms() / kStaticScenes, "--config", config, "--out", root / "static.safetensors"})
          .exit_code,
      0);
  const std::vector<std::string> steps = {"training.stage=4", "training.train_steps=2",
                                          "training.dataset_mix_ratio=0.5"};
  std::vector<std::string> folder = steps, packed = steps;
  folder.push_back("training.dynamic_masks_path=" + MovingRooms() + "/binary_masks");
  packed.push_back("training.static_re10k_path=" + (root / "static.safetensors").string());
  packed.push_back("training.dynamic_re10k_path=" + (root / "moving.safetensors").string());
  packed.push_back("training.dynamic_masks_path=" + (root / "moving.safetensors").string());
  packed.push_back("training.validation={path: " + (root / "moving.safetensors").string() + ", scenes: 1}");
  const ProgramResult a = RunProgram(TrainArguments(config, root / "a", folder));
  ASSERT_EQ(a.exit_code, 0) << a.err;
  const ProgramResult b = RunProgram(TrainArguments(config, root / "b", packed));
  ASSERT_EQ(b.exit_code, 0) << b.err;
  EXPECT_EQ(ReadTensors(root / "a/model.safetensors"), ReadTensors(root / "b/model.safetensors"));
  EXPECT_FALSE(ReadCurve(root / "b", "validation/psnr").empty());
  // Another size: one line that says what to do.
  const ProgramResult other = RunProgram(
      TrainArguments(config, root / "c",
                     {"training.stage=1", "training.train_steps=1", "model.image_tokenizer.image_size=64",
                      "model.target_image.height=64", "model.target_image.width=64",
                      "training.static_re10k_path=" + (root / "static.safetensors").string()}));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, AllOf(HasSubstr("static.safetensors: its frames are 32 x 32"), HasSubstr("64 x 64"),
                               HasSubstr("pack the data again with --size 64x64 --patch 8")));
  // A model is no data set.
  const ProgramResult model = RunProgram(TrainArguments(
      config, root / "d",
      {"training.stage=1", "training.static_re10k_path=" + (root / "a/model.safetensors").string()}));
  EXPECT_EQ(model.exit_code, 1);
  EXPECT_THAT(model.err,
              HasSubstr("model.safetensors: holds no packed scenes (a checkpoint?); wildrayzer pack"));
}

TEST(PackCommand, EvaluatesPackedScenesAndTheirViews) {
  const fs::path root = FreshFolder("pack_eval");
  const std::string list = (Rooms() / "dynamic_re10k/test/dre10k_final_context_2.txt").string();
  const std::string masks = (Rooms() / "dynamic_re10k/test/binary_masks").string();
  const std::string views = (Rooms() / "dynamic_re10k/test/dre10k_final_context_2_view_idx.json").string();
  ASSERT_EQ(RunProgram({"pack", list, "--masks", masks, "--view-index", views, "--size", "32x32", "--out",
                        root / "p.safetensors"})
                .exit_code,
            0);
  const auto score = [&](const std::string& data, const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"eval", data,       "--protocol", "dre10k", "--width",
                                          "32",   "--height", "32",         "--out",  root / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return ReadText(root / out / "results.csv");
  };
  EXPECT_EQ(score(root / "p.safetensors", "packed", {}),
            score(list, "list", {"--masks", masks, "--view-index", views}));
}

TEST(PackCommand, BadInputIsOneLine) {
  const fs::path root = FreshFolder("pack_bad");
  const std::string out = root / "p.safetensors";
  ExpectLine(PackRooms(out, {}, "30x32"), 2, "no whole patches of 8");
  ExpectLine(PackRooms(out, {}, "32"), 2, "give WIDTHxHEIGHT");
  ExpectLine(PackRooms(out, {}, "32x99999999999"), 2, "give WIDTHxHEIGHT");
  ExpectLine(PackRooms(root / "p.zip"), 2, "must end in .safetensors");
  ExpectLine(PackRooms(out, {"--jpeg", "0"}), 2, "--jpeg");
  ExpectLine(RunProgram({"pack", root / "nothing", "--out", out}), 1, "nothing: does not exist");
  ExpectLine(PackRooms(root / "no/p.safetensors"), 1, "p.safetensors: cannot create the file");
  ExpectLine(RunProgram({"pack", Rooms() / kStaticScenes, "--out", out}, /*file_size_limit=*/1 << 16), 1,
             "is the disk full?");
  WriteFileAtomically(root / "cut.safetensors", "cut");
  ExpectLine(RunProgram({"pack", root / "cut.safetensors", "--out", out}), 1, "pack the data again");
  // One damaged scene does not cost the others; nothing but damaged scenes is an error.
  WritePhotos(root / "in/good", 2);
  WritePhotos(root / "in/bad", 2);
  WriteFileAtomically(root / "in/bad/photo1.png", "not a picture");
  const ProgramResult one = RunProgram({"pack", root / "in", "--out", out});
  EXPECT_EQ(one.exit_code, 1);
  EXPECT_THAT(one.err, AllOf(HasSubstr("warning: bad: not packed: "), HasSubstr("photo1.png"),
                             HasSubstr("1 scenes, 2 frames"), HasSubstr("1 scenes left out"),
                             HasSubstr("is written without 1 of 2 scenes")));
  EXPECT_TRUE(fs::exists(out));
  WriteFileAtomically(root / "in/good/photo1.png", "not a picture");
  const ProgramResult none = RunProgram({"pack", root / "in", "--out", out, "--overwrite"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("no scene could be read"));
  EXPECT_THAT(Tree(root), ::testing::IsSupersetOf({"p.safetensors"}));  // the old one
}

}  // namespace
}  // namespace wildrayzer
