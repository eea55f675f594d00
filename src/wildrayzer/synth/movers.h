// What moves: people and pets that walk along the floor, things that they carry or push.
#pragma once

#include <optional>
#include <vector>

#include "wildrayzer/synth/camera_path.h"
#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/room.h"

namespace wildrayzer::synth {

// Every accepted set of movers obeys this, measured on a 32 x 32 grid of rays a frame with occlusion by the
// room.
struct MoverLimits {
  float min_cover = 0.05F,
        max_cover = 0.40F;  // mean over the frames of the fraction of pixels that show movers
  float max_frame_cover = 0.65F;
  float min_step = 0.02F;  // metres that every mover moves between consecutive frames, at least
  float camera_gap = 0.7F;
};

struct Mover {
  size_t model = 0;
  Vec3 tint = Vec3::Ones();
  std::vector<Pose> poses;  // one a frame
};

// Movers for a path of views, or nothing when none was found in a bounded number of tries.
std::optional<std::vector<Mover>> MakeMovers(const Room& room, const std::vector<Footprint>& furniture,
                                             const RayWorld& world, const Catalogue& catalogue, Split split,
                                             const std::vector<View>& views, const MoverLimits& limits,
                                             Random& random);

}  // namespace wildrayzer::synth
