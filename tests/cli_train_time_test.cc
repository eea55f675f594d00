// The train command with a limit of time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "train_run.h"
#include "wildrayzer/io/safetensors.h"

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

}  // namespace
}  // namespace wildrayzer
