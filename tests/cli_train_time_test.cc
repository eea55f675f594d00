// The train command with a limit of time, and with weights that are exported every so often.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "train_run.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/tensor_files.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

double SecondsOf(const fs::path& checkpoint) {
  return nlohmann::json::parse(OpenSafetensors(checkpoint).metadata().at("wildrayzer.training"))
      .at("seconds")
      .get<double>();
}

TEST(TimedTraining, EndsWithTheTimeAndTheRateGone) {
  const fs::path root = FreshFolder("timed");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n");
  const auto run = [&](const char* budget) {
    return RunProgram(TrainArguments(
        config, root / "run", {"--stage", "1", "--resume", std::string("training.time_budget=") + budget}));
  };
  const ProgramResult first = run("2s");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("(100 %)"));
  const auto rates = ReadCurve(root / "run", "train/lr");
  ASSERT_GT(rates.size(), 3U);
  EXPECT_GT(rates.front().second, 0.5 * 3e-3);
  for (size_t i = 1; i < rates.size(); ++i) EXPECT_LT(rates[i].second, rates[i - 1].second);
  EXPECT_LT(rates.back().second, 0.5 * 3e-3);
  const double seconds = SecondsOf(Checkpoints(root / "run").back());
  EXPECT_GE(seconds, 2.0);

  // What the first session took counts in the second, which has the rest of a longer time.
  fs::remove(root / "run" / "model.safetensors");
  const ProgramResult second = run("4s");
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_GE(SecondsOf(Checkpoints(root / "run").back()), 4.0);
  const auto longer = ReadCurve(root / "run", "train/lr");
  ASSERT_GT(longer.size(), rates.size());
  EXPECT_LT(longer[rates.size()].second, 0.75 * 3e-3);  // half of the time is over: half of the rate is left
}

TEST(TimedTraining, StepsRemainABound) {
  const fs::path root = FreshFolder("timed_steps");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n");
  const ProgramResult result = RunProgram(TrainArguments(
      config, root / "run", {"--stage", "1", "training.time_budget=1h", "training.train_steps=3"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(ReadCurve(root / "run", "train/lr").size(), 3U);
}

// All tensors of the shards as float32: a bfloat16 is the upper half of one.
std::map<std::string, StoredTensor> ReadShards(const fs::path& folder) {
  std::map<std::string, StoredTensor> tensors;
  for (const TensorFile& file : OpenTensorFiles(folder).files) {
    for (const TensorEntry& entry : file.tensors()) {
      StoredTensor& tensor = tensors[entry.name];
      tensor.shape = entry.shape;
      std::string bytes;
      entry.Stream([&](std::span<const std::byte> part) {
        bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
      });
      EXPECT_EQ(entry.dtype, entry.shape.size() >= 2 ? DType::kBF16 : DType::kF32) << entry.name;
      if (entry.dtype == DType::kF32) {
        tensor.bytes = bytes;
        continue;
      }
      for (size_t i = 0; i < bytes.size(); i += 2) tensor.bytes += std::string(2, '\0') + bytes.substr(i, 2);
    }
  }
  return tensors;
}

// Another run begins with exactly the numbers that are in the shards: the averaged weights in the end.
TEST(ExportedWeights, AreTheModelAndTheStartOfAnotherRun) {
  const fs::path root = FreshFolder("exported");
  const fs::path config = WriteTrainConfig(root / "config.yaml");
  const auto run = [&](const char* name, std::vector<std::string> settings) {
    settings.insert(settings.end(), {"--stage", "1"});
    return RunProgram(TrainArguments(config, root / name, settings));
  };
  const ProgramResult first =
      run("first", {"training.train_steps=4", "training.ema_decay=0.9", "training.export_every=1h"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto shards = ReadShards(root / "first" / "shards");
  const auto model = ReadTensors(root / "first" / "model.safetensors");
  ASSERT_EQ(shards.size(), model.size());
  for (const auto& [name, tensor] : model) {
    ASSERT_EQ(shards.at(name).bytes.size(), tensor.bytes.size()) << name;
    for (size_t i = 0; i < tensor.bytes.size(); i += 4) {
      float exact = 0, rounded = 0;
      std::memcpy(&exact, &tensor.bytes[i], 4);
      std::memcpy(&rounded, &shards.at(name).bytes[i], 4);
      ASSERT_LE(std::abs(rounded - exact), 0x1p-8 * std::abs(exact)) << name;
    }
  }
  const ProgramResult second =
      run("second", {"training.train_steps=1", "training.lr=0",
                     "training.init_checkpoint=" + (root / "first" / "shards").string()});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(ReadTensors(root / "second" / "model.safetensors"), shards);
}

TEST(ExportedWeights, AreThereWhileTheRunGoesOn) {
  const fs::path root = FreshFolder("exported_often");
  const fs::path config = WriteTrainConfig(root / "config.yaml");
  const fs::path run = root / "run";
  const auto arguments = [&](int steps) {
    return TrainArguments(config, run,
                          {"--stage", "1", "--resume", "training.export_every=1s",
                           "training.train_steps=" + std::to_string(steps)});
  };
  {
    RunningProgram program(arguments(100'000));
    while (!program.Ended() && !fs::exists(run / "shards")) ::usleep(1000);
    EXPECT_GT(ReadShards(run / "shards").size(), 50U);
    program.Kill();
    ASSERT_EQ(program.Wait().exit_code, 128 + SIGKILL);
  }
  // It was killed before there was a checkpoint, and may begin again in the same folder.
  ASSERT_TRUE(Checkpoints(run).empty());
  const ProgramResult again = RunProgram(arguments(2));
  EXPECT_EQ(again.exit_code, 0) << again.err;

  fs::create_directories(root / "other" / "shards");
  WriteFileAtomically(root / "other" / "shards" / "notes.txt", "mine");
  const ProgramResult refused =
      RunProgram(TrainArguments(config, root / "other", {"--stage", "1", "training.export_every=1s"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("notes.txt"));
  EXPECT_TRUE(fs::exists(root / "other" / "shards" / "notes.txt"));
}

}  // namespace
}  // namespace wildrayzer
