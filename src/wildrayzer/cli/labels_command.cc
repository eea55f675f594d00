// wildrayzer labels: pseudo motion labels of a data set, with every step on the way to them as a picture.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/data/views.h"
#include "wildrayzer/evaluation/mask_metrics.h"
#include "wildrayzer/evaluation/runner.h"
#include "wildrayzer/io/npy.h"
#include "wildrayzer/labels/label_views.h"
#include "wildrayzer/labels/scene_labels.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/util/output_folder.h"
#include "wildrayzer/version.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The settings; what lies in a folder with this file was made here.
constexpr char kOwnFile[] = "labels.json";

struct LabelsOptions {
  ModelOptions model;
  LabelOptions labels;
  std::string data, out, view_index, masks, weights = "adaptive";
  int inputs = 2, targets = 6, scenes = 0;
  bool no_grabcut = false, no_pictures = false, json = false;
};

void AddDataOptions(CLI::App& command, LabelsOptions& options) {
  command
      .add_option("data", options.data,
                  "List of scenes (full_list.txt), DAVIS root, video, or folder of scenes")
      ->required()
      ->type_name("PATH");
  command.add_option("--out,-o", options.out, "Folder for labels; an interrupted run in it is continued")
      ->required();
  command
      .add_option("--view-index", options.view_index,
                  "JSON of inputs and targets per scene: label those targets (default: every frame)")
      ->type_name("FILE");
  command.add_option("--inputs", options.inputs, "Views that a rendering is made from, without --view-index")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  command.add_option("--targets", options.targets, "Frames labelled together at most, without --view-index")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--masks", options.masks, "Folder of true motion masks of a list, {scene}/{%05d}.npy")
      ->type_name("FOLDER");
  command.add_option("--scenes", options.scenes, "Only the first N scenes (0: all)")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command.add_flag("--no-pictures", options.no_pictures, "Write the masks only");
  command.add_flag("--json", options.json, "Print summary.json on standard output");
}

void AddLabelOptions(CLI::App& command, LabelsOptions& options) {
  LabelOptions& labels = options.labels;
  command
      .add_option("--weights", options.weights,
                  "Share of SSIM in the saliency: adaptive (grows with the PSNR) or fixed (0.4)")
      ->check(CLI::IsMember({"adaptive", "fixed"}))
      ->capture_default_str();
  command.add_option("--clusters", labels.clusters, "Clusters of patches a scene")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--top-share", labels.selection.top_share, "Share of the clusters that may move")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--frame-quantile", labels.selection.frame_quantile,
                  "Quantile of all saliencies that a cluster's median must reach in a frame")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--frames-needed", labels.selection.frames_needed,
                  "A cluster must reach it in so many frames of 6; of fewer, in as large a share")
      ->check(CLI::Range(1, 6))
      ->capture_default_str();
  command.add_option("--min-area", labels.min_area, "Smallest thing that moves, as a share of the picture")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_flag("--no-grabcut", options.no_grabcut, "Leave the masks as coarse as patches");
}

struct Totals {
  std::vector<Confusion> counts;  // of every frame with a true mask
  double psnr = 0;                // sum over frames
  int64_t frames = 0, failed = 0;
};

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json DescribeMasks(const MaskSummary& mean, const MaskSummary& micro) {
  const auto describe = [](const MaskSummary& summary) {
    return Json{{"iou", NumberOrNull(summary.iou)},
                {"precision", NumberOrNull(summary.precision)},
                {"recall", NumberOrNull(summary.recall)},
                {"f1", NumberOrNull(summary.f1)}};
  };
  return {{"frames_with_motion", mean.frames},
          {"frames_without_motion", mean.empty_frames},
          {"false_alarms_without_motion", NumberOrNull(mean.empty_false_alarm)},
          {"mean_over_frames", describe(mean)},
          {"over_all_pixels", describe(micro)}};
}

Json CountsToJson(const Confusion& counts) {
  return {counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative};
}

Confusion CountsFromJson(const Json& json) {
  return {json.at(0).get<int64_t>(), json.at(1).get<int64_t>(), json.at(2).get<int64_t>(),
          json.at(3).get<int64_t>()};
}

// Adds a finished scene to the totals; raises Json::exception for a damaged description.
void Add(const Json& scene, Totals& totals) {
  Totals sum = totals;
  for (const Json& frame : scene.at("frames")) {
    sum.psnr += frame.at("psnr").get<double>();
    ++sum.frames;
    if (frame.contains("counts")) sum.counts.push_back(CountsFromJson(frame.at("counts")));
  }
  totals = std::move(sum);
}

class LabelRun {
 public:
  explicit LabelRun(const LabelsOptions& options) : options_(options), out_(options.out) {
    ListedScenesOptions listed;
    listed.view_index = options.view_index;
    if (!options.masks.empty()) {
      if (!fs::is_directory(options.masks)) throw UsageError(options.masks + ": is no folder");
      listed.masks.roots["default"] = options.masks;
    }
    scenes_ = OpenScenes(options.data, listed);
  }

  void Run();

 private:
  Json Facts() const;
  void CheckSameRun() const;
  bool Stored(const fs::path& path, Totals& totals) const;
  Json LabelScene(const SceneRecord& record, std::optional<ViewList> listed);
  Json LabelGroup(const SceneRecord& record, const ViewList& views);
  void WriteFrame(const std::string& scene, int frame, const SceneLabels& labels, size_t index) const;
  void Summarise(const Totals& totals, size_t scenes) const;

  const LabelsOptions& options_;
  fs::path out_;
  std::unique_ptr<SceneDataset> scenes_;
  std::unique_ptr<Reconstructor> model_;
  ModelConfig config_;
  ProgressCallback listen_;
};

Json LabelRun::Facts() const {
  const auto absolute = [](const std::string& path) {
    return path.empty() ? "" : fs::absolute(path).lexically_normal().string();
  };
  return {{"program", std::string("wildrayzer ") + kVersion},
          {"data", absolute(options_.data)},
          {"view_list", absolute(options_.view_index)},
          {"inputs", options_.inputs},
          {"targets", options_.targets},
          {"true_masks", absolute(options_.masks)},
          {"model", options_.model.model.empty() ? options_.model.init : absolute(options_.model.model)},
          {"weights_sha256", model_->weights_hash()},
          {"configuration", absolute(options_.model.config)},
          {"overrides", options_.model.overrides},
          {"features", options_.model.dino.empty() ? "the model's own" : absolute(options_.model.dino)},
          {"precision", options_.model.precision},
          {"device", model_->device()},
          {"options", options_.labels.Text()}};
}

void LabelRun::CheckSameRun() const {
  const std::string text = Facts().dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  const fs::path path = out_ / kOwnFile;
  CheckOwnFolder(out_, kOwnFile, "labels");
  fs::create_directories(out_);
  if (fs::exists(path)) {
    std::ifstream stream(path);
    std::ostringstream found;
    found << stream.rdbuf();
    if (found.str() != text) {
      throw UsageError(out_.string() + ": holds labels made with other settings; give another --out");
    }
    LogInfo("{}: continuing; finished scenes are kept", out_.string());
  }
  WriteFileAtomically(path, text);
}

// Takes a scene that an earlier run finished; false when it must be labelled (again).
bool LabelRun::Stored(const fs::path& path, Totals& totals) const {
  std::ifstream stream(path);
  if (!stream) return false;
  try {
    Add(Json::parse(stream), totals);
    return true;
  } catch (const Json::exception&) {
    LogWarning("{}: is damaged; the scene is labelled again", path.string());
    return false;
  }
}

void LabelRun::WriteFrame(const std::string& scene, int frame, const SceneLabels& labels,
                          size_t index) const {
  const std::string stem = fmt::format("{:05d}", frame);
  const GrayImage& mask = labels.labels.frames[index].mask;
  WritePng(out_ / "masks" / scene / (stem + ".png"), mask);
  std::vector<uint8_t> moves(mask.values.size());
  std::transform(mask.values.begin(), mask.values.end(), moves.begin(), [](uint8_t v) { return v ? 1 : 0; });
  WriteNpy(out_ / "masks" / scene / (stem + ".npy"), DType::kBool, {mask.height, mask.width},
           std::as_bytes(std::span(moves)));
  if (options_.no_pictures) return;
  int step = 1;
  const fs::path folder = out_ / "pictures" / scene;
  for (const LabelPicture& picture : ExplainTarget(labels, index)) {
    WritePng(folder / fmt::format("{}_{}_{}.png", stem, step++, picture.name), picture.image);
  }
}

// Labels the targets of one group of views; describes every target.
Json LabelRun::LabelGroup(const SceneRecord& record, const ViewList& views) {
  std::vector<int> frames = views.inputs;
  frames.insert(frames.end(), views.targets.begin(), views.targets.end());
  ViewOptions view_options;
  view_options.width = static_cast<int>(config_.width);
  view_options.height = static_cast<int>(config_.height);
  view_options.patch = static_cast<int>(config_.patch);
  view_options.masks = true;
  const std::vector<View> loaded = LoadViews(record, frames, view_options);
  std::vector<Image> images;
  for (const View& view : loaded) images.push_back(view.image);
  const SceneLabels labels =
      LabelTargets(*model_, images, static_cast<int>(views.inputs.size()), options_.labels, listen_);

  const std::string folder = FolderName(record.name);
  fs::create_directories(out_ / "masks" / folder);
  fs::create_directories(out_ / "pictures" / folder);
  Json described = Json::array();
  std::vector<std::string> titles;
  for (size_t i = 0; i < views.targets.size(); ++i) {
    const FrameLabels& frame = labels.labels.frames[i];
    const Planes mask = PlanesFrom(frame.mask);
    WriteFrame(folder, views.targets[i], labels, i);
    titles.push_back(fmt::format("frame {}", views.targets[i]));
    double moving = 0;
    for (const float v : mask.values) moving += v;
    Json& json = described.emplace_back();
    json["frame"] = views.targets[i];
    json["inputs"] = views.inputs;
    json["psnr"] = frame.psnr;
    json["ssim_weight"] = frame.ssim_weight;
    json["moving_share"] = moving / static_cast<double>(mask.pixels());
    const GrayImage& truth = loaded[views.inputs.size() + i].mask;
    if (!truth.empty()) json["counts"] = CountsToJson(CompareMasks(mask, PlanesFrom(truth), 0.5));
  }
  if (!options_.no_pictures) {
    WritePng(out_ / "pictures" / folder / fmt::format("sheet_{:05d}.png", views.targets.front()),
             LabelSheet(labels, titles));
  }
  return described;
}

Json LabelRun::LabelScene(const SceneRecord& record, std::optional<ViewList> listed) {
  const size_t needed = 2 * static_cast<size_t>(options_.inputs);
  if (listed) {
    CheckViews(*listed, record);
  } else if (record.frames.size() < needed) {
    throw FileError(record.source.string(),
                    fmt::format("has {} frames; {} are needed to label it from {} inputs",
                                record.frames.size(), needed, options_.inputs));
  }
  const std::vector<ViewList> groups =
      listed ? std::vector{*listed}
             : GroupsOfViews(static_cast<int>(record.frames.size()), options_.inputs, options_.targets);
  Json frames = Json::array();
  for (const ViewList& group : groups) {
    ThrowIfInterrupted();
    for (Json& frame : LabelGroup(record, group)) frames.push_back(std::move(frame));
  }
  return {{"scene", record.name}, {"frames", std::move(frames)}};
}

void LabelRun::Summarise(const Totals& totals, size_t scenes) const {
  Json summary = Facts();
  summary["scenes"] = scenes;
  summary["scenes_failed"] = totals.failed;
  summary["frames"] = totals.frames;
  summary["mean_psnr"] =
      NumberOrNull(totals.frames > 0 ? totals.psnr / static_cast<double>(totals.frames) : NAN);
  if (totals.counts.empty()) {
    summary["against_true_masks"] = "no true masks";
  } else {
    summary["against_true_masks"] = DescribeMasks(SummariseMasks(totals.counts), MicroMasks(totals.counts));
  }
  summary["warnings"] = Warnings();
  const std::string text = summary.dump(1, ' ', false, Json::error_handler_t::replace);
  WriteFileAtomically(out_ / "summary.json", text + "\n");
  if (options_.json) std::printf("%s\n", text.c_str());
  LogInfo("{}: {} frames labelled; summary.json", out_.string(), totals.frames);
}

void LabelRun::Run() {
  CheckOwnFolder(out_, kOwnFile, "labels");  // before the model is read, which takes a while
  ModelSource source = options_.model.Resolve();
  source.use_motion = false;
  source.dino_features = true;
  Progress progress(IsVerbose());
  model_ = std::make_unique<Reconstructor>(source, ReportTo(progress));
  config_ = ModelConfig::FromConfig(Config::Parse(model_->config_yaml(), "configuration"));
  CheckSameRun();
  if (model_->dino_name().empty()) LogInfo("no DINOv3: the features are the model's own");
  // The bar counts scenes; within one only interrupts are listened for.
  listen_ = [](const std::string&, int) { ThrowIfInterrupted(); };

  const size_t count =
      options_.scenes == 0 ? scenes_->size() : std::min<size_t>(options_.scenes, scenes_->size());
  Totals totals;
  progress.Stage("labelling", static_cast<int>(count));
  for (size_t i = 0; i < count; ++i, progress.Step()) {
    ThrowIfInterrupted();
    const fs::path path = out_ / "scenes" / (FolderName(scenes_->name(i)) + ".json");
    if (Stored(path, totals)) continue;
    try {
      const Json scene = LabelScene(scenes_->Read(i), scenes_->EvaluationViews(i));
      fs::create_directories(path.parent_path());
      WriteFileAtomically(path, scene.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
      Add(scene, totals);
    } catch (const Interrupted&) {
      throw;
    } catch (const UsageError&) {
      throw;  // would fail on every scene alike
    } catch (const std::exception& error) {
      ++totals.failed;
      const std::string message = error.what();
      LogWarning("{}: not labelled: {}", scenes_->name(i), message.substr(0, message.find('\n')));
    }
  }
  progress.Finish();
  Summarise(totals, count);
  if (totals.failed > 0) {
    throw Error(fmt::format("{}: {} of {} scenes could not be labelled; the warnings name the files",
                            out_.string(), totals.failed, count));
  }
}

}  // namespace

void AddLabelsCommand(CLI::App& app) {
  auto options = std::make_shared<LabelsOptions>();
  CLI::App* command = app.add_subcommand(
      "labels", "Pseudo motion labels: what a static rendering of a scene does not explain");
  AddDataOptions(*command, *options);
  AddLabelOptions(*command, *options);
  options->model.AddTo(*command);
  command->footer(
      "Example:\n  wildrayzer labels rooms/dynamic_re10k/train/full_list.txt --model stage1.safetensors "
      "--out labels");
  command->callback([options] {
    if (!options->no_grabcut) RefuseInNodeBuild("GrabCut", "add --no-grabcut");
    if (!options->no_pictures) RefuseInNodeBuild("drawing contact sheets", "add --no-pictures");
    options->labels.weights =
        options->weights == "fixed" ? SaliencyWeights::kFixed : SaliencyWeights::kAdaptive;
    options->labels.grabcut = !options->no_grabcut;
    options->labels.seed = options->model.seed;
    options->labels.Validate();
    LabelRun(*options).Run();
  });
}

}  // namespace wildrayzer
