#include "train_run.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace fs = std::filesystem;

namespace {

constexpr char kModel[] = R"(
model:
  image_tokenizer: {image_size: 32, patch_size: 8, in_channels: 3}
  target_pose_tokenizer: {image_size: 32, patch_size: 8, in_channels: 6}
  target_image: {height: 32, width: 32, patch_size: 8, in_channels: 3}
  scene_latent: {length: 8}
  pose_latent: {focal: bounded}
  transformer:
    {d: 32, d_head: 16, encoder_n_layer: 1, encoder_geom_n_layer: 1, decoder_n_layer: 1, init_scale: fan_in}
  use_motion_mask: true
  token_masking: noise
  motion: {threshold: 0.6, features: own, feature_layer: 0, layers: 1}
  dinov3_pseudolabel: {coseg_k: 8, coseg_cluster_top_percent: 0.5, coseg_consistency_min_frames: 1}
training:
  view_selector_static: {min_frame_dist: 4, max_frame_dist: 7}
  view_selector_dynamic: {min_frame_dist: 4, max_frame_dist: 7}
  num_target_views: 2
  batch_size_per_gpu: 4
  num_workers: 1
  seed: 5
  use_amp: false
  lr: 3e-3
  allowed_gradnorm_factor: 1000
  psnr_filter_threshold: -100
)";

}  // namespace

const fs::path& Rooms() {
  static const fs::path rooms = [] {
    const fs::path out = FreshFolder("rooms") / "data";
    const ProgramResult result = RunProgram({"rooms",
                                             "--built-in",
                                             "--out",
                                             out,
                                             "--size",
                                             "32",
                                             "--frames",
                                             "8",
                                             "--samples",
                                             "1",
                                             "--static-train",
                                             "4",
                                             "--static-test",
                                             "0",
                                             "--dynamic-train",
                                             "3",
                                             "--dynamic-test",
                                             "1",
                                             "--paired",
                                             "0",
                                             "--cutouts-train",
                                             "2",
                                             "--no-depth",
                                             "--threads",
                                             "1",
                                             "--quiet"});
    if (result.exit_code != 0) throw std::runtime_error("rooms: " + result.err);
    return out;
  }();
  return rooms;
}

fs::path WriteTrainConfig(const fs::path& path, const std::string& more) {
  const std::string rooms = Rooms().string();
  WriteFileAtomically(path, std::string(kModel) + "  static_re10k_path: " + rooms + "/" + kStaticScenes +
                                "\n  dynamic_re10k_path: " + rooms + "/dynamic_re10k/train/full_list.txt\n" +
                                more);
  return path;
}

std::vector<std::string> TrainArguments(const fs::path& config, const fs::path& out,
                                        const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"train", "--config", config, "--out", out, "--threads", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::map<std::string, StoredTensor> ReadTensors(const fs::path& path) {
  std::map<std::string, StoredTensor> tensors;
  const TensorFile file = OpenSafetensors(path);
  for (const TensorEntry& entry : file.tensors()) {
    StoredTensor& tensor = tensors[entry.name];
    tensor.shape = entry.shape;
    entry.Stream([&](std::span<const std::byte> bytes) {
      tensor.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
  }
  return tensors;
}

std::vector<std::pair<int64_t, double>> ReadCurve(const fs::path& run, const std::string& tag) {
  std::vector<std::pair<int64_t, double>> curve;
  std::ifstream file(run / "log.jsonl");
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    if (entry.contains(tag)) curve.emplace_back(entry.at("step"), entry.at(tag));
  }
  return curve;
}

std::vector<fs::path> Checkpoints(const fs::path& run) {
  std::vector<fs::path> files;
  if (!fs::exists(run / "checkpoints")) return files;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) {
    if (entry.path().filename().string().starts_with("step_")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace wildrayzer
