// How good the model is on held-out scenes while it trains: the evaluation's own metrics on a few scenes.
#pragma once

#include <map>
#include <string>

#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/training/train_config.h"

namespace wildrayzer {

// Scores `model` on the first validation.max_scenes scenes: "psnr" (against clean pictures where there are
// such), "mean_input_psnr" (of the mean of the inputs: what knows no geometry reaches), with true cameras
// "rotation_degrees" and "translation_r2" (both after the best similarity; translation_r2 is the explained
// part of the positions' variance), "pose_auc20"; with true masks and a motion estimator "mask_iou" and
// "mask_recall". Means over scenes; a scene that cannot be read raises FileError. Records no gradient.
std::map<std::string, double> Validate(WildRayZer model, const Dinov3& dino, const TrainConfig& config);

}  // namespace wildrayzer
