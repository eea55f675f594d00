// Puts furniture into a room: pieces against walls, free pieces, seats around tables, things on top, lamps,
// people who stand still. Nothing intersects.
#pragma once

#include <vector>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/room.h"

namespace wildrayzer::synth {

struct Placed {
  size_t model = 0;  // index into the catalogue
  Pose pose;
  Vec3 tint = Vec3::Ones();
  Footprint footprint;
};

struct Furnishing {
  std::vector<Placed> pieces;
  std::vector<size_t> still_people;  // indices into pieces
};

// Models come from `split` only. Lamps add to room.lights. Models whose files are damaged are skipped.
Furnishing Furnish(Room& room, const Catalogue& catalogue, Split split, Random& random);

// Where a model of this size stands when its pose turns it by yaw about the point (x, bottom, z).
Footprint FootprintOf(const Vec3& size, const Vec3& position, float yaw);

// Uneven tint: each channel in [1 - spread, 1 + spread].
Vec3 RandomTint(Random& random, float spread);

}  // namespace wildrayzer::synth
