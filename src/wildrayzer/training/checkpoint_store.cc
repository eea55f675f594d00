#include "wildrayzer/training/checkpoint_store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/training/run_folder.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr char kTrainingMetadataKey[] = "wildrayzer.training";
constexpr char kExtraPrefix[] = "training.";

// What runs that were killed while saving have left: one process writes to a folder, and it is done.
void RemoveUnfinished(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".step_") && name.find(".tmp-") != std::string::npos) {
      leftovers.push_back(entry.path());
    }
  }
  std::error_code ignored;
  for (const auto& path : leftovers) std::filesystem::remove(path, ignored);
}

}  // namespace

std::map<std::string, torch::Tensor> TrainingState::Extra(const std::string& prefix) const {
  std::map<std::string, torch::Tensor> part;
  for (const auto& [name, tensor] : extra) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

void TrainingState::AddExtra(const std::string& prefix, const std::map<std::string, torch::Tensor>& part) {
  for (const auto& [name, tensor] : part) extra[prefix + name] = tensor;
}

CheckpointStore::CheckpointStore(std::filesystem::path folder, int keep)
    : folder_(std::move(folder)), keep_(keep) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw FileError(folder_.string(), "the folder cannot be made: " + error.message());
}

std::filesystem::path CheckpointStore::Save(const TrainingState& state) const {
  // 64-bit integers as text: JSON numbers lose bits in many readers.
  const nlohmann::json json = {{"stage", state.stage},
                               {"step", state.step},
                               {"loader_seed", std::to_string(state.loader.seed)},
                               {"loader_epoch", state.loader.epoch},
                               {"loader_position", state.loader.position},
                               {"seed", std::to_string(state.seed)},
                               {"threads", state.threads},
                               {"processes", state.processes},
                               {"device", state.device},
                               {"seconds", state.seconds},
                               {"scenes", state.scenes},
                               {"yaml", state.yaml}};
  std::vector<TensorSource> tensors;
  for (const auto& [name, weight] : state.weights) tensors.push_back(TensorSourceOf(name, weight));
  for (const auto& [name, tensor] : state.extra)
    tensors.push_back(TensorSourceOf(kExtraPrefix + name, tensor));
  const auto path = folder_ / fmt::format("step_{:010}.safetensors", state.step);
  WriteSafetensors(
      path, std::move(tensors),
      {{"format", "pt"}, {kConfigMetadataKey, state.model_yaml}, {kTrainingMetadataKey, json.dump()}});
  const auto files = CheckpointsIn(folder_);
  for (size_t i = 0; i + static_cast<size_t>(keep_) < files.size(); ++i) std::filesystem::remove(files[i]);
  RemoveUnfinished(folder_);
  return path;
}

std::optional<std::filesystem::path> CheckpointStore::Newest() const {
  const auto files = CheckpointsIn(folder_);
  if (files.empty()) return std::nullopt;
  return files.back();
}

TrainingState LoadTrainingState(const std::filesystem::path& path) {
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const auto found = checkpoint.metadata().find(kTrainingMetadataKey);
  const auto config = checkpoint.metadata().find(kConfigMetadataKey);
  if (found == checkpoint.metadata().end() || config == checkpoint.metadata().end()) {
    throw FileError(path.string(),
                    "holds weights but no state of a training run; it can start a stage "
                    "(training.init_checkpoint) but not resume one");
  }
  TrainingState state;
  state.model_yaml = config->second;
  try {
    const nlohmann::json json = nlohmann::json::parse(found->second);
    json.at("stage").get_to(state.stage);
    json.at("step").get_to(state.step);
    state.loader.seed = std::stoull(json.at("loader_seed").get<std::string>());
    json.at("loader_epoch").get_to(state.loader.epoch);
    json.at("loader_position").get_to(state.loader.position);
    state.seed = std::stoull(json.at("seed").get<std::string>());
    // Absent from checkpoints made before they were kept.
    state.threads = json.value("threads", state.threads);
    state.processes = json.value("processes", state.processes);
    state.device = json.value("device", state.device);
    json.at("seconds").get_to(state.seconds);
    json.at("scenes").get_to(state.scenes);
    json.at("yaml").get_to(state.yaml);
  } catch (const std::exception& error) {
    throw FileError(path.string(), std::string("the state of the training run is damaged: ") + error.what());
  }
  if (state.step < 0 || state.loader.epoch < 0 || state.loader.position < 0 || state.scenes < 0) {
    throw FileError(path.string(), "the state of the training run is damaged: a counter is negative");
  }
  const std::string prefix = kExtraPrefix;
  for (const std::string& name : checkpoint.names()) {
    const torch::Tensor tensor = checkpoint.Get(name).clone();
    if (name.starts_with(prefix)) {
      state.extra[name.substr(prefix.size())] = tensor;
    } else {
      state.weights.emplace_back(name, tensor);
    }
  }
  return state;
}

void CheckContinues(const TrainingState& stored, const TrainingState& now, const std::string& label) {
  if (stored.stage != now.stage || stored.seed != now.seed) {
    throw UsageError(
        fmt::format("{}: is of stage {} with seed {}, but the configuration says stage {} and seed {}", label,
                    stored.stage, stored.seed, now.stage, now.seed));
  }
  if (stored.yaml != now.yaml) LogWarning("{}: the configuration has changed since", label);
  if (stored.threads != now.threads || stored.processes != now.processes) {
    LogWarning("{}: was made by {} processes of {} threads, now there are {} of {}: not the same bits", label,
               stored.processes, stored.threads, now.processes, now.threads);
  }
  if (stored.device != now.device) {
    LogWarning("{}: was made on {}, and goes on here on {}: not the same bits", label, stored.device,
               now.device);
  }
}

void ExportModel(const std::filesystem::path& path, const NamedParameters& weights,
                 const std::string& model_yaml, torch::ScalarType matrices) {
  std::vector<TensorSource> tensors;
  for (const auto& [name, weight] : weights) {
    tensors.push_back(TensorSourceOf(name, weight.dim() >= 2 ? weight.to(matrices) : weight));
  }
  if (path.extension() == ".safetensors") {
    WriteSafetensors(path, std::move(tensors), {{"format", "pt"}, {kConfigMetadataKey, model_yaml}});
    return;
  }
  WriteTorchArchive(path, TorchValue::MakeCheckpoint(std::move(tensors), {{kConfigMetadataKey, model_yaml}}));
}

}  // namespace wildrayzer
