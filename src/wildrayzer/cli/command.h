// What the commands share. One file a command; main.cc only lists them, and turns exceptions into exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/util/progress.h"

namespace wildrayzer {

// Each adds one subcommand to `app`; its callback does the work and raises Error or UsageError.
void AddRenderCommand(CLI::App& app);
void AddServeCommand(CLI::App& app);
void AddMasksCommand(CLI::App& app);
void AddInspectCommand(CLI::App& app);
void AddConvertCommand(CLI::App& app);
void AddEvalCommand(CLI::App& app);
void AddTrainCommand(CLI::App& app);
void AddLabelsCommand(CLI::App& app);
void AddCheckCommand(CLI::App& app);
void AddBenchCommand(CLI::App& app);
void AddPackCommand(CLI::App& app);
void AddWorldsCommand(CLI::App& app);
// After all others, which it tells of.
void AddCompletionCommand(CLI::App& app);

// The options that choose a model: --model --config --dino --no-motion --init --seed --precision --device
// --frame --threads, and overrides.
struct ModelOptions {
  std::string model;
  std::string config;
  std::string dino;
  std::string init;
  std::string precision = "auto";
  std::string device = "auto";
  std::string frame = "auto";
  std::vector<std::string> overrides;
  bool no_motion = false;
  uint64_t seed = 0;
  int threads = 0;

  void AddTo(CLI::App& command);
  // Checks the combination, sets the number of threads and raises UsageError with the remedy.
  ModelSource Resolve() const;
  // The files and folders that they name.
  std::vector<std::filesystem::path> Files() const;
};

// --device auto|cpu|cuda[:N], as wildrayzer/kernels/device.h reads it.
void AddDeviceOption(CLI::App& command, std::string& device);

// Feeds a Progress from the pipeline's callback, and ends the work when the user interrupts it.
ProgressCallback ReportTo(Progress& progress);

// Versions, processor, precision, timings, hashes and warnings: the part of metadata.json that every command
// shares.
nlohmann::ordered_json RunMetadata(const std::string& command, const ModelSource& source,
                                   const Reconstructor& reconstructor, const Progress& progress);

}  // namespace wildrayzer
