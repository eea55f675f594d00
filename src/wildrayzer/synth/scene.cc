#include "wildrayzer/synth/scene.h"

#include <set>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

constexpr int kRooms = 64;

std::vector<Footprint> Footprints(const Furnishing& furnishing) {
  std::vector<Footprint> result;
  for (const Placed& piece : furnishing.pieces) result.push_back(piece.footprint);
  return result;
}

void BuildWorld(Scene& scene, const Catalogue& catalogue) {
  scene.world = std::make_unique<RayWorld>(catalogue.device());
  scene.world->Add(
      {std::make_shared<const RayModel>(catalogue.device(), scene.room.shell), {}, Vec3::Ones()});
  for (const Placed& piece : scene.furnishing.pieces) {
    scene.world->Add({.model = catalogue.Load(piece.model), .pose = piece.pose, .tint = piece.tint});
  }
  scene.world->Commit();
}

bool TryScene(Scene& scene, const Catalogue& catalogue, const SceneOptions& options, uint64_t seed) {
  Random rooms(seed, "room"), furniture(seed, "furniture"), cameras(seed, "camera"), moving(seed, "movers");
  scene.room = MakeRoom(rooms);
  scene.furnishing = Furnish(scene.room, catalogue, options.split, furniture);
  BuildWorld(scene, catalogue);
  const std::vector<Footprint> footprints = Footprints(scene.furnishing);
  auto views = MakeCameraPath(scene.room, footprints, *scene.world, 0, options.frames, options.aspect,
                              options.path, cameras);
  if (!views) return false;
  scene.views = std::move(*views);
  if (!options.movers) return true;
  auto movers = MakeMovers(scene.room, footprints, *scene.world, catalogue, options.split, scene.views,
                           options.mover_limits, moving);
  if (!movers) return false;
  scene.movers = std::move(*movers);
  return true;
}

}  // namespace

Scene MakeScene(const Catalogue& catalogue, const SceneOptions& options) {
  for (int attempt = 0; attempt < kRooms; ++attempt) {
    Scene scene;
    if (!TryScene(scene, catalogue, options,
                  SplitMix64(SplitMix64(options.seed) + static_cast<uint64_t>(attempt))))
      continue;
    std::set<std::string> used;
    for (const Placed& piece : scene.furnishing.pieces) used.insert(catalogue.models()[piece.model].id);
    for (const Mover& mover : scene.movers) used.insert(catalogue.models()[mover.model].id);
    scene.models.assign(used.begin(), used.end());
    return scene;
  }
  throw Error("no room allows a camera path and movers within the limits; use another seed");
}

std::vector<Footprint> FurnitureFootprints(const Scene& scene) { return Footprints(scene.furnishing); }

}  // namespace wildrayzer::synth
