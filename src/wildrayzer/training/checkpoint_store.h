// Checkpoints of a training run: everything that continues it bit for bit, in one safetensors file that is
// also an ordinary model file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "wildrayzer/data/loader.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/training/optimizer.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// All randomness of a run is drawn from (seed, step), so the counters below are its whole random state.
struct TrainingState {
  int stage = 1;
  int64_t step = 0;  // steps done
  LoaderState loader;
  uint64_t seed = 0;
  int threads = 1;             // of each process; with them the order of sums, and so the bits, change
  int processes = 1;           // and with these the means that are made within each process
  std::string device = "cpu";  // or "cuda"
  double seconds = 0;          // of training so far, over all sessions
  int64_t scenes = 0;          // seen so far
  std::string yaml;            // the configuration of the run
  std::string model_yaml;      // ModelConfig::ToYaml
  NamedParameters weights;     // float32, under the release's names
  // Optimizer, averaged weights, training aids: stored under "training." + name.
  std::map<std::string, torch::Tensor> extra;

  // Those of one owner, whose names begin with `prefix`: without it, and put in under it.
  std::map<std::string, torch::Tensor> Extra(const std::string& prefix) const;
  void AddExtra(const std::string& prefix, const std::map<std::string, torch::Tensor>& part);
};

class CheckpointStore {
 public:
  // Creates the folder if need be. `keep`: the newest so many files are kept.
  CheckpointStore(std::filesystem::path folder, int keep);

  // Writes FOLDER/step_0000001234.safetensors atomically, then deletes the oldest of these beyond `keep`.
  // FileError when the disk is full: the older files are untouched.
  std::filesystem::path Save(const TrainingState& state) const;

  // The newest file, if there is any.
  std::optional<std::filesystem::path> Newest() const;

 private:
  std::filesystem::path folder_;
  int keep_;
};

// Reads a checkpoint written by Save. FileError when it is no training checkpoint or damaged.
TrainingState LoadTrainingState(const std::filesystem::path& path);

// UsageError naming `label` unless what was stored there can go on as `now`: the same stage and seed. Other
// threads, processes, devices and settings are warned of.
void CheckContinues(const TrainingState& stored, const TrainingState& now, const std::string& label);

// Weights alone, for use: .safetensors by name, or a .pt in the release's layout ({"model": state dict}).
void ExportModel(const std::filesystem::path& path, const NamedParameters& weights,
                 const std::string& model_yaml, torch::ScalarType matrices = torch::kFloat32);

}  // namespace wildrayzer
