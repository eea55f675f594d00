#include "wildrayzer/training/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

TrainingState SomeState(int64_t step) {
  torch::manual_seed(step);
  TrainingState state;
  state.stage = 3;
  state.step = step;
  state.loader = {18446744073709551557ULL, 7, 12345678901};
  state.seed = 9223372036854775813ULL;  // 2^63 + 5: no double and no signed number holds it
  state.seconds = 12.625;
  state.scenes = 98765432109;
  state.yaml = "model:\n  d: 32 # \"quoted\" \\ ü\n";
  state.model_yaml = "model: {transformer: {d: 32}}\n";
  state.weights = {{"b.weight", torch::randn({3, 4})}, {"a.bias", torch::randn({5})}};
  state.extra = {{"optimizer.step/a.bias", torch::tensor(int64_t{1} << 40)},
                 {"optimizer.exp_avg/a.bias", torch::randn({5})},
                 {"average.b.weight", torch::randn({3, 4}).to(torch::kBFloat16)},
                 {"optimizer.counters", torch::tensor({int64_t{7}, int64_t{1}, int64_t{2}})},
                 // Not contiguous in memory.
                 {"match_head.weight", torch::randn({4, 6}).t()}};
  return state;
}

void ExpectError(const std::function<void()>& call, const std::string& message) {
  try {
    call();
    FAIL() << "no error; expected: " << message;
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

TEST(CheckpointStore, BringsEverythingBack) {
  const fs::path folder = FreshFolder("store_round_trip") / "run" / "checkpoints";
  const CheckpointStore store(folder, 2);
  EXPECT_FALSE(store.Newest());
  const TrainingState saved = SomeState(1234);
  const fs::path path = store.Save(saved);
  EXPECT_EQ(path, folder / "step_0000001234.safetensors");
  EXPECT_EQ(store.Newest(), path);
  const TrainingState loaded = LoadTrainingState(path);
  EXPECT_EQ(loaded.stage, saved.stage);
  EXPECT_EQ(loaded.step, saved.step);
  EXPECT_EQ(loaded.loader, saved.loader);
  EXPECT_EQ(loaded.seed, saved.seed);
  EXPECT_EQ(loaded.seconds, saved.seconds);
  EXPECT_EQ(loaded.scenes, saved.scenes);
  EXPECT_EQ(loaded.yaml, saved.yaml);
  EXPECT_EQ(loaded.model_yaml, saved.model_yaml);
  const std::map<std::string, torch::Tensor> weights(loaded.weights.begin(), loaded.weights.end());
  ASSERT_EQ(weights.size(), saved.weights.size());
  for (const auto& [name, tensor] : saved.weights)
    EXPECT_TRUE(torch::equal(weights.at(name), tensor)) << name;
  ASSERT_EQ(loaded.extra.size(), saved.extra.size());
  for (const auto& [name, tensor] : saved.extra) {
    EXPECT_EQ(loaded.extra.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(loaded.extra.at(name), tensor)) << name;
  }
}

TEST(CheckpointStore, KeepsTheNewestAndNothingUnfinished) {
  const fs::path folder = FreshFolder("store_rotation");
  const CheckpointStore store(folder, 2);
  std::ofstream(folder / "notes.txt") << "mine";
  std::ofstream(folder / "step_0000000005_good.safetensors") << "put aside";
  std::ofstream(folder / ".step_0000000005.safetensors.tmp-77-0.safetensors") << "half";
  for (const int64_t step : {5, 999, 1000, 20000}) store.Save(SomeState(step));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("notes.txt", "step_0000000005_good.safetensors",
                                              "step_0000001000.safetensors", "step_0000020000.safetensors"));
  EXPECT_EQ(store.Newest(), folder / "step_0000020000.safetensors");
  EXPECT_EQ(LoadTrainingState(folder / "step_0000001000.safetensors").step, 1000);
}

TEST(CheckpointStore, SaysWhatIsWrongWithAFile) {
  const fs::path folder = FreshFolder("store_damage");
  const auto load = [](const fs::path& path) { return [path] { LoadTrainingState(path); }; };
  ExportModel(folder / "model.safetensors", SomeState(1).weights, "model: {}\n");
  ExpectError(load(folder / "model.safetensors"), "no state of a training run");
  ExpectError(load(folder / "missing.safetensors"), "missing.safetensors");

  const fs::path path = CheckpointStore(folder, 1).Save(SomeState(8));
  const std::string bytes = ReadText(path);
  for (const size_t size : {bytes.size() - 1, bytes.size() / 2, size_t{100}, size_t{4}, size_t{0}}) {
    std::ofstream(folder / "cut.safetensors", std::ios::binary) << bytes.substr(0, size);
    ExpectError(load(folder / "cut.safetensors"), "cut.safetensors");
  }
  // Sound files whose description of the run is not.
  for (const std::string json :
       {R"({)", R"([])", R"({"stage": 1})",
        R"({"stage": 1, "step": -1, "loader_seed": "1", "loader_epoch": 0, "loader_position": 0, "seed": "1",
            "seconds": 0, "scenes": 0, "yaml": ""})",
        R"({"stage": 1, "step": 1, "loader_seed": "x", "loader_epoch": 0, "loader_position": 0, "seed": "1",
            "seconds": 0, "scenes": 0, "yaml": ""})"}) {
    WriteSafetensors(folder / "odd.safetensors", {},
                     {{"format", "pt"}, {"wildrayzer.config", "model: {}"}, {"wildrayzer.training", json}});
    ExpectError(load(folder / "odd.safetensors"), "the state of the training run is damaged");
  }
}

TEST(CheckpointStore, RefusesWhatItCannotWrite) {
  const fs::path folder = FreshFolder("store_refuse");
  std::ofstream(folder / "file") << "";
  ExpectError([&] { CheckpointStore(folder / "file" / "checkpoints", 1); }, "cannot be made");
  TrainingState state = SomeState(1);
  state.extra["odd"] = torch::zeros({2}, torch::kFloat64);
  EXPECT_THROW(CheckpointStore(folder, 1).Save(state), Error);
  EXPECT_FALSE(CheckpointStore(folder, 1).Newest());
}

TEST(ExportModel, WritesBothContainersAlike) {
  const fs::path folder = FreshFolder("store_export");
  const NamedParameters weights = SomeState(3).weights;
  for (const char* const file : {"model.safetensors", "model.pt"}) {
    ExportModel(folder / file, weights, "model: {}\n", torch::kBFloat16);
    const Checkpoint checkpoint = Checkpoint::Open(folder / file);
    for (const auto& [name, tensor] : weights) {
      const std::string stored = checkpoint.Has(name) ? name : "model." + name;
      ASSERT_TRUE(checkpoint.Has(stored)) << file << " " << name;
      const torch::Tensor expected = tensor.dim() >= 2 ? tensor.to(torch::kBFloat16) : tensor;
      EXPECT_EQ(checkpoint.Get(stored).scalar_type(), expected.scalar_type());
      EXPECT_TRUE(torch::equal(checkpoint.Get(stored), expected)) << file << " " << name;
    }
  }
}

}  // namespace
}  // namespace wildrayzer
