// One pass forward through the model and the loss of a stage (method.md section 6). The trainer does the
// rest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "wildrayzer/labels/label_maker.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/training/camera_warmup.h"
#include "wildrayzer/training/losses.h"
#include "wildrayzer/training/train_config.h"
#include "wildrayzer/training/training_batch.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// What came of one batch.
struct Outcome {
  torch::Tensor loss;  // scalar with gradient; undefined when nothing in the batch can teach
  std::map<std::string, double> numbers;  // "loss", "psnr", "mask_bce", ...
  // For the log, without gradient; undefined where the stage makes none. The first scene only.
  torch::Tensor images;      // [V, 3, H, W], inputs first
  torch::Tensor renderings;  // [T, 3, H, W]
  torch::Tensor masks;       // [T, 1, H, W], predicted probability
  torch::Tensor labels;      // [T, 1, H, W]
};

class Objective {
 public:
  // dino: empty unless the motion estimator sees DINOv3 features. Reads VGG19 when the configuration names
  // it.
  Objective(const TrainConfig& config, WildRayZer model, Dinov3 dino);

  // Stages 1-4 on a batch of scenes. `step` names the random stream of the masked boxes.
  Outcome Rooms(const TrainingBatch& batch, int64_t step);
  // The camera warm-up on virtual worlds.
  Outcome Virtual(const WarmupBatch& batch);

  // A training aid of the warm-up that trains along; no part of the model.
  MatchHead match_head() const { return match_head_; }

 private:
  Outcome Reconstruction(const TrainingBatch& batch, int64_t step);
  Outcome MotionMasks(const TrainingBatch& batch);
  Outcome Joint(const TrainingBatch& batch);

  // [B, V, C, h, w]: what the motion estimator and the labels see.
  torch::Tensor MotionFeaturesOf(const torch::Tensor& images, const Cameras& cameras);
  // Masks of the target views, [B, T, 1, H, W] float: pasted objects, pseudo labels, or nothing (static
  // scenes). psnr [B, T]: of the static renderings, infinite where the label is certain.
  struct TargetTruth {
    torch::Tensor masks, psnr;
  };
  TargetTruth TargetLabelsOf(const TrainingBatch& batch);
  void LabelTargets(const TrainingBatch& batch, int64_t scene, TargetTruth& truth);
  // Masked boxes of the input views, [B, K, 1, H, W] float, drawn from (seed, step, scene).
  torch::Tensor BoxesOf(const TrainingBatch& batch, const ViewTokens& views, int64_t step) const;

  TrainConfig config_;
  WildRayZer model_;
  Dinov3 dino_;
  Losses losses_;
  MatchHead match_head_;
  std::unique_ptr<LabelMaker> labels_;
};

}  // namespace wildrayzer
