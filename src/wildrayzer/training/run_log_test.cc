#include "wildrayzer/training/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

void LogSteps(RunLog& log, int64_t first, int64_t last, double value) {
  for (int64_t step = first; step <= last; ++step) log.Scalar(step, "train/loss", value);
}

// (step, loss) of all entries that have a loss.
std::vector<std::pair<int64_t, double>> Losses(const fs::path& folder) {
  std::vector<std::pair<int64_t, double>> losses;
  for (const RunLogEntry& entry : ReadRunLog(folder / "log.jsonl")) {
    if (entry.scalars.contains("train/loss")) losses.emplace_back(entry.step, entry.scalars.at("train/loss"));
  }
  return losses;
}

TEST(RunLog, OneObjectAStep) {
  const fs::path folder = FreshFolder("objects") / "made" / "on the way";
  {
    RunLog log(folder);
    log.Text(0, "config", "steps: 3\n\"quoted\"");
    log.Scalar(1, "train/loss", 0.5);
    log.Scalar(1, "train/psnr", std::numeric_limits<double>::infinity());
    log.Image(1, "grid", Image(2, 3));
    log.Scalar(2, "train/loss", 0.25);
  }
  std::istringstream lines(ReadText(folder / "log.jsonl"));
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_THAT(all[0], HasSubstr("\"start\":true"));
  EXPECT_THAT(all[1], HasSubstr(R"("config":"steps: 3\n\"quoted\"")"));
  EXPECT_THAT(all[2], ::testing::StartsWith("{\"step\":1,\"time\":"));
  EXPECT_THAT(all[2], HasSubstr("\"train/loss\":0.5,\"train/psnr\":null"));
  const std::vector<RunLogEntry> entries = ReadRunLog(folder / "log.jsonl");
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_TRUE(std::isnan(entries[2].scalars.at("train/psnr")));
  EXPECT_GT(entries[2].time, 1.6e9);

  const std::vector<Event> events = ReadEventFolder(folder);
  ASSERT_EQ(events.size(), 5u);  // version, session start, steps 0, 1, 2
  EXPECT_EQ(events[2].values[0].bytes, "steps: 3\n\"quoted\"");
  ASSERT_EQ(events[3].values.size(), 3u);
  EXPECT_EQ(DecodeImage(std::as_bytes(std::span(events[3].values[0].bytes)), "grid"), Image(2, 3));
  EXPECT_EQ(events[3].values[1].scalar, 0.5f);
}

TEST(RunLog, ResumingDropsWhatWillComeAgain) {
  const fs::path folder = FreshFolder("resume");
  {
    RunLog log(folder);
    LogSteps(log, 1, 5, 1.0);
  }
  std::ofstream(folder / "log.jsonl", std::ios::app) << "{\"step\":6,\"time\":1,\"train/lo";
  {
    RunLog log(folder, 3);
    LogSteps(log, 4, 4, 2.0);
  }
  EXPECT_THAT(Losses(folder),
              ElementsAre(std::pair(1, 1.0), std::pair(2, 1.0), std::pair(3, 1.0), std::pair(4, 2.0)));
  EXPECT_EQ(ReadRunLog(folder / "log.jsonl").size(), 6u);  // and two starts
  std::vector<float> scalars;
  for (const Event& event : ReadEventFolder(folder)) {
    for (const EventValue& value : event.values) scalars.push_back(value.scalar);
  }
  EXPECT_THAT(scalars, ElementsAre(1, 1, 1, 2));
  { RunLog log(folder); }
  EXPECT_TRUE(Losses(folder).empty());
}

// A cut at any byte leaves a log that resumes, with every step that was complete.
TEST(RunLog, AnyCutIsRepaired) {
  const fs::path folder = FreshFolder("cut");
  {
    RunLog log(folder);
    LogSteps(log, 1, 2, 1.0);
  }
  const std::string whole = ReadText(folder / "log.jsonl");
  for (size_t size = 0; size <= whole.size(); ++size) {
    std::ofstream(folder / "log.jsonl", std::ios::trunc) << whole.substr(0, size);
    const size_t complete = Losses(folder).size();
    {
      RunLog log(folder, 2);
      log.Scalar(3, "train/loss", 3.0);
    }
    const auto losses = Losses(folder);
    ASSERT_EQ(losses.size(), complete + 1) << size;
    EXPECT_EQ(losses.back(), (std::pair<int64_t, double>(3, 3.0))) << size;
  }
}

TEST(RunLog, KillLosesTheOpenStepOnly) {
  const fs::path folder = FreshFolder("kill");
  const pid_t child = ::fork();
  if (child == 0) {
    RunLog log(folder);
    LogSteps(log, 1, 100, 1.0);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(Losses(folder).size(), 99u);
  size_t scalars = 0;
  for (const Event& event : ReadEventFolder(folder)) scalars += event.values.size();
  EXPECT_EQ(scalars, 99u);
}

TEST(RunLog, ForeignLinesArePassedOver) {
  const fs::path folder = FreshFolder("foreign");
  fs::create_directories(folder);
  std::ofstream(folder / "log.jsonl") << "{\"step\":1,\"train/loss\":4}\nnot json\n[1]\n{\"loss\":1}\n"
                                      << "{\"step\":1,\"train/psnr\":9,\"other\":[1,2]}\n{\"step\":\"2\"}\n";
  const std::vector<RunLogEntry> entries = ReadRunLog(folder / "log.jsonl");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].scalars.at("train/loss"), 4);
  EXPECT_EQ(entries[0].scalars.at("train/psnr"), 9);
  EXPECT_THROW(ReadRunLog(folder / "absent.jsonl"), FileError);
}

TEST(RunLog, MisuseIsAnError) {
  RunLog log(FreshFolder("misuse"));
  log.Scalar(5, "a", 1);
  EXPECT_THROW(log.Scalar(4, "a", 1), Error);
  EXPECT_THROW(log.Scalar(5, "step", 1), Error);
  EXPECT_THROW(log.Image(5, "empty", Image()), Error);
  const fs::path file = FreshFolder("file") / "occupied";
  std::ofstream(file) << "x";
  EXPECT_THROW(RunLog{file}, FileError);
}

}  // namespace
}  // namespace wildrayzer
