// Training runs of the executable, for tests: tiny data, a tiny model, and what a run leaves behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "run_program.h"

namespace wildrayzer {

// Rooms of 32 x 32 pixels made by `wildrayzer rooms`, once for all tests: 4 static and 3 dynamic scenes of 8
// frames for training, one dynamic scene for validation, and cut-outs.
const std::filesystem::path& Rooms();

// The static training set as training.static_re10k_path names it, below any copy of Rooms().
inline constexpr char kStaticScenes[] = "re10k/train/full_list.txt";

// Writes a configuration of a model of 30 thousand parameters on Rooms(), followed by `more` YAML.
std::filesystem::path WriteTrainConfig(const std::filesystem::path& path, const std::string& more = "");

// `wildrayzer train` on one thread with that configuration and overrides (key=value, or options).
std::vector<std::string> TrainArguments(const std::filesystem::path& config, const std::filesystem::path& out,
                                        const std::vector<std::string>& more);

// Shape and bytes of all tensors of a safetensors file.
struct StoredTensor {
  std::vector<int64_t> shape;
  std::string bytes;
  bool operator==(const StoredTensor&) const = default;
};
std::map<std::string, StoredTensor> ReadTensors(const std::filesystem::path& path);

// What is in the log of a run under this tag: (step, value), in order of the file.
std::vector<std::pair<int64_t, double>> ReadCurve(const std::filesystem::path& run, const std::string& tag);

// The checkpoints of a run, oldest first.
std::vector<std::filesystem::path> Checkpoints(const std::filesystem::path& run);

}  // namespace wildrayzer
