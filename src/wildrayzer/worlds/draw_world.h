// Draws worlds: places, things, papers, light, cameras that see enough of the same, and movers
// (docs/worlds.md).
#pragma once

#include <vector>

#include "wildrayzer/util/random.h"
#include "wildrayzer/worlds/texture_bank.h"
#include "wildrayzer/worlds/world.h"

namespace wildrayzer {

struct WorldOptions {
  int width = 128, height = 128;  // of the frames, for what is in view; only their ratio matters much
  int views = 6;
  int inputs = 2;  // the first of them
  // Multiplies rotations and translations between views, in (0, 1]: a curriculum.
  double motion = 1.0;
  // Least share of a view that is seen in the first one, and of the first one in it. Cameras with less are
  // drawn again, of ever smaller motion.
  double min_overlap = 0.35;
  double open = 0.2;         // share of worlds outdoors
  double movers = 0.5;       // share of worlds in which something moves
  double twins = 0.2;        // share of movers with a copy that stands still
  double shadows = 0.2;      // share of movers that throw a shadow
  double outside = 0.25;     // share of targets beyond the span of the inputs
  bool camera_noise = true;  // exposure, white balance, noise, blur of each view
};

// Depends only on its arguments.
World DrawWorld(const TextureBank& bank, const WorldOptions& options, Random& random);

// Another place, with other things and movers, around the very cameras of `path` (positions, axes, focal).
World DrawWorldAlong(const World& path, const TextureBank& bank, const WorldOptions& options, Random& random);

// What is measured of one view against the first one of its world.
struct WorldViewFacts {
  double overlap = 1;      // the smaller of the shares that one view sees of the other, of what stands still
  double translation = 0;  // in World::unit
  double yaw = 0, pitch = 0, roll = 0;  // degrees, of the relative rotation
  double rotation = 0;                  // degrees, the whole angle
  double cover = 0;                     // share of the view that movers cover
  double nearest = 0;                   // least depth in the view over its median depth
};
// On a grid of `grid` x `grid` points a view.
std::vector<WorldViewFacts> FactsOf(const World& world, const TextureBank& bank, int width, int height,
                                    int grid = 16);

}  // namespace wildrayzer
