// What the files that draw worlds share.
#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "wildrayzer/util/random.h"
#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/ray_caster.h"

namespace wildrayzer {

inline float Between(Random& random, double low, double high) {
  return static_cast<float>(random.Uniform(low, high));
}
inline float LogBetween(Random& random, double low, double high) {
  return static_cast<float>(std::exp(random.Uniform(std::log(low), std::log(high))));
}
inline bool Chance(Random& random, double share) { return random.Uniform() < share; }
inline float Radians(double degrees) { return static_cast<float>(degrees * std::numbers::pi / 180.0); }

// Turned by yaw about y (down), then by pitch about its own x, then by roll about its own z; radians.
Frame3 Turned(float yaw, float pitch = 0, float roll = 0);
// The axes `inner`, which are given in `outer`, in the world.
Frame3 Compose(const Frame3& outer, const Frame3& inner);

// Where things may stand; y is down.
struct Place {
  bool open = false;
  float floor = 0;               // y
  float ceiling = 0;             // y; the sky's in the open
  float half_x = 1, half_z = 1;  // of the floor
};

// The room or the ground and sky, things in it, and light; no cameras.
Place DrawPlace(const TextureBank& bank, const WorldOptions& options, Random& random, World& world);

// A paper for faces of about `metres`, nearly flat with a probability of `flat`; its index in world.papers.
int DrawPaper(const TextureBank& bank, double metres, double flat, Random& random, World& world);
// One that shows a cut-out once on a card of this size, perhaps mirrored.
int CutoutPaper(int texture, Float3 half, bool mirrored, Float3 gain, World& world);
// A few shapes that belong together, standing at (0, 0, 0) with y up to -height.
std::vector<Primitive> DrawThing(const TextureBank& bank, float size, Random& random, World& world);
// As it stands at `base`, turned by yaw.
Primitive Placed(const Primitive& part, Float3 base, float yaw);

// Cameras of a world relative to the first: as if that stood at 0 with a yaw of 0.
struct RelativeView {
  Float3 position;
  Frame3 axes;
};
// How far and whither the cameras go, the same wherever they stand, so that what is refused for its place
// does not favour short ways; only after many refusals for lack of overlap does it shrink.
struct Wanted {
  uint64_t seed = 0;    // of the way
  double motion = 1.0;  // what is left of it
  int refused = 0;
};
// Puts views into world.views, at a point of the place from which they see enough of the same: those of
// `path` (metres), or drawn ones when it is empty. False when none was found.
bool DrawCameras(const TextureBank& bank, const Place& place, const WorldOptions& options,
                 const std::vector<RelativeView>& path, Random& random, Wanted& wanted, World& world);

// Whether every view keeps its distance from everything, and shares at least `least` of its points with the
// first one, in both directions.
bool SeesEnough(const WorldPointers& pointers, const std::vector<WorldView>& views,
                const WorldOptions& options, double least);

// Adds what moves, and twins that do not.
void DrawMovers(const TextureBank& bank, const Place& place, const WorldOptions& options, Random& random,
                World& world);

// Through the centre of cell i of grid x grid cells of a view, row by row.
Float3 GridRay(const WorldView& view, int width, int height, int grid, int i);
// Depths of what stands still at the centres of a grid x grid cells of a view, row by row.
std::vector<float> GridDepths(const WorldPointers& world, const WorldView& view, int width, int height,
                              int grid);
float Median(std::vector<float> values);
// Of the points that `view` sees on a grid, the share that `other` sees too.
double SharedView(const WorldPointers& world, const WorldView& view, const WorldView& other, int width,
                  int height, int grid);

}  // namespace wildrayzer
