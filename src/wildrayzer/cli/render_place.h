// One place: from photos to a finished folder of results.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// The options of `wildrayzer render`.
struct RenderOptions {
  ModelOptions model;
  std::vector<std::string> paths;
  std::string out;
  bool each = false;  // the one path holds a folder (or video) a place
  bool overwrite = false;
  int inputs = 0;
  int targets = 0;
  std::string trajectory = "interpolate";
  int frames = 24;
  double fps = 12;
  double orbit_degrees = 30;
  bool loop = false;
  bool no_clean = false;
  int detail = 4;
  double threshold = -1;
  std::string masks;  // folder of the user's own
  bool invert_masks = false;
  std::string masks_mode = "replace";
  std::vector<std::string> exports;
  bool json = false;
};

struct PlaceResult {
  nlohmann::ordered_json metadata;  // as in metadata.json
  std::string left_out;             // empty, or an error: which photos the result had to do without
};

// Renders places one after the other with the same options and model, which is loaded for the first one.
class PlaceRenderer {
 public:
  // Raises UsageError for options that cannot be.
  explicit PlaceRenderer(const RenderOptions& options);

  // Writes the result to folder `out`.
  PlaceResult Render(const std::vector<std::string>& paths, const std::string& out);

 private:
  // After what is wrong with the photos and the output folder was said.
  const ModelSource& Source();
  const Reconstructor& Model(const ProgressCallback& progress);

  RenderOptions options_;
  std::optional<ModelSource> source_;
  std::optional<Reconstructor> model_;
};

}  // namespace wildrayzer
