#include "wildrayzer/synth/scene_files.h"

#include <nlohmann/json.hpp>

#include "wildrayzer/data/scene_writer.h"

namespace wildrayzer::synth {
namespace {

using Json = nlohmann::ordered_json;

Eigen::Matrix4d WorldToCamera(const View& view) {
  Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();
  w2c.topLeftCorner<3, 3>() = view.rotation.cast<double>().transpose();
  w2c.topRightCorner<3, 1>() = -w2c.topLeftCorner<3, 3>() * view.position.cast<double>();
  return w2c;
}

Json Describe(const Scene& scene, const Catalogue& catalogue, const SceneOptions& made_with) {
  const auto id = [&catalogue](size_t model) { return catalogue.models()[model].id; };
  Json synthetic;
  synthetic["seed"] = made_with.seed;
  synthetic["split"] = SplitName(made_with.split);
  synthetic["models"] = scene.models;
  synthetic["movers"] = Json::array();
  for (const Mover& mover : scene.movers) synthetic["movers"].push_back(id(mover.model));
  synthetic["still_people"] = Json::array();
  for (const size_t i : scene.furnishing.still_people)
    synthetic["still_people"].push_back(id(scene.furnishing.pieces[i].model));
  return synthetic;
}

}  // namespace

void WriteSceneFiles(const std::filesystem::path& root, const std::string& name, const Scene& scene,
                     const Catalogue& catalogue, const SceneOptions& made_with,
                     const std::vector<Frame>& frames, const SceneFilesOptions& options) {
  const double w = frames[0].rgb.width, h = frames[0].rgb.height;
  std::vector<FrameToWrite> written;
  for (size_t f = 0; f < frames.size(); ++f) {
    const Frame& frame = frames[f];
    const View& view = scene.views[f];
    FrameToWrite& out = written.emplace_back();
    out.rgb = &frame.rgb;
    if (options.masks) out.clean = &frame.clean, out.mask = &frame.mask, out.shadow = &frame.shadow;
    if (options.depth) out.depth = &frame.depth;
    out.fxfycxcy = {view.fx * w, view.fy * h, view.cx * w, view.cy * h};
    out.w2c = WorldToCamera(view);
  }
  WriteScene(root, name, written, options.pairs, Describe(scene, catalogue, made_with));
}

}  // namespace wildrayzer::synth
