#include "wildrayzer/training/world_config.h"

#include "wildrayzer/training/config_values.h"

namespace wildrayzer {
namespace {

std::vector<std::filesystem::path> ReadPaths(const Config& config, const std::string& key) {
  const auto names = config.Get<std::vector<std::string>>(key, {});
  return {names.begin(), names.end()};
}

}  // namespace

WorldTraining ReadWorldTraining(const Config& config, int scenes) {
  const std::string key = "training.worlds.";
  WorldTraining worlds;
  worlds.scenes = Bounded(config, key + "scenes", scenes, 0, 65536);
  worlds.views = Bounded(config, key + "views", worlds.views, 2, 64);
  worlds.min_views = Bounded(config, key + "min_views", worlds.min_views, 2, worlds.views);
  worlds.max_inputs = Bounded(config, key + "max_inputs", worlds.max_inputs, 2, worlds.views);
  worlds.loss_weight = ReadRamp(config, key + "loss_weight", 1.0, 0.0, 1e6);
  worlds.huber = Bounded(config, key + "huber", worlds.huber, 1e-6, 1.0);
  worlds.match_attention = ReadRamp(config, key + "match_attention", 0.0, 0.0, 1e6);
  worlds.look_attention = ReadRamp(config, key + "look_attention", 0.0, 0.0, 1e6);
  worlds.render = config.Get<bool>(key + "render", worlds.render);
  worlds.true_cameras = ReadRamp(config, key + "true_cameras", 1.0, 0.0, 1.0);
  worlds.true_masks = ReadRamp(config, key + "true_masks", 1.0, 0.0, 1.0);
  worlds.min_overlap = ReadRamp(config, key + "min_overlap", worlds.drawn.min_overlap, 0.0, 0.9);
  worlds.motion = ReadRamp(config, key + "motion", 1.0, 0.01, 1.0);
  worlds.distinct = Bounded<int64_t>(config, key + "distinct", worlds.distinct, 0, 1'000'000'000);
  WorldOptions& drawn = worlds.drawn;
  drawn.open = Bounded(config, key + "open", drawn.open, 0.0, 1.0);
  drawn.movers = Bounded(config, key + "movers", drawn.movers, 0.0, 1.0);
  drawn.twins = Bounded(config, key + "twins", drawn.twins, 0.0, 1.0);
  drawn.shadows = Bounded(config, key + "shadows", drawn.shadows, 0.0, 1.0);
  drawn.outside = Bounded(config, key + "outside", drawn.outside, 0.0, 1.0);
  TextureSources& textures = worlds.textures;
  textures.procedural = Bounded(config, key + "textures", textures.procedural, 1, 65536);
  textures.procedural_cutouts = Bounded(config, key + "figures", textures.procedural_cutouts, 1, 65536);
  textures.pictures = ReadPaths(config, key + "pictures");
  textures.cutouts = ReadPaths(config, key + "cutouts");
  return worlds;
}

}  // namespace wildrayzer
