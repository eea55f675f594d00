// What a training step learns from worlds (worlds/draw_world.h): how many, of what kind, and what of their
// truth is used when.
#pragma once

#include <string>
#include <vector>

#include "wildrayzer/training/schedule.h"
#include "wildrayzer/util/config.h"
#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/texture_bank.h"

namespace wildrayzer {

struct WorldTraining {
  int scenes = 0;  // of a step and rank; 0: none
  int views = 5;
  int min_views = 2;                       // the number of views is drawn for every step
  int max_inputs = 2;                      // so is that of inputs, 2 at least; there is always a target
  Ramp loss_weight = Ramp::Constant(1.0);  // of the camera and match terms
  double huber = 0.05;                     // below this size of an error these are quadratic
  // Weights of the attention to matches (camera_losses.h, MatchAttentionLoss): of the camera estimator's,
  // beside those terms, and of the renderer's, beside the rendering, where scenes are tokens.
  Ramp match_attention = Ramp::Constant(0.0);
  Ramp look_attention = Ramp::Constant(0.0);
  bool render = true;  // also render the targets, and predict what moves:
  // Share of worlds rendered at the true cameras, the others at the estimated ones; and of those in which the
  // true masks hide what moves, in the others the predicted ones do.
  Ramp true_cameras = Ramp::Constant(1.0);
  Ramp true_masks = Ramp::Constant(1.0);
  // As in WorldOptions; ramps make a curriculum.
  Ramp min_overlap = Ramp::Constant(0.35);
  Ramp motion = Ramp::Constant(1.0);
  // So many worlds over and over; 0: new ones without end.
  int64_t distinct = 0;
  WorldOptions drawn;
  TextureSources textures;
};

// Reads `training.worlds.*`. scenes: of a step when the key is absent.
WorldTraining ReadWorldTraining(const Config& config, int scenes);

}  // namespace wildrayzer
