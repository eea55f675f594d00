#include "wildrayzer/training/stage.h"

namespace wildrayzer {

std::string StageName(Stage stage) {
  switch (stage) {
    case Stage::kCameraWarmup:
      return "camera warm-up";
    case Stage::kPretraining:
      return "pretraining";
    case Stage::kMotionMasks:
      return "motion masks";
    case Stage::kMaskedReconstruction:
      return "masked reconstruction";
    case Stage::kJoint:
      return "joint";
  }
  return {};
}

bool StageTrains(Stage stage, const std::string& parameter) {
  const bool motion = parameter.starts_with("motion_mask_predictor.");
  switch (stage) {
    case Stage::kCameraWarmup:
    case Stage::kPretraining:
      return !motion && parameter != "noise_token";
    case Stage::kMotionMasks:
      return motion;
    case Stage::kMaskedReconstruction:
      return !motion;
    case Stage::kJoint:
      return true;
  }
  return false;
}

bool StageNeedsMotion(Stage stage) { return stage == Stage::kMotionMasks || stage == Stage::kJoint; }

}  // namespace wildrayzer
