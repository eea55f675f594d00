// What a stage begins with.
#pragma once

#include "wildrayzer/models/feature_source.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/training/train_config.h"

namespace wildrayzer {

// Random weights, then whatever the initial checkpoint has (the motion estimator may be missing from it); in
// float32 on the configuration's device, ready to be trained.
WildRayZer StartingModel(const TrainConfig& config);

// DINOv3 on that device where the model's motion estimator reads its features, else the model's own.
// UsageError when it is needed and not named.
FeatureSource StartingFeatures(const TrainConfig& config);

}  // namespace wildrayzer
