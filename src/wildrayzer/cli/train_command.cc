// wildrayzer train: the stages of the paper, one or all of them, on one machine or many.

#include <fstream>
#include <memory>
#include <sstream>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/training/process_environment.h"
#include "wildrayzer/training/recipe.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

struct TrainSettings {
  std::string config;
  std::string out;
  int stage = -1;
  std::string part;
  int threads = 0;
  std::string device = "auto";
  bool resume = false;
  std::vector<std::string> overrides;
};

void Run(const TrainSettings& settings) {
  if (settings.threads > 0) {
    SetThreads(settings.threads);
  } else {
    SetThreadsFromMachine();
  }
  const Config config = Config::Load(settings.config);
  RecipeOptions options;
  options.folder = settings.out;
  options.resume = settings.resume;
  if (settings.stage >= 0) options.only_stage = settings.stage;
  options.only_part = settings.part;
  options.overrides = settings.overrides;
  options.device = settings.device;
  const TrainingResult result = TrainRecipe(config.Dump(), settings.config, options);
  if (ReadProcessEnvironment().rank != 0) return;
  if (result.step == 0) {
    LogInfo("{}: was finished before, nothing was left to train", result.model.string());
  } else {
    LogInfo("{}: {} steps, {} skipped, {} scenes could not be read, {:.0f} s", result.model.string(),
            result.step, result.skipped_steps, result.skipped_scenes, result.seconds);
  }
}

}  // namespace

void AddTrainCommand(CLI::App& app) {
  auto settings = std::make_shared<TrainSettings>();
  CLI::App* command =
      app.add_subcommand("train", "Train a model: the four self-supervised stages, or one of them");
  command
      ->add_option("--config,-c", settings->config, "YAML file with the release's keys (configs/README.md)")
      ->required();
  command->add_option("--out,-o", settings->out, "Folder for checkpoints, logs, report and model")
      ->required();
  command->add_option("--stage", settings->stage, "Only this stage (0 camera warm-up, 1-4 as in the paper)")
      ->check(CLI::Range(0, 4));
  command->add_option("--part", settings->part, "Only the part of this name of the file's recipe");
  command->add_flag("--resume", settings->resume,
                    "Go on from the newest checkpoint in --out, if there is one");
  command->add_option("--threads", settings->threads, "Processor threads (default: all cores)")
      ->check(CLI::PositiveNumber);
  AddDeviceOption(*command, settings->device);
  command->add_option("overrides", settings->overrides, "key=value settings that win over the file's");
  command->footer(
      "Example:\n  wildrayzer train --config configs/small.yaml --out run --resume "
      "training.batch_size_per_gpu=8\n"
      "Several processes: torchrun --nproc-per-node 2 --no-python wildrayzer train ... (docs/training.md)");
  command->callback([settings] { Run(*settings); });
}

}  // namespace wildrayzer
