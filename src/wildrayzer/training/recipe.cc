#include "wildrayzer/training/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/training/process_environment.h"
#include "wildrayzer/training/run_folder.h"
#include "wildrayzer/training/run_report.h"
#include "wildrayzer/training/shards.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"

namespace wildrayzer {
namespace {

bool IsPlainName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name != "checkpoints" &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                  c == '-';
         });
}

Config WithSettings(const std::string& text, const std::string& name,
                    const std::vector<std::string>& settings, const std::vector<std::string>& overrides) {
  Config config = Config::Parse(text, name);
  for (const std::string& setting : settings) config.Override(setting);
  for (const std::string& setting : overrides) config.Override(setting);
  return config;
}

void CopyModel(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  const auto temporary = std::filesystem::path(to.string() + ".tmp");
  std::filesystem::copy_file(from, temporary, std::filesystem::copy_options::overwrite_existing, error);
  if (!error) std::filesystem::rename(temporary, to, error);
  if (error) throw FileError(to.string(), "cannot be written: " + error.message());
}

// One line for all stages; a part of a recipe may bring keys of its own.
void NameKeysWithoutEffect(const std::vector<Config>& configs) {
  std::vector<std::string> keys;
  for (const Config& config : configs) {
    for (const std::string& key : KeysWithoutEffect(config)) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  if (keys.empty() || ReadProcessEnvironment().rank != 0) return;
  LogInfo("{}: keys without effect here ({}): {}", configs.front().name(), keys.size(),
          fmt::join(keys, ", "));
}

bool IsWanted(const RecipePart& part, const Config& config, const RecipeOptions& options) {
  if (!options.only_part.empty() && part.name != options.only_part) return false;
  return !options.only_stage || static_cast<int>(StageOf(config)) == *options.only_stage;
}

bool IsFinished(const std::filesystem::path& model, const RecipeOptions& options) {
  return options.resume && std::filesystem::exists(model);
}

void RefuseWhatNeedsOpenCv(const TrainConfig& config) {
  if (config.labels.grabcut && StageNeedsMotion(config.stage)) {
    RefuseInNodeBuild("GrabCut, which refines the pseudo labels of stage " +
                          std::to_string(static_cast<int>(config.stage)) + ",",
                      "set model.dinov3_pseudolabel.coseg_grabcut=false");
  }
  if (config.loader.pool != nullptr)
    RefuseInNodeBuild("pasting objects",
                      "set training.copy_paste.enabled=false; scenes with true masks "
                      "(training.dynamic_masks_path) teach in the same way");
}

// Every part's settings and folder are looked at before hours are spent on the first.
void CheckParts(const std::vector<RecipePart>& parts, const std::vector<Config>& configs,
                const RecipeOptions& options) {
  std::vector<std::string> names;
  bool wanted = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    const TrainConfig config = TrainConfig::Read(configs[i]);
    const std::filesystem::path folder = options.folder / parts[i].name;
    if (IsWanted(parts[i], configs[i], options) && !IsFinished(folder / "model.safetensors", options)) {
      RefuseWhatNeedsOpenCv(config);
      CheckRunFolder(folder, options.resume);
      if (config.export_every > 0) CheckShardFolder(folder / kShardFolder);
    }
    wanted = wanted || IsWanted(parts[i], configs[i], options);
    names.push_back(parts[i].name);
  }
  if (!wanted) {
    throw UsageError(fmt::format("{}: the recipe has no such stage or part; its parts are {}",
                                 configs.front().name(), fmt::join(names, ", ")));
  }
  CheckRecipeFolder(options.folder, names);
}

TrainingResult TrainPart(const Config& config, const std::filesystem::path& folder, bool resume,
                         const std::filesystem::path& previous, torch::Device device) {
  Config part = config;
  if (!previous.empty() && !config.Has("training.init_checkpoint")) {
    part = Config::Parse(config.Dump(), config.name());
    part.Override("training.init_checkpoint=\"" + previous.string() + "\"");
  }
  return Train(TrainConfig::Read(part, device), folder, resume);
}

torch::Device DeviceOfThisProcess(const std::string& name) {
  const ProcessEnvironment environment = ReadProcessEnvironment();
  if (environment.world_size == 1) return ChooseDevice(name);
  if (name == "auto" && ChooseDevice(name).is_cpu()) return torch::kCPU;
  const bool own = name == "auto" || name == "cuda";
  return ChooseDevice(own ? "cuda:" + std::to_string(environment.local_rank) : name);
}

}  // namespace

std::vector<RecipePart> ReadRecipe(const Config& config) {
  std::vector<RecipePart> parts;
  std::set<std::string> names;
  const auto list = config.Get<YAML::Node>("recipe", YAML::Node(YAML::NodeType::Sequence));
  const std::string form =
      config.name() + ": 'recipe' must be a list of {name: NAME, settings: [key=value, ...]}";
  if (!list.IsSequence()) throw UsageError(form);
  for (const YAML::Node& entry : list) {
    RecipePart part;
    try {
      if (!entry.IsMap() || entry.size() != 2) throw UsageError(form);
      part.name = entry["name"].as<std::string>();
      part.settings = entry["settings"].as<std::vector<std::string>>();
    } catch (const YAML::Exception&) {
      throw UsageError(form);
    }
    if (!IsPlainName(part.name) || !names.insert(part.name).second) {
      throw UsageError(fmt::format("{}: '{}' must be a plain name that no other part of the recipe has",
                                   config.name(), part.name));
    }
    parts.push_back(part);
  }
  return parts;
}

TrainingResult TrainRecipe(const std::string& text, const std::string& name, const RecipeOptions& options) {
  const torch::Device device = DeviceOfThisProcess(options.device);
  const auto parts = ReadRecipe(WithSettings(text, name, {}, options.overrides));
  if (parts.empty()) {
    if (!options.only_part.empty())
      throw UsageError(name + ": has no recipe, so no part '" + options.only_part + "'");
    std::vector<std::string> settings;
    if (options.only_stage) settings.push_back(fmt::format("training.stage={}", *options.only_stage));
    const Config config = WithSettings(text, name, settings, options.overrides);
    NameKeysWithoutEffect({config});
    return TrainPart(config, options.folder, options.resume, {}, device);
  }
  TrainingResult result;
  std::filesystem::path previous, made;
  std::vector<Config> configs;
  for (const RecipePart& part : parts)
    configs.push_back(WithSettings(text, name, part.settings, options.overrides));
  CheckParts(parts, configs, options);
  NameKeysWithoutEffect(configs);
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::filesystem::path folder = options.folder / parts[i].name;
    const std::filesystem::path model = folder / "model.safetensors";
    const Config& config = configs[i];
    const bool wanted = IsWanted(parts[i], config, options);
    if (wanted && !IsFinished(model, options)) {
      if (!previous.empty() && !std::filesystem::exists(previous) &&
          !config.Has("training.init_checkpoint")) {
        throw UsageError(previous.string() + ": missing; train the stages before first");
      }
      result = TrainPart(config, folder, options.resume, previous, device);
    } else if (wanted) {
      LogInfo("{}: finished before", folder.string());
    }
    if (wanted) made = model;
    previous = model;
  }
  // A stage alone in mid-recipe has made its own model, and the recipe's is not there yet.
  result.model = made;
  if (made == previous) {
    result.model = options.folder / "model.safetensors";
    CopyModel(previous, result.model);
  }
  WriteRunReport(options.folder);
  return result;
}

}  // namespace wildrayzer
