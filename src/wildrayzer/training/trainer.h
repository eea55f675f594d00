// Runs one stage: batches in, steps, logs, checkpoints, validation; and from any checkpoint on as if it had
// never been stopped.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "wildrayzer/training/train_config.h"

namespace wildrayzer {

struct TrainingResult {
  std::filesystem::path model;  // weights alone, FOLDER/model.safetensors
  int64_t step = 0;
  int64_t skipped_steps = 0;
  int64_t skipped_scenes = 0;
  double seconds = 0;  // of training, over all sessions
};

// Trains `config.stage` in `folder`: checkpoints/ (complete states), log.jsonl and TensorBoard events, with
// `export_every` shards/ (shards.h), and in the end model.safetensors, model.pt and report.html. With
// `resume` it continues from the newest checkpoint, if there is one; without, a folder that holds checkpoints
// raises UsageError, and so does one in which files of these names are somebody else's (run_folder.h). Ranks
// other than 0 write nothing. Interrupted (Ctrl-C) is raised after a checkpoint was saved. Errors: UsageError
// for a configuration that does not belong to the checkpoint, FileError for files.
TrainingResult Train(const TrainConfig& config, const std::filesystem::path& folder, bool resume);

}  // namespace wildrayzer
