// Runs methods over a data set, scene by scene, and keeps every finished scene so that an interrupted run
// resumes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/data/scene.h"
#include "wildrayzer/evaluation/report.h"
#include "wildrayzer/evaluation/scoring.h"

namespace wildrayzer {

// One setting of an evaluation: a data set with one choice of views.
struct SettingRequest {
  std::string label;  // "2 views"; also the folder of its files
  std::string data;   // name of the data set in tables
  std::shared_ptr<const SceneDataset> scenes;
  // When the data set has no list of views: this many inputs and targets are spread over the scene's frames.
  int num_inputs = 2;
  int num_targets = 6;
};

struct RunOptions {
  std::filesystem::path folder;  // receives runs/ with one json and the pictures of every scene and method
  Protocol protocol;
  int width = 256, height = 256;
  double mask_threshold = 0.1;
  size_t max_scenes = 0;   // 0: all
  int gallery_scenes = 6;  // of each setting, shown in the report
  LpipsFunction lpips;
  // Whatever else decides numbers, as text: the program itself, the files of LPIPS.
  std::string identity;
  // Called before every scene with its name and number of methods; empty name: one method is done.
  std::function<void(const std::string& scene, int methods)> progress;
};

// Reads the views of a scene for an evaluation. Raises FileError for whatever is missing or damaged.
EvaluationScene LoadScene(const SceneDataset& scenes, size_t index, const SettingRequest& setting,
                          const RunOptions& options);

// All that decides the scores of a scene, except the method: pictures, masks and cameras of its views value
// by value, and the options. SHA-256.
std::string SceneIdentity(const EvaluationScene& scene, const RunOptions& options);

// Scores every method on every scene. A complete result in folder/runs/... is taken as it is when all that
// decides it is the same as then (SceneIdentity and Method::Identity); otherwise it is measured anew, and
// counted in SettingResult::outdated. A failed scene is always measured again. A method that raises an error
// on a scene (other than UsageError or Interrupted) has failed on it: the reason is kept.
SettingResult RunSetting(const SettingRequest& setting, const std::vector<std::unique_ptr<Method>>& methods,
                         const RunOptions& options);

// Pictures of the first scenes of a finished setting: inputs, truth, true masks, and every method's
// renderings, error maps and masks.
std::vector<GalleryScene> MakeGallery(const SettingRequest& setting, const SettingResult& result,
                                      const RunOptions& options);

// A name that is safe as one folder of a path; distinct names stay distinct.
std::string FolderName(const std::string& name);

}  // namespace wildrayzer
