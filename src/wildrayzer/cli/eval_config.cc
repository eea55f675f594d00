#include "wildrayzer/cli/eval_config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "wildrayzer/data/data_config.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/config.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"
#include "wildrayzer/util/sha256.h"
#include "wildrayzer/version.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Keys of the release's `inference` section that only concern its own pictures and diagnostics.
constexpr std::array<std::string_view, 7> kNotNeeded = {
    "if_inference",     "render_input_predictions", "use_gt_images_for_inference", "render_video",
    "save_plucker_vis", "plucker_vis_stride",       "plucker_vis_include_quiver"};

bool IsOverride(const std::string& text) {
  const size_t at = text.find('=');
  if (at == 0 || at == std::string::npos || fs::exists(text)) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; });
}

void SortArguments(EvalOptions& options) {
  for (const std::string& text : options.arguments) {
    if (IsOverride(text)) {
      options.model.overrides.push_back(text);
    } else if (options.data.empty()) {
      options.data = text;
    } else {
      throw UsageError("'" + text + "': one data set at a time ('" + options.data + "' was given before)");
    }
  }
}

// Takes values from the configuration where the command line has none.
class Filler {
 public:
  Filler(const CLI::App& command, const Config& config) : command_(command), config_(config) {}

  // `keys` in order of precedence; the first that is present counts.
  template <typename T>
  void operator()(const std::string& option, const std::vector<std::string>& keys, T& value) const {
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
      if (!config_.Has(*key)) continue;
      const T found = config_.Get<T>(*key, value);
      if (!IsGiven(option)) value = found;
    }
  }
  // A map of names and folders, as NAME=FOLDER.
  void Folders(const std::string& option, const std::string& key, std::vector<std::string>& value) const {
    const auto found = config_.Get<std::map<std::string, std::string>>(key, {});
    if (IsGiven(option)) return;
    for (const auto& [name, folder] : found) value.push_back(name + "=" + folder);
  }
  // A key that is true where the flag is not given.
  void Flag(const std::string& option, const std::string& key, bool& off) const {
    const bool on = config_.Get<bool>(key, true);
    if (!IsGiven(option)) off = !on;
  }
  bool IsGiven(const std::string& option) const { return !option.empty() && command_.count(option) > 0; }

 private:
  const CLI::App& command_;
  const Config& config_;
};

// Keys that an evaluation does not look at but the program knows are told in one line, unknown ones each in a
// warning. The model names its own.
void NameUnusedKeys(const Config& config) {
  std::vector<std::string> without_effect;
  for (const std::string& key : config.UnusedKeys()) {
    const auto in = [&](const std::string& section) { return key.rfind(section + ".", 0) == 0; };
    if (in("evaluation")) throw UsageError(config.name() + ": unknown key '" + key + "'");
    if (in("model")) continue;
    const bool not_needed = std::any_of(kNotNeeded.begin(), kNotNeeded.end(), [&](std::string_view name) {
      return key == "inference." + std::string(name);
    });
    if (not_needed || in("inference.render_video_config") || in("training")) {
      without_effect.push_back(key);
    } else {
      LogWarning("{}: key '{}' is not used by this program", config.name(), key);
    }
  }
  if (without_effect.empty()) return;
  LogInfo("{}: keys without effect on an evaluation ({}): {}", config.name(), without_effect.size(),
          fmt::join(without_effect, ", "));
}

// The release's file names a folder of true masks even where it does not use them.
void DropAbsentMasks(MaskFolders& masks) {
  std::erase_if(masks.roots, [](const auto& root) {
    if (fs::is_directory(root.second)) return false;
    LogWarning("{}: is no folder; there are no true motion masks", root.second.string());
    return true;
  });
}

void Fill(const CLI::App& command, const Config& config, EvalOptions& options) {
  const Filler fill(command, config);
  const std::string e = "evaluation.", i = "inference.", t = "training.";
  if (options.data.empty()) fill("", {e + "data", t + "dataset_path"}, options.data);
  fill("--out", {e + "out", "inference_out_root"}, options.out);
  fill("--protocol", {e + "protocol"}, options.protocol);
  fill("--inputs", {e + "inputs"}, options.inputs);
  if (!fill.IsGiven("--inputs") && !config.Has(e + "inputs"))
    options.inputs = {config.Get<int>(t + "num_input_views", options.inputs.front())};
  fill("--targets", {e + "targets", t + "num_target_views"}, options.targets);
  int side = options.width;
  fill("", {"model.image_tokenizer.image_size"}, side);
  if (!fill.IsGiven("--width")) options.width = side;
  if (!fill.IsGiven("--height")) options.height = side;
  fill("--width", {"model.target_image.width"}, options.width);
  fill("--height", {"model.target_image.height"}, options.height);
  fill("--scenes", {e + "scenes"}, options.scenes);
  fill("--gallery", {e + "gallery"}, options.gallery);
  fill("--rayzer", {e + "rayzer"}, options.rayzer);
  fill("--dino", {e + "dino"}, options.model.dino);
  fill("--lpips-vgg", {e + "lpips_vgg"}, options.lpips_vgg);
  fill("--lpips-heads", {e + "lpips_heads"}, options.lpips_heads);
  if (!options.mask_threshold && config.Has(e + "mask_threshold"))
    options.mask_threshold = config.Get<double>(e + "mask_threshold", 0);
  fill.Folders("--external-masks", e + "external_masks", options.external_masks);
  fill.Folders("--renders", e + "renders", options.renders);
  fill.Flag("--no-floors", e + "floors", options.no_floors);
  if (!fill.IsGiven("--mask-floors")) options.mask_floors = config.Get<bool>(e + "mask_floors", false);
  fill.Flag("--no-oracle", e + "oracle", options.no_oracle);
  fill.Flag("--no-cosegmentation", e + "cosegmentation", options.no_cosegmentation);
  std::string weights;
  fill("", {i + "model_path"}, weights);
  if (!fill.IsGiven("--model") && !fill.IsGiven("--init")) options.model.model = weights;

  const ListedScenesOptions listed = ReadEvaluationScenes(config);
  fill("--view-index", {e + "view_indices"}, options.view_indices);
  const bool counts = fill.IsGiven("--inputs") || config.Has(e + "inputs");
  if (options.view_indices.empty() && !counts && !listed.view_index.empty())
    options.view_indices = {listed.view_index.string()};
  std::string masks;
  fill("", {e + "masks"}, masks);
  options.masks = listed.masks;
  if (!config.Get<bool>(i + "use_gt_motion_masks", false)) DropAbsentMasks(options.masks);
  if (!masks.empty()) options.masks.roots = {{"default", masks}};
}

void CheckRange(const std::string& what, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw UsageError(fmt::format("{} is {}, but must lie in [{}, {}]", what, value, low, high));
}

// Numbers from a file have not passed the command line's checks.
void CheckRanges(const EvalOptions& options) {
  if (options.inputs.empty()) throw UsageError("the list of numbers of inputs is empty");
  for (const int inputs : options.inputs) CheckRange("number of inputs", inputs, 2, 64);
  CheckRange("number of targets", options.targets, 1, 1000);
  CheckRange("picture width", options.width, 16, 4096);
  CheckRange("picture height", options.height, 16, 4096);
  CheckRange("number of scenes", options.scenes, 0, 1000000);
  CheckRange("number of scenes in the gallery", options.gallery, 0, 1000);
  CheckRange("mask threshold", options.mask_threshold.value_or(0), 0, 1);
}

std::string Sha256Of(const std::string& bytes) {
  Sha256 digest;
  digest.Update(bytes.data(), bytes.size());
  return digest.Hex().substr(0, 16);
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " ") + part;
  return text;
}

// Tells two states of one file apart.
std::string DigestOf(const std::string& config) {
  return ", SHA-256 " + Sha256Of(Config::Load(config).Dump());
}

}  // namespace

void CompleteEvalOptions(const CLI::App& command, EvalOptions& options) {
  SortArguments(options);
  if (!options.model.config.empty()) {
    Config config = Config::Load(options.model.config);
    for (const std::string& assignment : options.model.overrides) config.Override(assignment);
    Fill(command, config, options);
    NameUnusedKeys(config);
    // Without a model in the file the sizes are read off the checkpoint.
    if (!config.Has("model")) options.model.config.clear();
  }
  if (!options.mask_folder.empty()) options.masks.roots = {{"default", options.mask_folder}};
  for (const auto& [name, root] : options.masks.roots) {
    if (!fs::is_directory(root)) throw UsageError(root.string() + ": is no folder of motion masks");
  }
  CheckRanges(options);
  if (options.data.empty())
    throw UsageError("no data: give a list or folder of scenes, or training.dataset_path in a --config FILE");
  if (options.out.empty())
    throw UsageError("no folder for the results: give --out, or inference_out_root in a --config FILE");
}

std::string ProgramDigest() {
  std::ifstream program("/proc/self/exe", std::ios::binary);
  std::ostringstream bytes;
  bytes << program.rdbuf();
  return Sha256Of(bytes.str());
}

EvalFacts DescribeSettings(const EvalOptions& options) {
  const auto absolute = [](const std::string& path) {
    return path.empty() ? "" : fs::absolute(path).lexically_normal().string();
  };
  std::string masks, indices;
  for (const auto& [name, root] : options.masks.roots) {
    masks += (masks.empty() ? "" : ", ") + (name == "default" ? "" : name + ": ") + absolute(root);
  }
  for (const std::string& index : options.view_indices)
    indices += (indices.empty() ? "" : ", ") + absolute(index);
  return {
      {"program", std::string("wildrayzer ") + kVersion},
      {"build", ProgramDigest()},
      {"data", absolute(options.data)},
      {"protocol", options.protocol},
      {"view lists",
       indices.empty() ? "evenly spread, " + std::to_string(options.targets) + " targets" : indices},
      {"picture size", std::to_string(options.width) + " x " + std::to_string(options.height)},
      {"true masks", masks},
      {"mask threshold", fmt::format("{}", options.MaskThreshold())},
      {"model", options.model.model.empty() ? options.model.init : absolute(options.model.model)},
      {"configuration",
       options.model.config.empty() ? "" : absolute(options.model.config) + DigestOf(options.model.config)},
      {"overrides", Joined(options.model.overrides)},
      {"plain RayZer", absolute(options.rayzer)},
      {"DINOv3", absolute(options.model.dino)},
      {"precision", options.model.precision},
      {"LPIPS network", absolute(options.lpips_vgg)},
      {"LPIPS heads", absolute(options.lpips_heads)},
      {"seed", std::to_string(options.model.seed)}};
}

bool OpenEvaluation(const std::string& folder, const EvalFacts& facts) {
  const fs::path path = fs::path(folder) / kEvaluationFile;
  CheckOwnFolder(folder, kEvaluationFile, "evaluation");
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  fs::create_directories(folder);
  bool same = true;
  if (fs::exists(path)) {
    std::ifstream stream(path);
    const auto before = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
    std::vector<std::string> changed;
    for (const auto& [name, value] : facts) {
      if (!before.is_object() || !before.contains(name) || before[name] != value) changed.push_back(name);
    }
    same = changed.empty();
    LogInfo(
        "{}: {}", folder,
        same ? "continuing; finished scenes are kept"
             : fmt::format("{} changed since; what that decides is measured anew", fmt::join(changed, ", ")));
  }
  WriteFileAtomically(path, json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return same;
}

}  // namespace wildrayzer
