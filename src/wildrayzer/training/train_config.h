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
#include "wildrayzer/training/world_config.h"
#include "wildrayzer/training/world_scores.h"
#include "wildrayzer/util/config.h"

namespace wildrayzer {

struct ValidationOptions {
  std::string scenes;  // a data set; empty: none
  // For lists of scenes: their evaluation views (otherwise views spread evenly) and a folder of motion masks.
  std::string view_index, masks;
  int64_t every = 0;  // steps; 0: only at the end
  int max_scenes = 8;
  int inputs = 2;
  int targets = 3;
  // Worlds of a seed of their own, drawn as those of training with all their motion.
  WorldScoreOptions worlds;
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
  std::optional<std::filesystem::path> vgg;  // weights of VGG19 or VGG16, for the perceptual loss
  LabelOptions labels;
  std::filesystem::path label_cache;  // empty: labels are not kept
  std::filesystem::path dino;         // DINOv3 weights, when the model's motion features are DINOv3's
  double token_dropout = 0;           // share of input tokens masked in boxes (stage 3)

  WorldTraining worlds;
  // What moves in worlds teaches the camera estimator's tokens too, through the model's own features.
  bool masks_teach_tokens = false;
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

  // Whether there is data to learn from besides worlds.
  bool HasScenes() const { return loader.static_set.scenes || loader.dynamic_set.scenes; }

  // What the checkpoints store: the configuration as given.
  std::string yaml;

  // Raises UsageError or Error naming the file, the key and what it must be; an unknown key below `model.` or
  // `training.` raises UsageError. Opens the training sets. Where the device has no fast bfloat16 a warning
  // says that float32 is used instead.
  static TrainConfig Read(const Config& config, torch::Device device = torch::kCPU);
};

// The keys of the release that this configuration has and that change nothing here, to be named to the user.
std::vector<std::string> KeysWithoutEffect(const Config& config);

// The stage that a configuration asks for: `training.stage`, else what the release's keys imply.
Stage StageOf(const Config& config);

}  // namespace wildrayzer
