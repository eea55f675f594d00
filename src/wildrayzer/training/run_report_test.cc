#include "wildrayzer/training/run_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/training/run_log.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReadText;

void WriteLines(const fs::path& folder, const std::string& lines) {
  fs::create_directories(folder);
  std::ofstream(folder / "log.jsonl") << lines;
}

// Two stages of 40 and 10 steps; the first was resumed at step 2 after a pause of 1000 s.
fs::path TwoStages(const std::string& name) {
  const fs::path folder = FreshFolder(name);
  std::string first =
      "{\"step\":0,\"time\":1000,\"start\":true}\n"
      "{\"step\":1,\"time\":1003,\"train/loss\":100}\n"
      "{\"step\":2,\"time\":1005,\"train/loss\":50,\"validation/loss\":60,\"seed\":\"7\"}\n"
      "{\"step\":2,\"time\":2005,\"start\":true}\n";
  for (int step = 3; step <= 40; ++step) {
    first += fmt::format("{{\"step\":{},\"time\":{},\"train/loss\":{}}}\n", step, 2003 + step, 100.0 / step);
  }
  WriteLines(folder / "stage1", first);
  WriteLines(
      folder / "stage2",
      "{\"step\":0,\"time\":3000,\"start\":true}\n"
      "{\"step\":10,\"time\":3020,\"train/loss\":1,\"train/psnr\":null,\"config\":\"a: <1>\\nb: 2\"}\n");
  return folder;
}

TEST(RunReport, FindsTheStagesInOrder) {
  const fs::path folder = TwoStages("find");
  WriteLines(folder / "stage3" / "logs", "");
  WriteLines(folder / "stage3" / "logs" / "too-deep", "");
  EXPECT_THAT(FindRunLogs(folder),
              ElementsAre(folder / "stage1", folder / "stage2", folder / "stage3" / "logs"));
  EXPECT_THAT(FindRunLogs(folder / "stage1"), ElementsAre(folder / "stage1"));
}

TEST(RunReport, TellsTimesWithoutPauses) {
  const std::string page = RunReportHtml(TwoStages("times"));
  // 3 + 2 s, a pause, then 1 + 37 s: 43 s for 40 steps.
  EXPECT_THAT(page, HasSubstr("<td>stage1</td><td>40</td><td>2</td><td>43.0 s</td><td>0.93</td>"
                              "<td>1970-01-01 00:16:40 UTC</td>"));
  EXPECT_THAT(page, HasSubstr("<td>stage2</td><td>10</td><td>1</td><td>20.0 s</td><td>0.5</td>"));
  EXPECT_THAT(page, HasSubstr("63.0 s in all"));
}

TEST(RunReport, DrawsStagesSideBySide) {
  const std::string page = RunReportHtml(TwoStages("curves"));
  EXPECT_THAT(page, HasSubstr("<td>train/loss</td><td>2.5</td><td>1</td>"));
  EXPECT_THAT(page, HasSubstr("<td>validation/loss</td><td>60</td><td>-</td>"));
  EXPECT_THAT(page, HasSubstr("<td>train/psnr</td><td>-</td><td>-</td>"));
  // One chart "loss" with two lines; its x axis ends at 50 steps, so stage 2 begins at 4/5 of 412 pixels.
  EXPECT_THAT(page, HasSubstr("font-weight=\"600\">loss</text>"));
  EXPECT_THAT(page, HasSubstr("M385.6 24.0V"));
  EXPECT_THAT(page, HasSubstr(">validation/loss</text>"));
  EXPECT_THAT(page, HasSubstr("<summary>config</summary><pre>a: &lt;1&gt;\nb: 2</pre>"));
  EXPECT_THAT(page, HasSubstr("<li>seed: 7</li>"));
  for (const char* outside : {"http://", "https://", "src=\"/", "<link", "nan", "inf,"})
    EXPECT_THAT(page, Not(HasSubstr(outside))) << outside;
}

TEST(RunReport, ShowsFirstMiddleAndLastPicture) {
  const fs::path folder = FreshFolder("pictures");
  const auto picture = [](int64_t step) { return Image(static_cast<int>(step) + 1, 1); };
  {
    RunLog log(folder);
    for (int64_t step = 0; step <= 30; ++step) {
      log.Scalar(step, "train/loss", 1);
      if (step % 5 == 0) log.Image(step, "grid", picture(step));
    }
  }
  {
    RunLog log(folder, 20);  // steps 25 and 30 are void
    log.Scalar(21, "train/loss", 1);
  }
  WriteRunReport(folder, "Title & more");
  const std::string page = ReadText(folder / "report.html");
  EXPECT_THAT(page, HasSubstr("<h1>Title &amp; more</h1>"));
  for (int64_t step = 0; step <= 30; step += 5) {
    const std::string data = "data:image/png;base64," + Base64(EncodePng(picture(step))) + "\"";
    const bool shown = step == 0 || step == 10 || step == 20;
    EXPECT_EQ(page.find(data) != std::string::npos, shown) << step;
    EXPECT_EQ(page.find(fmt::format("<figcaption>step {}<", step)) != std::string::npos, shown) << step;
  }
}

TEST(RunReport, SummaryTellsFirstAndLastValues) {
  const fs::path folder = FreshFolder("summary");
  // By name "warmup" comes after "stage1", but it was first.
  WriteLines(folder / "warmup",
             "{\"step\":0,\"time\":10,\"start\":true}\n"
             "{\"step\":2,\"time\":15,\"train/world_match_r2\":-0.5,\"train/scenes\":32}\n"
             "{\"step\":4,\"time\":20,\"train/world_match_r2\":0.25,\"train/scenes\":64}\n");
  WriteLines(folder / "stage1",
             "{\"step\":0,\"time\":100,\"start\":true}\n"
             "{\"step\":0,\"time\":101,\"validation/psnr\":10.5,\"validation/mean_input_psnr\":17}\n"
             "{\"step\":3,\"time\":131,\"validation/psnr\":18.125,\"validation/mean_input_psnr\":17,"
             "\"train/psnr\":null}\n"
             "{\"step\":3,\"time\":900,\"start\":true}\n");
  WriteRunReport(folder);
  EXPECT_EQ(
      ReadText(folder / "summary.md"),
      "| stage | steps | seconds | sessions | scenes | first and last values |\n"
      "|---|---|---|---|---|---|\n"
      "| warmup | 4 | 10 | 1 | 64 | match R2 on worlds -0.5 to 0.25 |\n"
      "| stage1 | 3 | 31 | 2 | - | validation PSNR 10.5 to 18.12; that of the mean of the inputs 17 |\n");
  const std::string page = ReadText(folder / "report.html");
  EXPECT_LT(page.find("<td>warmup</td>"), page.find("<td>stage1</td>"));
}

TEST(RunReport, NoLogIsAClearError) {
  const fs::path folder = FreshFolder("none");
  try {
    RunReportHtml(folder);
    FAIL() << "a report of nothing";
  } catch (const FileError& error) {
    EXPECT_EQ(error.problem(), "holds no log.jsonl; give the folder of a training run");
  }
  EXPECT_THROW(RunReportHtml(folder / "absent"), FileError);
}

TEST(RunReport, EmptyLogStillHasAPage) {
  const fs::path folder = FreshFolder("empty");
  WriteLines(folder, "");
  EXPECT_THAT(RunReportHtml(folder), HasSubstr("<td>run</td><td>0</td>"));
}

}  // namespace
}  // namespace wildrayzer
