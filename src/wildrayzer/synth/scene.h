// One scene: a furnished room, a camera path and, in dynamic scenes, what moves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wildrayzer/synth/camera_path.h"
#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/furnish.h"
#include "wildrayzer/synth/movers.h"
#include "wildrayzer/synth/room.h"

namespace wildrayzer::synth {

struct SceneOptions {
  uint64_t seed = 0;  // of this scene
  Split split = Split::kTrain;
  int frames = 16;      // >= 2
  float aspect = 1.0F;  // width / height
  bool movers = false;
  PathLimits path;
  MoverLimits mover_limits;
};

struct Scene {
  Room room;
  Furnishing furnishing;
  std::vector<View> views;
  std::vector<Mover> movers;
  std::unique_ptr<RayWorld> world;  // static: instance 0 is the room's shell, then furnishing.pieces in order
  std::vector<std::string> models;  // ids used, sorted, without repeats
};

// Deterministic in the options and the catalogue. A room that allows no path or no movers within the limits
// is drawn anew; raises Error when 64 rooms in a row fail.
Scene MakeScene(const Catalogue& catalogue, const SceneOptions& options);

// Footprints of all furniture, for tests of clearance.
std::vector<Footprint> FurnitureFootprints(const Scene& scene);

}  // namespace wildrayzer::synth
