// One stage of a training run, read from the release's YAML keys and a few of our own (configs/README.md
// lists all of them).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/data/loader.h"
#include "wildrayzer/labels/pseudo_labels.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/training/losses.h"
#include "wildrayzer/training/optimizer.h"
#include "wildrayzer/training/schedule.h"
#include "wildrayzer/training/stage.h"
#include "wildrayzer/util/config.h"

namespace wildrayzer {

// Virtual worlds mixed into (or, in the warm-up, making up) every step.
struct CameraWarmupOptions {
  int scenes = 0;  // of a step and rank; 0: none
  int views = 5;
  int min_views = 2;          // the number of views is drawn for every step
  int max_inputs = 2;         // so is that of inputs, 2 at least; there is always a target
  double loss_weight = 1.0;   // of the camera and match terms
  double huber = 0.05;        // below this size of an error these are quadratic
  bool render = true;         // also render the targets at virtual cameras:
  double true_cameras = 1.0;  // share of worlds rendered at the true ones, the others at the estimated ones
  double min_overlap = 0.0;   // share of a view's patches that must be seen in the first view
  double start_motion = 0.3;  // share of the full motion between views at step 0 ...
  int64_t motion_steps = 0;   // ... growing linearly to all of it by this step
  int pictures = 600;         // taken from the static training set to paper the worlds with
};

struct ValidationOptions {
  std::string scenes;  // a data set; empty: no validation
  // For lists of scenes: their evaluation views (otherwise views spread evenly) and a folder of motion masks.
  std::string view_index, masks;
  int64_t every = 0;  // steps; 0: only at the end
  int max_scenes = 8;
  int inputs = 2;
  int targets = 3;
};

struct TrainConfig {
  Stage stage = Stage::kPretraining;
  ModelConfig model;
  LoaderOptions loader;  // undefined sets in the camera warm-up
  Precision precision = Precision::kFp32;
  torch::Device device = torch::kCPU;  // of this process; no key of the file

  OptimizerOptions optimizer;
  CosineSchedule schedule;
  // Seconds of training, over all sessions, after which the run ends and by which its progress counts; 0: the
  // number of steps does both.
  double time_budget = 0;
  double export_every = 0;  // seconds between exports of the weights in shards (shards.h); 0: none
  double lr = 1e-4;
  int accumulation = 1;  // batches of a step
  double ema_decay = 0;  // 0: no averaged weights
  // Gradient checkpointing: of so many blocks in a row only the input is kept; 0: everything is.
  int64_t recompute_every = 0;

  LossOptions loss;
  std::optional<std::filesystem::path> vgg19;
  LabelOptions labels;
  std::filesystem::path label_cache;  // empty: labels are not kept
  std::filesystem::path dino;         // DINOv3 weights, when the model's motion features are DINOv3's
  double token_dropout = 0;           // share of input tokens masked in boxes (stage 3)

  CameraWarmupOptions warmup;
  // Of the cameras that come with the data, where they do (synthetic rooms), in every stage; Huber as with
  // worlds. 0: as published, cameras are learnt from pictures.
  Ramp known_cameras;
  ValidationOptions validation;

  std::string init_checkpoint;
  uint64_t seed = 0;
  int64_t checkpoint_every = 1000;
  int keep_checkpoints = 2;
  int64_t print_every = 20;
  int64_t picture_every = 500;

  // What the checkpoints store: the configuration as given.
  std::string yaml;

  // Raises UsageError or Error naming the file, the key and what it must be; an unknown key below `model.` or
  // `training.` raises UsageError. Opens the training sets.
  static TrainConfig Read(const Config& config);
};

// The keys of the release that this configuration has and that change nothing here, to be named to the user.
std::vector<std::string> KeysWithoutEffect(const Config& config);

// The stage that a configuration asks for: `training.stage`, else what the release's keys imply.
Stage StageOf(const Config& config);

}  // namespace wildrayzer
