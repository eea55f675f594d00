#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/evaluation/runner.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/vision/overlay.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Mean absolute difference of the channels; full scale at 0.5.
Image ErrorMap(const Planes& picture, const Planes& truth) {
  Planes error(1, truth.height, truth.width);
  for (size_t i = 0; i < error.values.size(); ++i) {
    float sum = 0.0f;
    for (int c = 0; c < 3; ++c) sum += std::abs(picture.Plane(c)[i] - truth.Plane(c)[i]);
    error.values[i] = std::min(1.0f, sum / 1.5f);
  }
  return HeatMap(GrayFrom(error));
}

std::string FrameCaption(const EvaluationScene& scene, size_t view) {
  return "frame " + std::to_string(scene.frames[view]);
}

void AddTruthRows(const EvaluationScene& scene, GalleryScene& gallery) {
  GalleryRow inputs{"inputs", {}}, observed{"targets as seen", {}}, truth{"targets, truth", {}},
      masks{"true masks", {}};
  for (size_t v = 0; v < scene.frames.size(); ++v) {
    const bool is_input = v < static_cast<size_t>(scene.num_inputs);
    (is_input ? inputs : observed).cells.push_back({FrameCaption(scene, v), scene.observed[v]});
    if (!is_input)
      truth.cells.push_back({FrameCaption(scene, v), ImageFrom(scene.truth[v - scene.num_inputs])});
    if (!scene.masks[v].values.empty()) {
      masks.cells.push_back(
          {FrameCaption(scene, v), OverlayMask(scene.observed[v], GrayFrom(scene.masks[v]))});
    }
  }
  gallery.rows.push_back(std::move(inputs));
  gallery.rows.push_back(std::move(observed));
  if (scene.clean_truth) gallery.rows.push_back(std::move(truth));
  if (!masks.cells.empty()) gallery.rows.push_back(std::move(masks));
}

void AddMethodRows(const EvaluationScene& scene, const fs::path& folder, const std::string& title,
                   GalleryScene& gallery) {
  GalleryRow renders{title, {}}, errors{title + ", error (white: 0.5 and above)", {}},
      masks{title + ", motion", {}};
  for (size_t v = 0; v < scene.frames.size(); ++v) {
    const fs::path mask = folder / fmt::format("mask_{:02d}.png", v);
    if (fs::exists(mask))
      masks.cells.push_back({FrameCaption(scene, v), OverlayMask(scene.observed[v], ReadGray(mask))});
  }
  for (size_t t = 0; t < scene.num_targets(); ++t) {
    const fs::path path = folder / fmt::format("target_{:02d}.png", t);
    if (!fs::exists(path)) continue;
    const Planes picture = PlanesFrom(ReadImage(path));
    renders.cells.push_back({FrameCaption(scene, scene.num_inputs + t), ImageFrom(picture)});
    errors.cells.push_back({FrameCaption(scene, scene.num_inputs + t), ErrorMap(picture, scene.truth[t])});
  }
  for (GalleryRow* row : {&renders, &errors, &masks}) {
    if (!row->cells.empty()) gallery.rows.push_back(std::move(*row));
  }
}

}  // namespace

std::vector<GalleryScene> MakeGallery(const SettingRequest& setting, const SettingResult& result,
                                      const RunOptions& options) {
  std::vector<GalleryScene> gallery;
  for (size_t i = 0; i < setting.scenes->size() && static_cast<int>(gallery.size()) < options.gallery_scenes;
       ++i) {
    if (options.max_scenes != 0 && i >= options.max_scenes) break;
    try {
      const EvaluationScene scene = LoadScene(*setting.scenes, i, setting, options);
      GalleryScene shown{setting.label, scene.name, {}};
      AddTruthRows(scene, shown);
      for (const MethodResult& method : result.methods) {
        const fs::path folder = options.folder / "runs" / FolderName(setting.label) /
                                FolderName(method.name) / FolderName(scene.name);
        AddMethodRows(scene, folder, method.title, shown);
      }
      gallery.push_back(std::move(shown));
    } catch (const std::exception& error) {  // already listed as failed
      LogWarning("{}: not shown in the report: {}", setting.scenes->name(i), error.what());
    }
  }
  return gallery;
}

}  // namespace wildrayzer
