#include "wildrayzer/evaluation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "wildrayzer/evaluation/results_json.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

SceneResult Scene(const std::string& name, std::vector<double> psnr, const Confusion& mask) {
  SceneResult scene{.scene = name,
                    .failure = "",
                    .seconds = 1.5,
                    .images = {},
                    .masks = {},
                    .cameras = {{"camera_auc_30", 0.25}}};
  for (size_t i = 0; i < psnr.size(); ++i) {
    scene.images.push_back({static_cast<int>(i), {{"psnr", psnr[i]}, {"psnr_static", psnr[i] + 1}}});
  }
  MaskResult result{.frame = 0, .is_input = true, .counts = mask, .sweep = {}};
  result.sweep.assign(SweepThresholds().size(), mask);
  scene.masks = {result};
  return scene;
}

SceneResult Failed(const std::string& name, const std::string& why) {
  SceneResult scene;
  scene.scene = name;
  scene.failure = why;
  return scene;
}

// Two methods on two scenes each; the second method fails on one.
EvaluationResult Example() {
  const Confusion half = {
      .true_positive = 50, .false_positive = 0, .false_negative = 50, .true_negative = 100};
  MethodResult ours{.name = "ours", .title = "Ours", .note = "the model", .scenes = {}};
  ours.scenes = {Scene("a", {20, 22}, half), Scene("b", {30, kNaN}, half)};
  MethodResult other{.name = "other", .title = "Other <b>", .note = "another", .scenes = {}};
  other.scenes = {Scene("a", {24, 24}, half), Failed("b", "no such \"file\", sorry")};
  SettingResult two{.label = "2 views",
                    .protocol = "iphone",
                    .data = "Pairs",
                    .num_inputs = 2,
                    .mask_threshold = 0.1,
                    .methods = {ours, other}};
  SettingResult three = two;
  three.label = "3 views";
  three.methods.pop_back();
  EvaluationResult evaluation;
  evaluation.title = "Test";
  evaluation.absent = {{"lpips", "no weights given"}};
  evaluation.facts = {{"weights", "random"}};
  evaluation.settings = {two, three};
  return evaluation;
}

TEST(Results, MeansAreOfScenesThatSucceeded) {
  const EvaluationResult evaluation = Example();
  const MethodSummary ours = Summarise(evaluation.settings[0].methods[0], 1);
  // Scene means 21 and 30 (the NaN image is left out), not the mean of images 24.
  EXPECT_DOUBLE_EQ(ours.scores.at("psnr").over_scenes.mean, 25.5);
  EXPECT_EQ(ours.scores.at("psnr").images, 3);
  EXPECT_EQ(ours.scores.at("psnr").skipped_images, 1);
  EXPECT_DOUBLE_EQ(ours.scores.at("mask_iou").over_scenes.mean, 0.5);
  EXPECT_DOUBLE_EQ(ours.micro_masks.recall, 0.5);
  EXPECT_EQ(ours.sweep.front().true_positive, 100);
  const MethodSummary other = Summarise(evaluation.settings[0].methods[1], 1);
  EXPECT_EQ(other.failed, 1);
  EXPECT_EQ(other.scores.at("psnr").over_scenes.counted, 1);
  EXPECT_DOUBLE_EQ(other.scores.at("psnr").over_scenes.mean, 24);
  EXPECT_FALSE(other.scores.contains("lpips"));
}

TEST(Results, ScenesSurviveJson) {
  const SceneResult scene = Example().settings[0].methods[0].scenes[1];
  const std::string text = SceneToJson(scene).dump();
  const SceneResult back = SceneFromJson(nlohmann::json::parse(text), "scene.json");
  EXPECT_EQ(SceneToJson(back).dump(), text);
  EXPECT_TRUE(std::isnan(back.images[1].scores.at("psnr")));
  EXPECT_EQ(back.masks[0].sweep.size(), SweepThresholds().size());
}

TEST(Results, RefuseForeignJson) {
  for (const char* text : {"{}", "[]", "{\"scene\": 3}",
                           "{\"scene\":\"a\",\"failure\":\"\",\"seconds\":1,\"images\":[],\"masks\":[{"
                           "\"frame\":0,\"input\":true,"
                           "\"counts\":[-1,0,0,0],\"sweep\":[]}],\"cameras\":{}}"}) {
    EXPECT_THROW(SceneFromJson(nlohmann::json::parse(text), "scene.json"), FileError) << text;
  }
}

TEST(Report, JsonHoldsEveryNumber) {
  const nlohmann::json json = EvaluationToJson(Example());
  const auto& method = json.at("settings").at(0).at("methods").at(0);
  EXPECT_DOUBLE_EQ(method.at("summary").at("psnr").at("mean"), 25.5);
  EXPECT_EQ(method.at("summary").at("psnr").at("images_skipped"), 1);
  EXPECT_TRUE(method.at("scenes").at(1).at("images").at(1).at("scores").at("psnr").is_null());
  EXPECT_EQ(method.at("threshold_sweep").size(), SweepThresholds().size());
  EXPECT_DOUBLE_EQ(method.at("best_threshold"), 0.02);  // all are alike
  EXPECT_DOUBLE_EQ(method.at("micro_masks").at("iou"), 0.5);
  EXPECT_EQ(json.at("settings").at(0).at("methods").at(1).at("scenes_failed").at(0).at("scene"), "b");
  EXPECT_EQ(json.at("absent").at("lpips"), "no weights given");
}

TEST(Report, TablesFollowThePaper) {
  const std::vector<Table> tables = PaperTables(Example());
  ASSERT_EQ(tables.size(), 4u);  // whole frame, static region, masks, cameras
  const Table& frame = tables[0];
  EXPECT_EQ(frame.groups, (std::vector<std::string>{"2 views", "3 views"}));
  EXPECT_EQ(frame.columns, (std::vector<std::string>{"PSNR ↑"}));  // nothing else was measured
  ASSERT_EQ(frame.rows.size(), 2u);
  EXPECT_EQ(frame.rows[0].cells[0].text, "25.50");
  EXPECT_EQ(frame.rows[0].cells[0].interval, "21.00 .. 30.00");
  EXPECT_TRUE(frame.rows[0].cells[0].best);
  EXPECT_FALSE(frame.rows[0].cells[1].best);  // alone
  EXPECT_EQ(frame.rows[1].cells[0].text, "24.00");
  EXPECT_EQ(frame.rows[1].cells[0].interval, "");
  EXPECT_FALSE(frame.rows[1].cells[0].best);
  EXPECT_EQ(frame.rows[1].cells[1].text, "-");  // not run with 3 views
  EXPECT_EQ(tables[2].rows[0].cells[0].text, "50.0");
  EXPECT_THAT(tables[2].notes,
              ::testing::Contains("Ours, 2 views: scored at the threshold 0.1; the IoU of all "
                                  "pixels together is highest at 0.02 (50.0 %)"));
  EXPECT_THAT(frame.notes, ::testing::Contains(HasSubstr("Other <b>, 2 views: 1 of 2 scenes failed")));
  EXPECT_THAT(frame.notes, ::testing::Contains(HasSubstr("Ours, 2 views: 1 of 4 images")));
}

TEST(Report, WhatHoldsForAllIsSaidOnce) {
  EvaluationResult evaluation = Example();
  evaluation.settings[0].methods[1].scenes = evaluation.settings[0].methods[0].scenes;
  const Table frame = PaperTables(evaluation)[0];
  EXPECT_THAT(frame.notes,
              ::testing::ElementsAre("2 views: 1 of 4 images have no such pixels and are in no mean",
                                     "Ours, 3 views: 1 of 4 images have no such pixels and are in no mean"));
  EXPECT_FALSE(frame.rows[0].cells[0].best);  // equal, so neither is best
  EXPECT_FALSE(frame.rows[1].cells[0].best);
}

TEST(Report, MarkdownAndCsvAreWellFormed) {
  const std::string markdown = MarkdownReport(Example());
  EXPECT_THAT(markdown, HasSubstr("| Ours | **25.50** | 25.50 |"));
  EXPECT_THAT(markdown, HasSubstr("| Other \\<b> | 24.00 |"));
  EXPECT_THAT(markdown, HasSubstr("lpips: no weights given"));
  EXPECT_THAT(markdown, HasSubstr("Other \\<b>, b: no such"));
  const std::string csv = CsvReport(Example());
  EXPECT_THAT(csv, HasSubstr("\"2 views\",\"iphone\",\"ours\",\"all scenes\",psnr,25.5,21,30,2,0,3,1\r\n"));
  EXPECT_THAT(csv, HasSubstr("\"2 views\",\"iphone\",\"ours\",\"b\",psnr,30,30,30,1,1,1,1\r\n"));
}

TEST(Report, HtmlIsSelfContainedAndEscaped) {
  GalleryScene gallery{.setting = "2 views", .scene = "<script>alert(1)</script>", .rows = {}};
  gallery.rows.push_back({"inputs", {{"frame \"0\"", Image(8, 8)}}});
  const std::string page = HtmlReport(Example(), {gallery});
  EXPECT_THAT(page, HasSubstr("Other &lt;b&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("data:image/jpeg;base64,/9j/"));
  EXPECT_THAT(page, HasSubstr("<polyline"));
  EXPECT_THAT(page, HasSubstr("failed: no such &quot;file&quot;, sorry"));
  EXPECT_THAT(page, HasSubstr("<td data-value=\"21\">21.00</td>"));
  for (const char* outside : {"http://", "https://", "src=\"/", "<link"})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
}

TEST(Report, WritesFourFiles) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "wildrayzer_report_test";
  std::filesystem::remove_all(folder);
  WriteReport(folder, Example(), {});
  std::ifstream stream(folder / "results.json");
  EXPECT_EQ(nlohmann::json::parse(stream).at("title"), "Test");
  for (const char* name : {"results.csv", "results.md", "report.html"})
    EXPECT_TRUE(std::filesystem::exists(folder / name));
  std::filesystem::remove_all(folder);
}

TEST(Report, NoCurvesWithoutProbabilities) {
  EvaluationResult evaluation = Example();
  for (MethodResult& method : evaluation.settings[0].methods) {
    for (SceneResult& scene : method.scenes) {
      for (MaskResult& mask : scene.masks) mask.sweep.clear();
    }
  }
  EXPECT_EQ(ThresholdCurves(evaluation.settings[0]), "");
}

}  // namespace
}  // namespace wildrayzer
