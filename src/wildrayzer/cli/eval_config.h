// What `wildrayzer eval` is told: on the command line, and in the release's YAML.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/data/listed_scenes.h"

namespace wildrayzer {

struct EvalOptions {
  ModelOptions model;
  std::vector<std::string> arguments;  // DATA and KEY=VALUE
  std::string data, out, protocol = "iphone";
  std::vector<std::string> view_indices;
  std::vector<int> inputs = {2};
  int targets = 6, width = 256, height = 256, scenes = 0, gallery = 6;
  std::string mask_folder;  // --masks
  MaskFolders masks;
  std::string rayzer, lpips_vgg, lpips_heads;
  std::optional<double> mask_threshold;  // none: the model's own, and the published 0.1 without a model
  std::vector<std::string> external_masks, renders;  // NAME=FOLDER
  bool no_floors = false, no_oracle = false, no_cosegmentation = false, mask_floors = false;
  bool json = false;

  double MaskThreshold() const { return mask_threshold.value_or(0.1); }
};

// Sorts `arguments` into data and overrides, reads the file of --config, and takes from it what the command
// line left open. Keys of the release:
//   inference.model_path, .view_idx_file_path, .motion_mask_root, .use_gt_motion_masks,
//   .motion_mask_preserve_suffix, inference_out_root, training.dataset_path, .num_input_views,
//   .num_target_views, model.* (picture size; the rest is read when the model is loaded)
// and our own, which go before those:
//   evaluation.data, .out, .protocol, .view_indices (list), .inputs (list), .targets, .masks, .scenes,
//   .gallery, .rayzer, .dino, .lpips_vgg, .lpips_heads, .mask_threshold, .external_masks and .renders (name:
//   folder), .floors, .mask_floors, .oracle, .cosegmentation
// Paths are relative to the working directory, as in the release. Raises UsageError for unknown keys of
// `evaluation`, numbers out of range, and when there is no data or no output folder; other unknown keys are
// named in a warning.
void CompleteEvalOptions(const CLI::App& command, EvalOptions& options);

// Tells this build of the program from others, which may compute other numbers under the same version.
std::string ProgramDigest();

// Settings of an evaluation, name and value, as the report shows them.
using EvalFacts = std::vector<std::pair<std::string, std::string>>;
EvalFacts DescribeSettings(const EvalOptions& options);

// The settings; what lies in a folder with this file was made by `eval`.
inline constexpr char kEvaluationFile[] = "evaluation.json";

// Creates the folder of results, or goes on in one: a line of the log says whether the settings are those
// that evaluation.json has, or which have changed since (true: the same; what still holds is found out result
// by result). Then evaluation.json has these. UsageError for a folder that holds something else.
bool OpenEvaluation(const std::string& folder, const EvalFacts& facts);

}  // namespace wildrayzer
