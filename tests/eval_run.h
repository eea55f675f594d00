// Evaluations of the executable, for tests: small paired scenes, arguments, and what is in the results.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.h"
#include "wildrayzer/data/testing/small_scenes.h"

namespace wildrayzer {

inline std::vector<std::string> Join(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A NumPy file of 64 x 64 zeros and ones: the left quarter moves.
inline void WriteMask(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (64, 64), }";
  header.resize(117, ' ');
  std::string data(64 * 64, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = i % 64 < 16 ? '\1' : '\0';
  WriteFileAtomically(path, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + data);
}

// Two paired scenes of 5 frames with masks and a view list of two inputs and two targets, below `root`.
inline void WritePairs(const std::filesystem::path& root) {
  testing::WriteList(root, 2, 5, /*paired=*/true);
  nlohmann::json views;
  for (const char* scene : {"scene_00", "scene_01"}) {
    views[scene] = {{"context", {0, 4}}, {"target", {1, 3}}};
    for (int frame = 0; frame < 5; ++frame)
      WriteMask(root / "masks" / scene / fmt::format("{:05d}.npy", frame));
  }
  std::ofstream(root / "views.json") << views.dump();
}

// The arguments of an evaluation of these pairs with a picture size and results in `out`.
inline std::vector<std::string> PairsArguments(const std::filesystem::path& root, const std::string& side,
                                               const std::filesystem::path& out,
                                               const std::vector<std::string>& more) {
  return Join({"eval", root / "full_list.txt", "--view-index", root / "views.json", "--masks", root / "masks",
               "--width", side, "--height", side, "--out", out},
              more);
}

// The keys that the release's inference file has, and some of ours.
inline std::string ReleaseYaml(const std::filesystem::path& root, const std::string& more = "") {
  return fmt::format(
      "model:\n"
      "  class_name: model.rayzer_official_v3.Images2Latent4D\n"
      "  image_tokenizer: {{image_size: 64, patch_size: 16, in_channels: 3}}\n"
      "training:\n"
      "  dataset_path: {0}/full_list.txt\n"
      "  num_input_views: 2\n"
      "  num_target_views: 2\n"
      "  square_crop: true\n"
      "inference:\n"
      "  if_inference: true\n"
      "  use_gt_motion_masks: false\n"
      "  motion_mask_root:\n"
      "    default: {0}/masks\n"
      "  view_idx_file_path: {0}/views.json\n"
      "  render_video: false\n"
      "  render_video_config: {{traj_type: dataset, num_frames: 60}}\n"
      "inference_out_root: {0}/results\n"
      "{1}",
      root.string(), more);
}

inline nlohmann::json Results(const std::filesystem::path& folder) {
  return nlohmann::json::parse(ReadText(folder / "results.json"));
}

// Everything that was measured, by method.
inline std::map<std::string, nlohmann::json> MethodsOf(const nlohmann::json& results) {
  std::map<std::string, nlohmann::json> methods;
  for (const auto& method : results.at("settings").at(0).at("methods")) methods[method.at("name")] = method;
  return methods;
}
// Without the seconds that it took.
inline std::map<std::string, nlohmann::json> ScoresOf(const nlohmann::json& results) {
  std::map<std::string, nlohmann::json> scores = MethodsOf(results);
  for (auto& [name, method] : scores) {
    method.erase("seconds");
    for (auto& scene : method["scenes"]) scene.erase("seconds");
  }
  return scores;
}
inline std::map<std::string, nlohmann::json> Scores(const std::filesystem::path& folder) {
  return ScoresOf(Results(folder));
}

}  // namespace wildrayzer
