#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/config.h"
#include "wildrayzer/util/duration.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/progress.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

size_t CountEntries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, AppearsOnlyOnCommit) {
  const fs::path folder = FreshFolder("atomic");
  {
    AtomicFile abandoned(folder / "a.txt");
    abandoned.Write("half");
    EXPECT_FALSE(fs::exists(folder / "a.txt"));
  }
  EXPECT_EQ(CountEntries(folder), 0u);
  WriteFileAtomically(folder / "a.txt", "whole");
  EXPECT_EQ(ReadText(folder / "a.txt"), "whole");
  EXPECT_EQ(CountEntries(folder), 1u);
}

TEST(AtomicFile, IsShortenedAndWrittenOver) {
  const fs::path folder = FreshFolder("atomic_over");
  AtomicFile file(folder / "a.txt");
  file.Write("head, a long tail");
  file.Truncate(6);
  EXPECT_EQ(file.size(), 6u);
  file.Write("end");
  file.Overwrite(0, "HEAD");
  EXPECT_THROW(file.Overwrite(6, "more"), Error);
  EXPECT_THROW(file.Overwrite(UINT64_MAX, "x"), Error);
  EXPECT_THROW(file.Truncate(10), FileError);
  file.Commit();
  EXPECT_EQ(ReadText(folder / "a.txt"), "HEAD, end");
}

TEST(AtomicFile, KeepsTheOldFileWhenTheDiskIsFull) {
  const fs::path folder = FreshFolder("full");
  WriteFileAtomically(folder / "a.txt", "old");
  // A file-size limit fails writes the way a full disk does.
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(WriteFileAtomically(folder / "a.txt", std::string(100000, 'x')), FileError);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  EXPECT_EQ(ReadText(folder / "a.txt"), "old");
  EXPECT_EQ(CountEntries(folder), 1u);
}

TEST(AtomicFile, NamesTheMissingFolder) {
  try {
    AtomicFile file("/nonexistent/folder/a.txt");
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/folder/a.txt"));
  }
}

TEST(AtomicFile, LeftoversOfAKilledRunDoNotMatter) {
  const fs::path folder = FreshFolder("atomic_leftover");
  // The names that this process will try first.
  const std::string last = TemporarySibling(folder / "a.txt").string();
  const size_t number = last.rfind('-') + 1;
  for (int i = 1; i <= 3; ++i) {
    std::ofstream(last.substr(0, number) + std::to_string(std::stoi(last.substr(number)) + i) + ".txt");
  }
  ASSERT_EQ(CountEntries(folder), 3u);
  WriteFileAtomically(folder / "a.txt", "whole");
  EXPECT_EQ(ReadText(folder / "a.txt"), "whole");
  EXPECT_EQ(CountEntries(folder), 4u);
}

TEST(Duration, NumbersAndUnits) {
  EXPECT_EQ(ParseDuration("540"), 540.0);
  EXPECT_EQ(ParseDuration("90s"), 90.0);
  EXPECT_EQ(ParseDuration("9min"), 540.0);
  EXPECT_EQ(ParseDuration("1.5 h"), 5400.0);
  for (const char* const bad : {"", "h", "soon", "9 minutes", "-3h", "inf", "nan", "3h20", "9min "})
    EXPECT_FALSE(ParseDuration(bad)) << bad;
}

TEST(Config, OverridesAndUnusedKeys) {
  Config config = Config::Parse("model:\n  transformer: {d: 768, d_head: 64}\n  typo: 1\n", "test.yaml");
  config.Override("model.transformer.d=96");
  config.Override("training.lr=1e-4");
  EXPECT_EQ(config.Get<int>("model.transformer.d", 0), 96);
  EXPECT_EQ(config.Get<int>("model.transformer.d_head", 0), 64);
  EXPECT_DOUBLE_EQ(config.Get<double>("training.lr", 0), 1e-4);
  EXPECT_EQ(config.Get<int>("model.absent", 7), 7);
  EXPECT_THAT(config.UnusedKeys(), ElementsAre("model.typo"));
  EXPECT_THROW(config.Override("nonsense"), UsageError);
  EXPECT_THROW(config.Get<int>("model.transformer", 0), Error);
}

TEST(Config, RefusesHostileText) {
  EXPECT_THROW(Config::Parse(std::string(100000, '['), "deep.yaml"), FileError);
  EXPECT_THROW(Config::Parse("a: [1, 2", "open.yaml"), FileError);
  EXPECT_THROW(Config::Parse("- 1\n- 2\n", "list.yaml"), FileError);
}

TEST(Random, MatchesPublishedSplitMix64) {
  // First outputs of SplitMix64 with seed 1234567 (Vigna's reference implementation, as quoted in its test
  // suites).
  Random random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317ULL);
  EXPECT_EQ(random.Next(), 3203168211198807973ULL);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8ULL);
}

TEST(Random, NormalHasUnitVariance) {
  Random random(3, "stream");
  double sum = 0, squares = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Normal();
    sum += x;
    squares += x * x;
  }
  // Standard errors: 1/sqrt(n) = 0.0022 and sqrt(2/n) = 0.0032; five of them.
  EXPECT_NEAR(sum / kDraws, 0.0, 0.011);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.016);
}

TEST(Progress, AStageOfManyTimesCountsAsOneWithAllItsSeconds) {
  Progress progress(/*enabled=*/false);
  const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  for (int window = 0; window < 3; ++window) {
    progress.Stage("reading");
    wait();
    progress.Stage("masks");
  }
  progress.Finish();
  ASSERT_EQ(progress.seconds().size(), 2u);
  EXPECT_EQ(progress.seconds()[0].first, "reading");
  EXPECT_GE(progress.seconds()[0].second, 0.06);
  EXPECT_EQ(progress.seconds()[1].first, "masks");
}

TEST(Sha256, MatchesFips180) {
  Sha256 hash;
  hash.Update("abc", 3);
  EXPECT_EQ(hash.Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace wildrayzer
