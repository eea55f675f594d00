// How good the model is on held-out scenes while it trains: the evaluation's own metrics on a few scenes.
#pragma once

#include <map>
#include <string>

#include "wildrayzer/models/pass.h"
#include "wildrayzer/training/train_config.h"

namespace wildrayzer {

// Scores `model` on the first validation.max_scenes scenes. Means over scenes:
//   psnr, mean_input_psnr   of the renderings and of the mean of the inputs (what knows no geometry reaches),
//                           against clean pictures where there are such
//   transient_psnr, static_psnr   in the regions of the true masks, where there are such
//   rotation_degrees, still_rotation_degrees   with true cameras: error of the rotations relative to the
//   first
//                           view, and that of the guess that nothing turned
//   translation_r2          explained part of the translations relative to the first view, up to one scale a
//                           scene; 0 for a guess that explains nothing
//   pose_auc30              as in evaluation/camera_metrics.h
//   mask_iou, mask_recall   with true masks and a motion estimator, at motion.threshold
// A scene that cannot be read raises FileError. Records no gradient.
std::map<std::string, double> Validate(WildRayZer model, const FeatureSource& features,
                                       const TrainConfig& config);

}  // namespace wildrayzer
