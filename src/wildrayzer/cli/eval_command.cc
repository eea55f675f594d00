// wildrayzer eval: the paper's measurements, methods side by side.

#include <cstdio>
#include <optional>

#include "wildrayzer/cli/eval_config.h"
#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/evaluation/lpips_function.h"
#include "wildrayzer/evaluation/model_method.h"
#include "wildrayzer/evaluation/results_json.h"
#include "wildrayzer/evaluation/runner.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/util/output_folder.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

void AddDataOptions(CLI::App& command, EvalOptions& options) {
  command
      .add_option("data", options.arguments,
                  "List of scenes (full_list.txt), DAVIS root, or folder of scenes; and overrides of the "
                  "configuration (training.dataset_path=FILE)")
      ->type_name("DATA|KEY=VALUE");
  command.add_option("--out,-o", options.out, "Folder for results; an interrupted run in it is continued");
  command
      .add_option("--protocol", options.protocol,
                  "What is judged: re10k (whole frame of static scenes), dre10k (static region), iphone "
                  "(clean targets), masks, davis")
      ->check(CLI::IsMember({"re10k", "dre10k", "iphone", "masks", "davis"}))
      ->capture_default_str();
  command
      .add_option("--view-index", options.view_indices,
                  "JSON of inputs and targets per scene; repeat for 2, 3 and 4 inputs")
      ->type_name("FILE");
  command.add_option("--inputs", options.inputs, "Numbers of inputs, without --view-index")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  command.add_option("--targets", options.targets, "Targets a scene, without --view-index")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--masks", options.mask_folder, "Folder of true motion masks, {scene}/{%05d}.npy")
      ->type_name("FOLDER");
  command.add_option("--width", options.width, "Picture width of the model")
      ->check(CLI::Range(16, 4096))
      ->capture_default_str();
  command.add_option("--height", options.height, "Picture height of the model")
      ->check(CLI::Range(16, 4096))
      ->capture_default_str();
  command.add_option("--scenes", options.scenes, "Only the first N scenes (0: all)")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

void AddMethodOptions(CLI::App& command, EvalOptions& options) {
  command
      .add_option("--rayzer", options.rayzer,
                  "Checkpoint of plain RayZer (default: the model's own weights without motion)")
      ->type_name("FILE");
  command
      .add_option("--external-masks", options.external_masks,
                  "RayZer with another program's masks, {scene}/{%05d}.png or .npy")
      ->type_name("NAME=FOLDER");
  command
      .add_option("--renders", options.renders,
                  "Another program's renderings, {scene}/{%05d}.png or the release's layout")
      ->type_name("NAME=FOLDER");
  command.add_flag("--no-floors", options.no_floors, "Leave out the three floors");
  command.add_flag(
      "--mask-floors", options.mask_floors,
      "Also score motion masks that need no motion estimator: nothing moves, everything moves, and "
      "the thresholded saliency of the model's renderings");
  command.add_flag("--no-oracle", options.no_oracle, "Leave out RayZer with true masks");
  command.add_flag("--no-cosegmentation", options.no_cosegmentation,
                   "Leave out RayZer with co-segmentation masks");
  command
      .add_option("--mask-threshold", options.mask_threshold,
                  "Probability above which a pixel counts as moving (default: the model's own threshold)")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--lpips-vgg", options.lpips_vgg,
                  "torchvision's VGG16 weights; without them LPIPS is not measured")
      ->type_name("FILE");
  command.add_option("--lpips-heads", options.lpips_heads, "The LPIPS v0.1 heads for VGG (vgg.pth)")
      ->type_name("FILE");
  command.add_option("--gallery", options.gallery, "Scenes shown with pictures in the report")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command.add_flag("--json", options.json, "Print results.json on standard output");
}

std::pair<std::string, fs::path> NamedFolder(const std::string& text) {
  const size_t at = text.find('=');
  if (at == 0 || at == std::string::npos) throw UsageError("'" + text + "' must be NAME=FOLDER");
  const fs::path folder = text.substr(at + 1);
  if (!fs::is_directory(folder)) throw UsageError(folder.string() + ": is no folder");
  return {text.substr(0, at), folder};
}

// The methods of one evaluation, and what the report says of their models.
struct Contest {
  std::vector<std::unique_ptr<Method>> methods;
  EvalFacts models;
};

// A model that no method can do without.
JudgedModel Load(const ModelSource& source, const std::string& called, Contest& contest) {
  JudgedModel judged = LoadJudged(source);
  contest.models.emplace_back("weights of " + called, judged.weights);
  contest.models.emplace_back(
      "arithmetic of " + called,
      judged.model->precision() + " on " + judged.model->device_name() + " (" + judged.model->device() + ")");
  if (!judged.dino.empty()) contest.models.emplace_back("files of DINOv3", judged.dino);
  return judged;
}

// Ours, RayZer without masks, with true and with external masks; only the floors and foreign renderings
// without a model. Takes the mask threshold from the model where none was given.
void AddModelMethods(EvalOptions& options, Contest& contest) {
  std::vector<std::unique_ptr<Method>>& methods = contest.methods;
  if (options.model.model.empty() && options.model.init.empty()) {
    LogWarning(
        "no model: only floors and renderings from folders are scored (give --model CHECKPOINT or --init "
        "random)");
    if (!options.external_masks.empty()) throw UsageError("--external-masks needs a model");
    return;
  }
  ModelSource source = options.model.Resolve();
  const std::string weights = source.weights.empty() ? "random weights" : source.weights.string();
  std::optional<JudgedModel> ours;
  if (source.use_motion) {
    ours = Load(source, "WildRayZer", contest);
    if (!options.mask_threshold) options.mask_threshold = ours->model->motion_threshold();
    methods.push_back(ModelMethod("ours", "WildRayZer", "the model, " + weights, *ours));
  }
  source.use_motion = false;
  source.dino.clear();
  if (!options.rayzer.empty()) {
    source.weights = options.rayzer;
    source.config.clear();
  }
  const JudgedModel rayzer = Load(source, "RayZer", contest);
  const std::string of = options.rayzer.empty() ? weights : options.rayzer;
  methods.push_back(ModelMethod("rayzer", "RayZer", "no masks, " + of, rayzer));
  if (kNodeBuild && !options.no_cosegmentation) {
    LogWarning("co-segmentation is left out; it {}", kNoOpenCv);
  } else if (!options.no_cosegmentation) {
    const std::string dino = ours ? ours->model->dino_name() : "";
    methods.push_back(ModelMethod("rayzer_cosegmentation", "RayZer + co-segmentation masks",
                                  "features of " + (dino.empty() ? "its own" : dino) + ", " + of, rayzer,
                                  CoSegmentationMasks(dino.empty() ? rayzer : *ours)));
  }
  if (!options.no_oracle && !FindProtocol(options.protocol).NothingMoves()) {
    methods.push_back(ModelMethod("rayzer_true_masks", "RayZer + true masks (oracle)",
                                  "true masks of the inputs, " + of, rayzer, TrueMasks(),
                                  /*judge_masks=*/false));
  }
  if (options.mask_floors) {
    methods.push_back(
        MaskMethod("saliency", "Thresholded saliency",
                   "patches that the renderings explain worst, 1 standard deviation above the mean, " + of,
                   ThresholdedSaliency(rayzer)));
  }
  for (const std::string& text : options.external_masks) {
    const auto [name, folder] = NamedFolder(text);
    methods.push_back(ModelMethod("rayzer_" + name, "RayZer + " + name,
                                  "masks from " + folder.string() + ", " + of, rayzer,
                                  ExternalMasks(folder)));
  }
}

Contest MakeMethods(EvalOptions& options) {
  Contest contest;
  AddModelMethods(options, contest);
  std::vector<std::unique_ptr<Method>>& methods = contest.methods;
  for (const std::string& text : options.renders) {
    const auto [name, folder] = NamedFolder(text);
    methods.push_back(RenderingsFromFolder(name, folder));
  }
  if (!options.no_floors) {
    for (auto& floor : FloorMethods(options.model.seed)) methods.push_back(std::move(floor));
  }
  if (options.mask_floors) {
    methods.push_back(MaskMethod("all_static", "Nothing moves", "floor of masks", ConstantMasks(0)));
    methods.push_back(MaskMethod("all_dynamic", "Everything moves", "floor of masks", ConstantMasks(1)));
  }
  for (size_t i = 0; i < methods.size(); ++i) {
    for (size_t j = i + 1; j < methods.size(); ++j) {
      if (methods[i]->name == methods[j]->name)
        throw UsageError("two methods are called '" + methods[i]->name + "'");
    }
  }
  if (methods.empty())
    throw UsageError(
        "there is nothing to score: give --model, --init random or --renders, or drop --no-floors");
  return contest;
}

std::vector<SettingRequest> MakeSettings(const EvalOptions& options) {
  ListedScenesOptions listed;
  listed.masks = options.masks;
  std::vector<SettingRequest> settings;
  const auto add = [&](int inputs) {
    SettingRequest setting;
    setting.label = std::to_string(inputs) + " views";
    setting.data =
        fs::path(options.data).filename().empty() ? options.data : fs::path(options.data).filename().string();
    setting.scenes = OpenScenes(options.data, listed);
    setting.num_inputs = inputs;
    setting.num_targets = options.targets;
    settings.push_back(std::move(setting));
  };
  for (const std::string& index : options.view_indices) {
    listed.view_index = index;
    const auto scenes = OpenScenes(options.data, listed);
    size_t inputs = 0;  // of the first scene whose entry can be used
    for (size_t i = 0; inputs == 0 && i < scenes->size(); ++i) {
      if (const auto views = scenes->EvaluationViews(i)) inputs = views->inputs.size();
    }
    if (inputs == 0) throw FileError(index, "lists no views for " + scenes->name(0));
    add(static_cast<int>(inputs));
  }
  if (options.view_indices.empty()) {
    for (const int inputs : options.inputs) add(inputs);
  }
  for (size_t i = 1; i < settings.size(); ++i) {
    if (settings[i].label == settings[i - 1].label)
      throw UsageError("two settings have " + settings[i].label);
  }
  return settings;
}

LpipsFunction MakeLpips(const EvalOptions& options, EvaluationResult& evaluation) {
  if (options.lpips_vgg.empty() != options.lpips_heads.empty()) {
    throw UsageError("LPIPS needs both --lpips-vgg and --lpips-heads");
  }
  if (!options.lpips_vgg.empty())
    return LoadLpips(options.lpips_vgg, options.lpips_heads, options.model.device);
  evaluation.absent["LPIPS"] = "no weights given (--lpips-vgg and --lpips-heads)";
  return {};
}

// Says of every group of scores that nobody has why it is missing.
void NoteAbsent(EvaluationResult& evaluation) {
  bool masks = false, cameras = false;
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      for (const SceneResult& scene : method.scenes) {
        masks |= !scene.masks.empty();
        cameras |= !scene.cameras.empty();
      }
    }
  }
  if (!masks) evaluation.absent["motion masks"] = "no true masks, or no method that makes masks";
  if (!cameras) evaluation.absent["cameras"] = "no true poses, or no method that estimates cameras";
}

// Raises Error when there is nothing to report but failures; the report with the reasons is there all the
// same.
void CheckAnythingMeasured(const EvaluationResult& evaluation, const std::string& folder) {
  std::string failure;
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      for (const SceneResult& scene : method.scenes) {
        if (scene.failure.empty()) return;
        if (failure.empty()) failure = scene.scene + ": " + scene.failure;
      }
    }
  }
  throw Error(folder + ": no scene could be measured; the first failure is " + failure);
}

void Run(const EvalOptions& given) {
  EvalOptions options = given;
  CheckOwnFolder(options.out, kEvaluationFile, "evaluation");  // before models are read, which takes a while
  EvaluationResult evaluation;
  evaluation.title = "Evaluation, protocol " + options.protocol;
  evaluation.bootstrap_seed = options.model.seed;
  RunOptions run;
  run.folder = options.out;
  run.protocol = FindProtocol(options.protocol);
  run.width = options.width;
  run.height = options.height;
  run.max_scenes = static_cast<size_t>(options.scenes);
  run.gallery_scenes = options.gallery;
  const std::vector<SettingRequest> settings = MakeSettings(options);
  run.lpips = MakeLpips(options, evaluation);
  run.identity = fmt::format("wildrayzer {}, LPIPS {} {}", ProgramDigest(), FileStamp(options.lpips_vgg),
                             FileStamp(options.lpips_heads));
  const Contest contest = MakeMethods(options);
  run.mask_threshold = options.MaskThreshold();
  evaluation.facts = DescribeSettings(options);
  evaluation.facts.insert(evaluation.facts.end(), contest.models.begin(), contest.models.end());
  const bool same = OpenEvaluation(options.out, evaluation.facts);  // last: a mistake above leaves nothing

  Progress progress;
  run.progress = ReportTo(progress);
  std::vector<GalleryScene> gallery;
  int outdated = 0;
  for (const SettingRequest& setting : settings) {
    evaluation.settings.push_back(RunSetting(setting, contest.methods, run));
    outdated += evaluation.settings.back().outdated;
    for (GalleryScene& scene : MakeGallery(setting, evaluation.settings.back(), run))
      gallery.push_back(std::move(scene));
  }
  progress.Finish();
  if (same && outdated > 0)
    LogInfo("{}: {} stored results were of other pictures or files; measured anew", options.out, outdated);
  NoteAbsent(evaluation);
  WriteReport(options.out, evaluation, gallery);
  if (options.json) std::printf("%s\n", EvaluationToJson(evaluation).dump(2).c_str());
  CheckAnythingMeasured(evaluation, options.out);
  LogInfo("{}: results.json, results.csv, results.md and report.html", options.out);
}

}  // namespace

void AddEvalCommand(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = app.add_subcommand("eval", "The paper's measurements, methods side by side");
  AddDataOptions(*command, *options);
  AddMethodOptions(*command, *options);
  options->model.AddTo(*command);
  command->footer(
      "Example:\n  wildrayzer eval rooms/test/full_list.txt --protocol iphone --inputs 2 3 4 --model "
      "wildrayzer_2view.pt "
      "--dino dinov3-vit7b16/ --out scores\n"
      "  wildrayzer eval --config wildrayzer_inference.yaml evaluation.dino=dinov3-vit7b16/");
  command->callback([options, command] {
    KeepFreedMemory();
    CompleteEvalOptions(*command, *options);
    Run(*options);
  });
}

}  // namespace wildrayzer
