// The convert command, run as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "run_program.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/tensor_files.h"
#include "wildrayzer/io/torch_archive.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(Convert, RoundTripKeepsEveryBitAndDropsTheLossNetwork) {
  const fs::path folder = FreshFolder("convert");
  const auto source = [](const std::string& name, std::vector<int64_t> shape, float start) {
    TensorSource tensor;
    tensor.name = name;
    tensor.shape = shape;
    tensor.stream = [shape, start](const ByteSink& sink) {
      int64_t count = 1;
      for (const int64_t size : shape) count *= size;
      std::vector<float> values;
      for (int64_t i = 0; i < count; ++i) values.push_back(start + 0.001f * static_cast<float>(i));
      sink(std::as_bytes(std::span(values)));
    };
    return tensor;
  };
  WriteSafetensors(folder / "a.safetensors",
                   {source("w", {3, 5}, 1), source("b", {5}, -2), source("loss_computer.vgg", {4}, 0)});
  ASSERT_EQ(RunProgram({"convert", folder / "a.safetensors", folder / "b.pt"}).exit_code, 0);
  ASSERT_EQ(RunProgram({"convert", folder / "b.pt", folder / "c.safetensors"}).exit_code, 0);
  ASSERT_EQ(
      RunProgram({"convert", folder / "b.pt", folder / "half.safetensors", "--dtype", "bf16"}).exit_code, 0);
  const TensorFile before = OpenSafetensors(folder / "a.safetensors");
  const TensorFile after = OpenSafetensors(folder / "c.safetensors");
  EXPECT_EQ(after.tensors().size(), 2u);
  for (const std::string name : {"w", "b"}) {
    const auto bytes = static_cast<size_t>(before.Find(name)->byte_size());
    EXPECT_EQ(std::memcmp(before.Find(name)->data, after.Find(name)->data, bytes), 0) << name;
  }
  const TensorFile half = OpenSafetensors(folder / "half.safetensors");
  EXPECT_EQ(half.Find("w")->dtype, DType::kBF16);
  EXPECT_EQ(half.Find("b")->dtype, DType::kF32);
  uint16_t first = 0;
  std::memcpy(&first, half.Find("w")->data, 2);
  EXPECT_EQ(first, 0x3f80);  // 1.0
  // An existing output is kept unless told otherwise.
  EXPECT_EQ(RunProgram({"convert", folder / "b.pt", folder / "c.safetensors"}).exit_code, 2);
}

TEST(Convert, WritesTheMeanOfTwo) {
  const fs::path folder = FreshFolder("convert_mean");
  const auto write = [&](const std::string& file, const std::string& name, float value) {
    TensorSource tensor;
    tensor.name = name;
    tensor.shape = {2, 3};
    tensor.stream = [value](const ByteSink& sink) {
      std::vector<float> values(6, value);
      values[5] += 1.0F;
      sink(std::as_bytes(std::span(values)));
    };
    WriteSafetensors(folder / file, {tensor});
    return (folder / file).string();
  };
  const std::string a = write("a.safetensors", "w", 1.0F), b = write("b.safetensors", "w", 4.0F);
  const std::string half = (folder / "half.safetensors").string(),
                    out = (folder / "out.safetensors").string();
  ASSERT_EQ(RunProgram({"convert", b, half, "--dtype", "bf16"}).exit_code, 0);
  ASSERT_EQ(RunProgram({"convert", a, out, "--mean-with", half}).exit_code, 0);
  const TensorFile mean = OpenSafetensors(out);
  std::vector<float> values(6);
  std::memcpy(values.data(), mean.Find("w")->data, sizeof(float) * 6);
  EXPECT_EQ(values, (std::vector<float>{2.5F, 2.5F, 2.5F, 2.5F, 2.5F, 3.5F}));
  // Of another model's weights there is no mean.
  const ProgramResult other = RunProgram(
      {"convert", a, (folder / "no.safetensors").string(), "--mean-with", write("c.safetensors", "v", 0.0F)});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, ::testing::HasSubstr("c.safetensors: has no tensor 'w'"));
  EXPECT_FALSE(fs::exists(folder / "no.safetensors"));
}

TEST(Convert, KeepsTheConfigurationAndLeavesTheTrainingBehind) {
  const fs::path folder = FreshFolder("convert_metadata");
  const auto one = [](const std::string& name) {
    TensorSource tensor;
    tensor.name = name;
    tensor.shape = {2, 2};
    tensor.stream = [](const ByteSink& sink) {
      const std::vector<float> values(4, 1.0F);
      sink(std::as_bytes(std::span(values)));
    };
    return tensor;
  };
  WriteSafetensors(folder / "step.safetensors", {one("w"), one("training.optimizer.exp_avg/w")},
                   {{"format", "pt"}, {"wildrayzer.config", "model: {}"}, {"wildrayzer.training", "{}"}});
  const ProgramResult result =
      RunProgram({"convert", folder / "step.safetensors", folder / "model.safetensors", "--dtype", "bf16"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const TensorFile model = OpenSafetensors(folder / "model.safetensors");
  ASSERT_EQ(model.tensors().size(), 1u);
  EXPECT_EQ(model.tensors()[0].name, "w");
  EXPECT_EQ(model.metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"wildrayzer.config", "model: {}"}}));
}

// A threshold that was chosen belongs into the file's configuration; nothing else of the file changes.
TEST(Convert, SetsTheConfigurationThatTheFileCarries) {
  const fs::path folder = FreshFolder("convert_set");
  const fs::path in = folder / "in.safetensors", out = folder / "out.safetensors";
  TensorSource codes;
  codes.name = "scene_code";
  codes.shape = {8, 32};
  codes.stream = [](const ByteSink& sink) {
    const std::vector<float> values(8 * 32, 0.5F);
    sink(std::as_bytes(std::span(values)));
  };
  WriteSafetensors(
      in, {codes},
      {{"format", "pt"},
       {"note", "kept"},
       {"wildrayzer.config",
        "model: {scene_latent: {length: 8}, transformer: {d: 32, d_head: 16}, use_motion_mask: true, "
        "motion: {threshold: 0.2, features: own}}"}});
  const auto convert = [&](const std::vector<std::string>& settings, const fs::path& to) {
    std::vector<std::string> arguments = {"convert", in, to, "--overwrite"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    return RunProgram(arguments);
  };
  const ProgramResult result = convert({"model.motion.threshold=0.37"}, out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const TensorFile before = OpenSafetensors(in), after = OpenSafetensors(out);
  EXPECT_THAT(after.metadata().at("wildrayzer.config"), HasSubstr("threshold: 0.37,"));
  EXPECT_THAT(after.metadata().at("wildrayzer.config"), HasSubstr("features: own,"));
  EXPECT_EQ(after.metadata().at("note"), "kept");
  ASSERT_EQ(after.tensors().size(), 1u);
  EXPECT_EQ(std::memcmp(before.Find("scene_code")->data, after.Find("scene_code")->data, 8 * 32 * 4), 0);

  // Mistakes are told before anything is written.
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"model.motion.treshold=0.3", "key 'model.motion.treshold' is unknown"},
      {"model.motion.threshold=2", "must lie in [0, 1]"},
      {"model.motion.threshold", "form key.subkey=value"},
      {"model.scene_latent.length=16", "do not fit its weights: tensor 'scene_code' has shape [8, 32]"},
  };
  for (const auto& [setting, message] : mistakes) {
    const ProgramResult refused = convert({setting}, folder / "refused.safetensors");
    EXPECT_EQ(refused.exit_code, 2) << setting;
    EXPECT_THAT(refused.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder / "refused.safetensors")) << setting;
  }
}

// From any container to any other and back: what a file says of itself comes along, in PyTorch's too.
TEST(Convert, KeepsTheConfigurationInEveryContainer) {
  const fs::path folder = FreshFolder("convert_containers");
  TensorSource weight;
  weight.name = "w";
  weight.shape = {2, 2};
  weight.stream = [](const ByteSink& sink) {
    const std::vector<float> values(4, 0.5F);
    sink(std::as_bytes(std::span(values)));
  };
  const std::string config = "model: {motion: {threshold: 0.25}}  # \u00fc";
  WriteSafetensors(folder / "a.safetensors", {weight}, {{"wildrayzer.config", config}, {"note", "kept"}});
  const char* names[] = {"a.safetensors", "b.pt", "c.pth", "d.safetensors"};
  for (size_t i = 0; i + 1 < std::size(names); ++i) {
    const ProgramResult result =
        RunProgram({"convert", folder / names[i], folder / names[i + 1], "--dtype", "fp32"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const OpenedFiles files = OpenTensorFiles(folder / names[i + 1]);
    ASSERT_EQ(files.files.size(), 1u);
    const std::map<std::string, std::string>& metadata = files.files[0].metadata();
    EXPECT_EQ(metadata.at("wildrayzer.config"), config) << names[i + 1];
    EXPECT_EQ(metadata.at("note"), "kept");
    EXPECT_NE(files.files[0].Find("w"), nullptr);
  }
  // The configuration can be changed on the way, and weights that say nothing remain a plain state dict.
  ASSERT_EQ(RunProgram({"convert", folder / "b.pt", folder / "e.pt", "--set", "model.motion.threshold=0.5"})
                .exit_code,
            0);
  EXPECT_THAT(OpenTensorFiles(folder / "e.pt").files[0].metadata().at("wildrayzer.config"),
              HasSubstr("threshold: 0.5,"));
  WriteSafetensors(folder / "plain.safetensors", {weight}, {});
  ASSERT_EQ(RunProgram({"convert", folder / "plain.safetensors", folder / "plain.pt"}).exit_code, 0);
  EXPECT_EQ(TorchArchive::Open(folder / "plain.pt").wrapper(), "");
}

// Matrices of transformer blocks, in both containers and back; everything else is fp32.
TEST(Convert, PutsTheMatricesOfBlocksIntoInt8) {
  const fs::path folder = FreshFolder("convert_int8");
  const auto tensor = [](const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
    TensorSource source;
    source.name = name;
    source.shape = std::move(shape);
    source.stream = [values](const ByteSink& sink) { sink(std::as_bytes(std::span(values))); };
    return source;
  };
  const std::string matrix = "stack.0.attn.fc.weight";
  WriteSafetensors(folder / "a.safetensors",
                   {tensor(matrix, {2, 3}, {127, -12.5F, 1.5F, 0, 0.5F, -1}),
                    tensor("head.weight", {1, 2}, {0.3F, 0.7F}), tensor("stack.0.norm.weight", {2}, {1, 2})});
  const auto floats = [](const TensorEntry* entry) {
    std::vector<float> values(static_cast<size_t>(entry->numel()));
    std::memcpy(values.data(), entry->data, sizeof(float) * values.size());
    return values;
  };
  for (const std::string name : {"int8.safetensors", "int8.pt"}) {
    ASSERT_EQ(RunProgram({"convert", folder / "a.safetensors", folder / name, "--dtype", "int8"}).exit_code,
              0);
    const OpenedFiles opened = OpenTensorFiles(folder / name);
    const TensorFile& file = opened.files.at(0);
    ASSERT_EQ(file.tensors().size(), 4u) << name;
    ASSERT_EQ(file.Find(matrix)->dtype, DType::kI8);
    std::vector<int8_t> values(6);
    std::memcpy(values.data(), file.Find(matrix)->data, 6);
    // The steps of the rows are 1 and 1 / 127: ties go to the even neighbour.
    EXPECT_EQ(values, (std::vector<int8_t>{127, -12, 2, 0, 64, -127})) << name;
    EXPECT_EQ(floats(file.Find(matrix + "_scale")), (std::vector<float>{1.0F, 1.0F / 127.0F}));
    EXPECT_EQ(floats(file.Find("head.weight")), (std::vector<float>{0.3F, 0.7F}));
    // And back, from one container into the other.
    const fs::path back = folder / "back.safetensors";
    ASSERT_EQ(RunProgram({"convert", folder / name, back, "--dtype", "fp32", "--overwrite"}).exit_code, 0);
    const TensorFile returned = OpenSafetensors(back);
    EXPECT_EQ(returned.tensors().size(), 3u);
    EXPECT_EQ(floats(returned.Find(matrix)),
              (std::vector<float>{127, -12, 2, 0, 64 * (1.0F / 127.0F), -127 * (1.0F / 127.0F)}));
    const fs::path kept = folder / "kept.safetensors";
    ASSERT_EQ(RunProgram({"convert", folder / name, kept, "--overwrite"}).exit_code, 0);
    EXPECT_EQ(OpenSafetensors(kept).Find(matrix)->dtype, DType::kI8);
  }

  WriteSafetensors(folder / "nan.safetensors", {tensor(matrix, {1, 2}, {1, std::nanf("")})});
  const ProgramResult refused =
      RunProgram({"convert", folder / "nan.safetensors", folder / "none.safetensors", "--dtype", "int8"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(matrix));
  EXPECT_FALSE(fs::exists(folder / "none.safetensors"));
}

}  // namespace
}  // namespace wildrayzer
