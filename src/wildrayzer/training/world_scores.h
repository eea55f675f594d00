// How good a model is on worlds that it has not seen, where everything is known: what tells cameras that lie
// from true ones above all.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "wildrayzer/models/pass.h"
#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/texture_bank.h"

namespace wildrayzer {

struct WorldScoreOptions {
  int worlds = 0;  // 0: none are scored
  uint64_t seed = 1000;
  int inputs = 2, targets = 4;
  WorldOptions drawn;
  TextureSources textures;
};

// Scores `model`, which is on `device`, on worlds papered from `bank` (of options.textures and options.seed),
// on frames of its configuration's size. Means over the target views
// unless said; no gradient is recorded.
//   psnr                  rendered as always: estimated cameras, predicted masks; against the clean pictures
//   truth_psnr            the same with the true cameras and the true masks
//   mean_input_psnr       of the mean of the inputs
//   transfer_psnr         another world, without movers, rendered at the cameras that were estimated on this
//                         one, whose path is the same: only cameras that are true up to a scale do well
//   transfer_truth_psnr   that other world rendered at its true cameras
//   rotation_degrees, still_degrees   error of the rotations relative to the first view, and that of the
//                         guess that nothing turned
//   translation_r2        explained part of the translations, against the best constant guess
//   mask_iou, mask_recall of the inputs and targets in which something moves, at motion.threshold
//   best_mask_iou, best_threshold     the same at the threshold that is best for it
//   twin_false_positives  share of the pixels of twins that stand still that are taken for moving
std::map<std::string, double> ScoreOnWorlds(WildRayZer model, const FeatureSource& features,
                                            const WorldScoreOptions& options, const TextureBank& bank,
                                            torch::Device device);

// Cameras of `worlds` where the place is that of `others`: translations from the unit of length of the one to
// that of the other. The true cameras of worlds become the true ones of worlds drawn along them.
Cameras InOtherWorlds(const Cameras& cameras, std::span<const World> worlds, std::span<const World> others);

}  // namespace wildrayzer
