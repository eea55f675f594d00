// One pass forward through the model and the loss of a stage (method.md section 6). The trainer does the
// rest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "wildrayzer/labels/label_maker.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/training/camera_losses.h"
#include "wildrayzer/training/losses.h"
#include "wildrayzer/training/number.h"
#include "wildrayzer/training/train_config.h"
#include "wildrayzer/training/training_batch.h"

namespace wildrayzer {

// What came of one batch, or of a piece of it.
struct Outcome {
  torch::Tensor loss;  // scalar with gradient, a piece's part; undefined when nothing was computed
  Numbers numbers;     // "loss", "psnr", "mask_bce", ... of the whole batch
  // For the log, without gradient; undefined where the stage makes none. The first scene only.
  torch::Tensor images;      // [V, 3, H, W], inputs first
  torch::Tensor renderings;  // [T, 3, H, W]
  torch::Tensor masks;       // [T, 1, H, W], predicted probability
  torch::Tensor labels;      // [T, 1, H, W]
};

class Objective {
 public:
  // Pseudo labels of one scene, named by the second argument: of the targets of its pass through the model.
  using LabelFunction = std::function<TargetLabels(const Pass&, const LabelScene&)>;

  // Reads VGG19 when the configuration names it. labels: empty for those of a LabelMaker, in stages that need
  // them.
  Objective(const TrainConfig& config, WildRayZer model, FeatureSource features, LabelFunction labels = {});

  // How far the run has come, in [0, 1]: decides the weights that change over it.
  void SetProgress(double progress) { progress_ = progress; }

  // Stages 1-4, and what known cameras teach in any but 2, on a batch of scenes, or a piece of it: then `sum`
  // adds over all its pieces. `step` names the random stream of the masked boxes.
  Outcome Rooms(const TrainingBatch& batch, int64_t step, const SumOverPieces& sum = {});
  // What worlds teach: cameras and matches, and, where worlds are rendered, the clean targets and what moves
  // (stage 2: the latter alone).
  Outcome Worlds(const WorldBatch& batch, const SumOverPieces& sum = {});

  // A training aid of worlds and known cameras that trains along; no part of the model.
  MatchHead match_head() const { return match_head_; }

 private:
  // Cameras, matches and attention of worlds.
  void LearnWorldCameras(Pass& pass, const WorldBatch& batch, const SumOverPieces& sum, Outcome& outcome);
  // The renderer's attention, where worlds are rendered.
  void LearnWhereToLook(Pass& pass, const WorldBatch& batch, const SumOverPieces& sum, Outcome& outcome);
  // Adds what the cameras of the data teach.
  void LearnCameras(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum, Outcome& outcome);
  Outcome Reconstruction(Pass& pass, const TrainingBatch& batch, int64_t step, const SumOverPieces& sum);
  Outcome MotionMasks(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum);
  Outcome Joint(Pass& pass, const TrainingBatch& batch, const SumOverPieces& sum);
  // Cameras at which worlds are rendered: true ones or estimated ones.
  Cameras WorldCameras(const WorldBatch& batch, const Cameras& estimated) const;
  // Encodes the scene behind what moves, and adds to `loss` what is asked of masks and renderings.
  void RenderWorlds(Pass& pass, const WorldBatch& batch, LossInputs& loss) const;

  // Masks of the target views, [B, T, 1, H, W] float: pasted objects, pseudo labels, or nothing (static
  // scenes). psnr [B, T]: of the static renderings, infinite where the label is certain.
  struct TargetTruth {
    torch::Tensor masks, psnr;
  };
  TargetTruth TargetLabelsOf(const Pass& pass, const TrainingBatch& batch);
  // Masked boxes of the input views, [B, K, 1, H, W] float, drawn from (seed, step, scene).
  torch::Tensor BoxesOf(const TrainingBatch& batch, int64_t step) const;

  TrainConfig config_;
  WildRayZer model_;
  FeatureSource features_;
  Losses losses_;
  MatchHead match_head_;
  LabelFunction labels_;
  double progress_ = 0;
};

}  // namespace wildrayzer
