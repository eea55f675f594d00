// A user's mistake or a damaged file: one clear line on stderr that names the file, exit code 1 or 2, nothing
// left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "bad_input.h"
#include "run_program.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Arguments of a render of two good photos with something wrong about the model.
std::vector<std::string> GoodPhotos(const fs::path& folder, const std::vector<std::string>& more) {
  WritePhotos(folder / "in", 2);
  std::vector<std::string> arguments = {"render", folder / "in", "--out", folder / "out"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Arguments of a render with a tiny random model and something wrong about the photos.
std::vector<std::string> TinyRender(const fs::path& folder, const std::vector<std::string>& photos) {
  std::vector<std::string> arguments = {"render", "--out", folder / "out"};
  arguments.insert(arguments.end(), photos.begin(), photos.end());
  const std::vector<std::string> model = TinyModel();
  arguments.insert(arguments.end(), model.begin(), model.end());
  return arguments;
}

std::string GoodPhoto(const fs::path& folder) {
  WritePng(folder / "good.png", TestPicture(80, 60, 0));
  return folder / "good.png";
}

// A PNG whose header promises `side` x `side` pixels.
std::string HugePng(const fs::path& folder, uint32_t side) {
  WritePng(folder / "huge.png", TestPicture(8, 8, 0));
  std::string bytes = ReadText(folder / "huge.png");
  for (const size_t at : {16u, 20u}) {
    for (int i = 0; i < 4; ++i) bytes[at + static_cast<size_t>(i)] = static_cast<char>(side >> (24 - 8 * i));
  }
  return Write(folder / "huge.png", bytes);
}

std::vector<BadInput> Cases() {
  return {
      {"no_command", 2, "--help", [](const fs::path&) { return std::vector<std::string>{}; }},
      {"unknown_option", 2, "--nonsense",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--init", "random", "--nonsense"});
       }},
      // Without --config the model that comes with the program would be used (cli_test.cc).
      {"no_model", 2, "--init random",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--config", "configs/tiny.yaml"});
       }},
      {"missing_photo", 2, "nowhere.jpg: no such file",
       [](const fs::path& f) {
         return TinyRender(f, {f / "nowhere.jpg", GoodPhoto(f)});
       }},
      {"cameras_for_a_photo", 2, "cameras.json: is no photo",
       [](const fs::path& f) { return TinyRender(f, {Write(f / "cameras.json", "{}")}); }},
      {"one_photo", 2, "at least two photos",
       [](const fs::path& f) { return TinyRender(f, {GoodPhoto(f)}); }},
      {"empty_folder", 2, "no images in this folder",
       [](const fs::path& f) {
         fs::create_directories(f / "empty");
         return TinyRender(f, {f / "empty"});
       }},
      {"empty_photo", 1, "bad.png",
       [](const fs::path& f) {
         return TinyRender(f, {Write(f / "bad.png", ""), GoodPhoto(f)});
       }},
      {"wrong_magic", 1, "bad.jpg",
       [](const fs::path& f) {
         return TinyRender(f, {Write(f / "bad.jpg", "hello, I am text"), GoodPhoto(f)});
       }},
      {"truncated_photo", 1, "cut.png",
       [](const fs::path& f) {
         const std::string bytes = ReadText(GoodPhoto(f));
         return TinyRender(f, {Write(f / "cut.png", bytes.substr(0, bytes.size() / 2)), GoodPhoto(f)});
       }},
      {"photo_of_100000_pixels_a_side", 1, "huge.png",
       [](const fs::path& f) {
         return TinyRender(f, {HugePng(f, 100000), GoodPhoto(f)});
       }},
      {"photo_of_0_pixels", 1, "huge.png",
       [](const fs::path& f) {
         return TinyRender(f, {HugePng(f, 0), GoodPhoto(f)});
       }},
      {"damaged_video", 1, "bad.mp4",
       [](const fs::path& f) { return TinyRender(f, {Write(f / "bad.mp4", std::string(5000, 'x'))}); }},
      {"output_exists", 2, "add --overwrite",
       [](const fs::path& f) {
         StagedFolder folder(f / "out", false, {});
         Write(folder.staging() / "old.txt", "old");
         folder.Commit();
         return TinyRender(f, {GoodPhoto(f), GoodPhoto(f)});
       }},
      {"a_device_that_nobody_has", 2, "--device tpu: must be auto, cpu, cuda or cuda:N",
       [](const fs::path& f) {
         auto arguments = TinyRender(f, {GoodPhoto(f), GoodPhoto(f)});
         arguments.insert(arguments.end(), {"--device", "tpu"});
         return arguments;
       }},
      {"output_is_a_file", 2, "out: is a file",
       [](const fs::path& f) {
         Write(f / "out", "keep me");
         return TinyRender(f, {GoodPhoto(f), GoodPhoto(f)});
       }},
      {"missing_checkpoint", 1, "nowhere.pt",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--model", f / "nowhere.pt"});
       }},
      {"checkpoint_of_the_wrong_kind", 1, "model.pt",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--model", Write(f / "model.pt", "not a checkpoint at all")});
       }},
      {"empty_checkpoint", 1, "model.safetensors",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--model", Write(f / "model.safetensors", "")});
       }},
      {"header_of_2_to_the_60_bytes", 1, "model.safetensors",
       [](const fs::path& f) {
         return GoodPhotos(
             f, {"--model", Write(f / "model.safetensors", std::string("\0\0\0\0\0\0\0\x10{}", 10))});
       }},
      {"missing_config", 1, "nowhere.yaml",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--init", "random", "--config", f / "nowhere.yaml"});
       }},
      {"impossible_config", 1, "d_head",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--init", "random", "--set", "model.transformer.d_head=100"});
       }},
      {"missing_dino", 1, "dinov3",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--init", "random", "--dino", f / "dinov3-nowhere"});
       }},
      {"missing_trajectory", 2, "spiral",
       [](const fs::path& f) {
         return GoodPhotos(f, {"--init", "random", "--trajectory", "spiral"});
       }},
      {"hostile_trajectory", 1, "path.json",
       [](const fs::path& f) {
         return GoodPhotos(
             f, {"--init", "random", "--trajectory", Write(f / "path.json", std::string(200000, '['))});
       }},
      {"convert_to_an_unknown_kind", 2, "out.onnx",
       [](const fs::path& f) {
         return std::vector<std::string>{"convert", Write(f / "a.pt", "x"), f / "out.onnx"};
       }},
      {"convert_nothing", 1, "a.pt",
       [](const fs::path& f) {
         return std::vector<std::string>{"convert", Write(f / "a.pt", ""), f / "out.safetensors"};
       }},
      {"inspect_nothing", 1, "nowhere.pt",
       [](const fs::path& f) {
         return std::vector<std::string>{"inspect", f / "nowhere.pt"};
       }},
  };
}

class BadInputTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputTest, OneLineAndNothingLeftBehind) {
  const BadInput& test = GetParam();
  const fs::path folder = FreshFolder("bad_" + test.name);
  const std::vector<std::string> arguments = test.arguments(folder);
  const std::vector<std::string> before = Tree(folder);
  std::vector<std::string> quiet = {"-q"};
  if (arguments.empty()) quiet.clear();
  quiet.insert(quiet.end(), arguments.begin(), arguments.end());
  const ProgramResult result = RunProgram(quiet);
  EXPECT_EQ(result.exit_code, test.exit_code) << result.err;
  EXPECT_THAT(result.err, HasSubstr(test.message));
  // Exactly one line of ours; the warning that there are no weights may come before it.
  std::string err = result.err;
  for (const char* warning : {"warning: random weights", "warning: no model"}) {
    if (err.rfind(warning, 0) == 0) err.erase(0, err.find('\n') + 1);
  }
  EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
  EXPECT_THAT(err, ::testing::StartsWith("wildrayzer: "));
  EXPECT_EQ(Tree(folder), before);
}

INSTANTIATE_TEST_SUITE_P(Cli, BadInputTest, ::testing::ValuesIn(Cases()),
                         [](const auto& parameter) { return parameter.param.name; });
INSTANTIATE_TEST_SUITE_P(Eval, BadInputTest, ::testing::ValuesIn(EvalBadInputs()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(FullDisk, RenderLeavesNothing) {
  const fs::path folder = FreshFolder("full_disk");
  WritePhotos(folder / "in", 2);
  std::vector<std::string> arguments = {"render", folder / "in", "--out", folder / "out", "--frames", "2"};
  const std::vector<std::string> model = TinyModel();
  arguments.insert(arguments.end(), model.begin(), model.end());
  const ProgramResult result = RunProgram(arguments, 600);
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("disk full"));
  EXPECT_EQ(Tree(folder), (std::vector<std::string>{"in", "in/photo0.png", "in/photo1.png"}));
}

}  // namespace
}  // namespace wildrayzer
