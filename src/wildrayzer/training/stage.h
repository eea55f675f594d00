// The four training stages of the paper, and the optional camera warm-up before them (method.md section 6).
#pragma once

#include <string>

namespace wildrayzer {

enum class Stage {
  kCameraWarmup = 0,          // virtual worlds only; the paper has no such stage
  kPretraining = 1,           // RayZer on static scenes
  kMotionMasks = 2,           // the motion estimator alone, on pseudo labels of the frozen renderer
  kMaskedReconstruction = 3,  // RayZer with masked tokens, the motion estimator frozen
  kJoint = 4,                 // everything, with pasted objects
};

// "camera warm-up", "pretraining", "motion masks", "masked reconstruction", "joint".
std::string StageName(Stage stage);

// Whether the stage may change the parameter of this (state-dict) name.
bool StageTrains(Stage stage, const std::string& parameter);

// Whether the stage needs the motion estimator in the model.
bool StageNeedsMotion(Stage stage);

}  // namespace wildrayzer
