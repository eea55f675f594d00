// The eval command, run as a user runs it: from options, from the release's YAML, and given nonsense.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bad_input.h"
#include "eval_run.h"
#include "run_program.h"
#include "wildrayzer/io/safetensors.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// The safetensors file `from` with zeros in all tensors whose names begin like this.
void WriteWithZeros(const fs::path& from, const std::string& prefix, const fs::path& to) {
  const TensorFile file = OpenSafetensors(from);
  std::vector<TensorSource> tensors;
  int zeros = 0;
  for (const TensorEntry& entry : file.tensors()) {
    tensors.push_back(TensorSource::Of(entry));
    if (entry.name.rfind(prefix, 0) != 0) continue;
    ++zeros;
    tensors.back().stream = [size = static_cast<size_t>(entry.byte_size())](const ByteSink& sink) {
      sink(std::vector<std::byte>(size));
    };
  }
  ASSERT_GT(zeros, 0) << prefix;
  WriteSafetensors(to, std::move(tensors), file.metadata());
}

TEST(Eval, TheReleasesFileNeedsNoOtherOption) {
  const fs::path root = FreshFolder("eval_yaml");
  WritePairs(root);
  WriteFileAtomically(root / "inference.yaml", ReleaseYaml(root));
  const ProgramResult result = RunProgram({"eval", "--config", root / "inference.yaml"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("inference.yaml: keys without effect on an evaluation (5): training.square_crop, "
                        "inference.if_inference, inference.render_video, "
                        "inference.render_video_config.traj_type, "
                        "inference.render_video_config.num_frames\n"));
  EXPECT_THAT(Tree(root / "results"),
              IsSupersetOf({"results.json", "results.csv", "results.md", "report.html", "evaluation.json"}));
  const nlohmann::json results = Results(root / "results");
  ASSERT_EQ(results.at("settings").size(), 1u);
  const nlohmann::json& setting = results["settings"][0];
  EXPECT_EQ(setting.at("label"), "2 views");
  EXPECT_EQ(setting.at("methods").size(), 5u);  // the floors
  // The masks were found: the protocol asks for both regions.
  const nlohmann::json& summary = setting["methods"][0].at("summary");
  EXPECT_TRUE(summary.contains("psnr_transient"));
  EXPECT_EQ(summary.at("psnr").at("images"), 4);
  EXPECT_FALSE(summary.contains("lpips"));
  EXPECT_EQ(results.at("absent").at("LPIPS"), "no weights given (--lpips-vgg and --lpips-heads)");

  // Masks that are named but neither there nor asked for are done without.
  const ProgramResult bare = RunProgram({"eval", "--config", root / "inference.yaml", "--out", root / "bare",
                                         "inference.motion_mask_root={default: nowhere}"});
  ASSERT_EQ(bare.exit_code, 0) << bare.err;
  EXPECT_THAT(bare.err, HasSubstr("nowhere: is no folder; there are no true motion masks"));
  EXPECT_FALSE(Results(root / "bare")["settings"][0]["methods"][0]["summary"].contains("psnr_transient"));

  // The same from options alone gives the same numbers.
  const ProgramResult options = RunProgram(PairsArguments(root, "64", root / "by_options", {}));
  ASSERT_EQ(options.exit_code, 0) << options.err;
  EXPECT_EQ(Scores(root / "by_options"), Scores(root / "results"));
}

TEST(Eval, OptionsGoBeforeOverridesBeforeTheFile) {
  const fs::path root = FreshFolder("eval_precedence");
  WritePairs(root);
  WriteFileAtomically(root / "a.yaml",
                      ReleaseYaml(root, "evaluation: {protocol: dre10k, gallery: 0, scenes: 1}\n"));
  const ProgramResult file =
      RunProgram({"-q", "eval", "--config", root / "a.yaml", "evaluation.out=" + (root / "file").string()});
  ASSERT_EQ(file.exit_code, 0) << file.err;
  EXPECT_EQ(Results(root / "file")["settings"][0]["protocol"], "dre10k");
  EXPECT_EQ(Results(root / "file")["settings"][0]["methods"][0]["scenes"].size(), 1u);
  const ProgramResult both =
      RunProgram({"-q", "eval", "--config", root / "a.yaml", "evaluation.inputs=[2, 3]",
                  "evaluation.scenes=2", "--protocol", "iphone", "--out", root / "both"});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  const nlohmann::json results = Results(root / "both");
  ASSERT_EQ(results["settings"].size(), 2u);
  EXPECT_EQ(results["settings"][1]["label"], "3 views");
  EXPECT_EQ(results["settings"][1]["protocol"], "iphone");
  EXPECT_EQ(results["settings"][1]["methods"][0]["scenes"].size(), 2u);
}

TEST(Eval, ScoresAModelAndContinues) {
  const fs::path root = FreshFolder("eval_model");
  WritePairs(root);
  WriteFileAtomically(root / "a.yaml", "training: {dataset_path: " + (root / "full_list.txt").string() +
                                           "}\ninference: {use_gt_motion_masks: true, motion_mask_root: " +
                                           (root / "masks").string() +
                                           ", view_idx_file_path: " + (root / "views.json").string() + "}\n" +
                                           "evaluation: {gallery: 1, floors: false}\n");
  const auto evaluate = [&](const fs::path& out, const std::vector<std::string>& more = {}) {
    return RunProgram(
        Join(Join({"eval", "--config", root / "a.yaml", "--width", "64", "--height", "64", "--out", out},
                  TinyModel()),
             more));
  };
  const ProgramResult first = evaluate(root / "out");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const nlohmann::json results = Results(root / "out");
  std::vector<std::string> names;
  for (const auto& method : results["settings"][0]["methods"]) names.push_back(method["name"]);
  EXPECT_EQ(names,
            (std::vector<std::string>{"ours", "rayzer", "rayzer_cosegmentation", "rayzer_true_masks"}));
  EXPECT_THAT(ReadText(root / "out/report.html"), HasSubstr("data:image/jpeg;base64,"));
  // Damage to one scene's result is repaired by measuring again; everything else is kept.
  fs::remove(root / "out/results.json");
  const ProgramResult again = evaluate(root / "out");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("continuing; finished scenes are kept"));
  EXPECT_EQ(Results(root / "out"), results);  // the seconds are those of the first run, too
  // Another setting is another evaluation: measured anew, as in a folder of its own.
  const ProgramResult other = evaluate(root / "out", {"--mask-threshold", "0.2"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("mask threshold changed since; what that decides is measured anew"));
  ASSERT_EQ(evaluate(root / "fresh", {"--mask-threshold", "0.2"}).exit_code, 0);
  EXPECT_EQ(Scores(root / "out"), Scores(root / "fresh"));
  EXPECT_NE(Results(root / "out"), results);
}

// A model in the place of another has its own numbers. Those that do not depend on it are kept.
TEST(Eval, AModelReplacedInPlaceIsMeasuredAnew) {
  const fs::path small = fs::path(WILDRAYZER_PROGRAM).parent_path() / "share/wildrayzer/small.safetensors";
  if (!fs::exists(small)) GTEST_SKIP() << small << ": this copy has no model";
  const fs::path root = FreshFolder("eval_replaced");
  WritePairs(root);
  const fs::path model = root / "model.safetensors", another = root / "another.safetensors";
  WriteWithZeros(small, "image_token_decoder.", another);
  const auto evaluate = [&](const fs::path& weights, const fs::path& out) {
    fs::copy_file(weights, model, fs::copy_options::overwrite_existing);
    const ProgramResult result =
        RunProgram(PairsArguments(root, "128", out,
                                  {"--no-oracle", "--no-cosegmentation", "--gallery", "0", "--scenes", "1",
                                   "--threads", "1", "--model", model}));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.err;
  };
  const fs::path out = root / "out";
  evaluate(small, out);
  const auto first = Results(out);
  // The same weights: every result is the stored one, down to its seconds.
  EXPECT_THAT(evaluate(small, out), HasSubstr("continuing; finished scenes are kept"));
  EXPECT_EQ(Results(out), first);
  EXPECT_THAT(evaluate(another, out), HasSubstr("weights of WildRayZer, weights of RayZer changed since; "));
  const auto before = MethodsOf(first), after = MethodsOf(Results(out));
  evaluate(another, root / "fresh");
  EXPECT_EQ(Scores(out), Scores(root / "fresh"));
  for (const auto& [name, scores] : Scores(out)) {
    const bool floor = name.rfind("floor_", 0) == 0;
    EXPECT_EQ(scores == ScoresOf(first).at(name), floor) << name;
    EXPECT_EQ(after.at(name) == before.at(name), floor) << name << ", seconds included";
  }
  evaluate(small, out);
  EXPECT_EQ(Scores(out), ScoresOf(first));
}

// Another build of the program may compute other numbers.
TEST(Eval, AnotherBuildMeasuresAnew) {
  const fs::path root = FreshFolder("eval_build");
  WritePairs(root);
  const std::vector<std::string> arguments =
      PairsArguments(root, "64", root / "out", {"--gallery", "0", "--scenes", "1"});
  ASSERT_EQ(RunProgram(arguments).exit_code, 0);
  const nlohmann::json first = Results(root / "out");
  fs::copy_file(WILDRAYZER_PROGRAM, root / "program");
  std::ofstream(root / "program", std::ios::app) << "another";
  std::string line = (root / "program").string();
  for (const std::string& argument : arguments) line += " " + argument;
  ASSERT_EQ(std::system((line + " 2>" + (root / "errors").string()).c_str()), 0);
  EXPECT_THAT(ReadText(root / "errors"),
              HasSubstr("build changed since; what that decides is measured anew"));
  for (const auto& [name, method] : MethodsOf(Results(root / "out")))
    EXPECT_NE(method.at("seconds"), MethodsOf(first).at(name).at("seconds")) << name;
}

TEST(Eval, MasksHaveFloorsToo) {
  const fs::path root = FreshFolder("eval_mask_floors");
  WritePairs(root);
  const std::vector<std::string> choices = {
      "--protocol", "masks", "--no-floors", "--mask-floors",
      "--gallery",  "0",     "--set",       "model.motion.threshold=0.37"};
  const ProgramResult result =
      RunProgram(PairsArguments(root, "64", root / "out", Join(choices, TinyModel())));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::map<std::string, nlohmann::json> masks;
  const nlohmann::json results = Results(root / "out");
  EXPECT_DOUBLE_EQ(results["settings"][0]["mask_threshold"].get<double>(), 0.37);  // the model's own
  for (const auto& method : results["settings"][0]["methods"]) {
    EXPECT_EQ(method["scenes_failed"].size(), 0u) << method["name"];
    if (method.contains("micro_masks")) masks[method["name"]] = method["micro_masks"];
  }
  // A quarter of every picture moves (WriteMask).
  ASSERT_THAT(masks, ::testing::SizeIs(5));
  EXPECT_DOUBLE_EQ(masks["all_dynamic"]["iou"].get<double>(), 0.25);
  EXPECT_DOUBLE_EQ(masks["all_dynamic"]["recall"].get<double>(), 1.0);
  EXPECT_DOUBLE_EQ(masks["all_static"]["iou"].get<double>(), 0.0);
  // All four views of both scenes are judged. Less than half of the patches can lie more than one standard
  // deviation above their mean (Cantelli's inequality).
  EXPECT_EQ(masks["saliency"]["frames_with_motion"], 8);
  int marked_anywhere = 0;
  for (const auto& method : results["settings"][0]["methods"]) {
    if (method["name"] != "saliency") continue;
    for (const auto& scene : method["scenes"]) {
      for (const auto& mask : scene["masks"]) {
        const int marked = mask["counts"][0].get<int>() + mask["counts"][1].get<int>();
        EXPECT_LT(marked, 64 * 64 / 2);
        marked_anywhere += marked;
      }
    }
  }
  EXPECT_GT(marked_anywhere, 0);
}

TEST(Eval, AFailedSceneIsListedAndNeverAveragedIn) {
  const fs::path root = FreshFolder("eval_failed");
  WritePairs(root);
  fs::resize_file(root / "images/scene_01/00003.png", 40);
  WriteFileAtomically(root / "a.yaml", ReleaseYaml(root));
  const ProgramResult result = RunProgram({"eval", "--config", root / "a.yaml"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("scene_01: cannot be read: "));
  EXPECT_THAT(result.err, HasSubstr("00003.png"));
  const nlohmann::json method = Results(root / "results")["settings"][0]["methods"][0];
  ASSERT_EQ(method["scenes_failed"].size(), 1u);
  EXPECT_EQ(method["scenes_failed"][0]["scene"], "scene_01");
  EXPECT_EQ(method["summary"]["psnr"]["images"], 2);

  fs::remove(root / "images/scene_00/00000.png");
  const ProgramResult none = RunProgram({"eval", "--config", root / "a.yaml", "--out", root / "none"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("no scene could be measured; the first failure is scene_00: "));
  EXPECT_TRUE(fs::exists(root / "none/report.html"));
}

// Arguments of an evaluation of good pairs with something wrong.
std::vector<std::string> GoodPairs(const fs::path& root, const std::vector<std::string>& more) {
  WritePairs(root / "data");
  return Join({"eval", root / "data/full_list.txt", "--width", "64", "--height", "64", "--out", root / "out"},
              more);
}

std::vector<std::string> GoodYaml(const fs::path& root, const std::string& more) {
  WritePairs(root / "data");
  return {"eval", "--config", Write(root / "a.yaml", ReleaseYaml(root / "data", more))};
}

}  // namespace

std::vector<BadInput> EvalBadInputs() {
  const auto pairs = [](std::vector<std::string> more) {
    return [more](const fs::path& f) { return GoodPairs(f, more); };
  };
  const auto yaml = [](std::string more) { return [more](const fs::path& f) { return GoodYaml(f, more); }; };
  return {
      {"eval_nothing", 2, "no data: give a list",
       [](const fs::path&) { return std::vector<std::string>{"eval"}; }},
      {"eval_without_out", 2, "give --out",
       [](const fs::path& f) {
         return std::vector<std::string>{"eval", f / "list.txt"};
       }},
      {"eval_missing_list", 1, "nowhere.txt",
       [](const fs::path& f) {
         return std::vector<std::string>{"eval", f / "nowhere.txt", "--out", f / "out"};
       }},
      {"eval_two_data_sets", 2, "one data set at a time", pairs({"another.txt"})},
      {"eval_unknown_protocol", 2, "--protocol", pairs({"--protocol", "dre11k"})},
      {"eval_missing_view_list", 1, "nowhere.json", pairs({"--view-index", "nowhere.json"})},
      {"eval_view_list_of_other_scenes", 1, "views.json",
       [](const fs::path& f) {
         return GoodPairs(f, {"--view-index",
                              Write(f / "views.json", R"({"other": {"context": [0, 1], "target": [2]}})")});
       }},
      {"eval_hostile_view_list", 1, "views.json",
       [](const fs::path& f) {
         return GoodPairs(f, {"--view-index", Write(f / "views.json", std::string(200000, '['))});
       }},
      {"eval_missing_masks", 2, "nowhere: is no folder of motion masks",
       [](const fs::path& f) {
         return GoodPairs(f, {"--scenes", "1", "--masks", f / "nowhere"});
       }},
      {"eval_renders_without_a_name", 2, "must be NAME=FOLDER", pairs({"--renders", "folder"})},
      {"eval_renders_missing", 2, "nowhere: is no folder", pairs({"--renders", "nerf=nowhere"})},
      {"eval_nothing_to_score", 2, "nothing to score", pairs({"--no-floors"})},
      {"eval_half_of_lpips", 2, "LPIPS needs both", pairs({"--lpips-vgg", "vgg16.pth"})},
      {"eval_missing_lpips", 1, "vgg16.pth", pairs({"--lpips-vgg", "vgg16.pth", "--lpips-heads", "vgg.pth"})},
      {"eval_missing_checkpoint", 1, "nowhere.pt", pairs({"--model", "nowhere.pt"})},
      {"eval_foreign_folder", 2, "is not empty and holds no evaluation",
       [](const fs::path& f) {
         fs::create_directories(f / "out");
         Write(f / "out/precious.txt", "keep me");
         return GoodPairs(f, {});
       }},
      {"eval_missing_config", 1, "nowhere.yaml",
       [](const fs::path& f) {
         return std::vector<std::string>{"eval", "--config", f / "nowhere.yaml"};
       }},
      {"eval_misspelt_key", 2, "unknown key 'evaluation.protocoll'",
       yaml("evaluation: {protocoll: iphone}\n")},
      {"eval_unknown_protocol_in_the_file", 2, "dre11k", yaml("evaluation: {protocol: dre11k}\n")},
      {"eval_word_for_a_number", 1, "'evaluation.scenes'", yaml("evaluation: {scenes: many}\n")},
      {"eval_number_out_of_range", 2, "number of inputs is 1", yaml("evaluation: {inputs: [1]}\n")},
      {"eval_true_masks_missing", 2, "nowhere: is no folder of motion masks",
       [](const fs::path& f) {
         return Join(GoodYaml(f, ""),
                     {"inference.use_gt_motion_masks=true", "inference.motion_mask_root={default: nowhere}"});
       }},
      {"eval_huge_pictures", 2, "picture width is 100000",
       [](const fs::path& f) { return Join(GoodYaml(f, ""), {"model.target_image.width=100000"}); }},
      {"eval_config_model_missing", 1, "nowhere.pt",
       [](const fs::path& f) { return Join(GoodYaml(f, ""), {"inference.model_path=nowhere.pt"}); }},
  };
}

}  // namespace wildrayzer
