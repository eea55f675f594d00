#include "wildrayzer/cli/command.h"

#include <thread>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/version.h"

namespace wildrayzer {

void ModelOptions::AddTo(CLI::App& command) {
  command.add_option("--model", model, "Checkpoint: .pt, .pth, .safetensors or a folder of safetensors")
      ->type_name("FILE");
  command.add_option("--config", config, "The release's YAML (default: sizes are read off the checkpoint)")
      ->type_name("FILE");
  command.add_option("--dino", dino, "DINOv3: a Hugging Face folder or Meta's .pth")
      ->type_name("FOLDER|FILE");
  command.add_flag("--no-motion", no_motion, "Plain RayZer: nothing is masked, DINOv3 is not needed");
  command.add_option("--init", init, "'random' runs without weights; the pictures then mean nothing")
      ->check(CLI::IsMember({"random"}));
  command.add_option("--seed", seed, "Seed of everything random")->capture_default_str();
  command
      .add_option(
          "--precision", precision,
          "Arithmetic of the matrix products; int8: of the blocks, on processors (docs/quantization.md)")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "int8"}))
      ->capture_default_str();
  AddDeviceOption(command, device);
  command
      .add_option("--frame", frame,
                  "crop: the model sees the middle of photos in its own shape; whole: photos of any shape as "
                  "they are; auto: whole where the model was shown any shape")
      ->check(CLI::IsMember({"auto", "crop", "whole"}))
      ->capture_default_str();
  command.add_option("--threads", threads, "Threads (default: one a core)")->check(CLI::Range(1, 1024));
  command
      .add_option("--set", overrides,
                  "Configuration override, for instance model.motion.threshold=0.2 (repeatable)")
      ->type_name("KEY=VALUE");
}

ModelSource ModelOptions::Resolve() const {
  if (model.empty() && init.empty()) {
    throw UsageError(
        "no model: give --model CHECKPOINT (for instance the released wildrayzer_2view.pt), or --init random "
        "to try the "
        "program without weights");
  }
  if (!model.empty() && !init.empty()) throw UsageError("--model and --init exclude each other");
  if (no_motion && !dino.empty()) throw UsageError("--no-motion and --dino exclude each other");
  SetThreads(threads > 0 ? threads : AvailableCores());
  ModelSource source;
  source.weights = model;
  source.config = config;
  source.dino = dino;
  source.overrides = overrides;
  source.use_motion = !no_motion;
  source.seed = seed;
  source.device = device;
  source.precision = PrecisionFromName(precision);
  source.frame = FrameFromName(frame);
  if (!init.empty())
    LogWarning("random weights: the pictures mean nothing (--init random is for trying and timing)");
  return source;
}

std::vector<std::filesystem::path> ModelOptions::Files() const {
  std::vector<std::filesystem::path> files;
  for (const std::string& file : {model, config, dino}) {
    if (!file.empty()) files.emplace_back(file);
  }
  return files;
}

void AddDeviceOption(CLI::App& command, std::string& device) {
  command
      .add_option("--device", device, "Where to compute: auto (a GPU if there is one), cpu, cuda or cuda:N")
      ->capture_default_str();
}

ProgressCallback ReportTo(Progress& progress) {
  return [&progress](const std::string& stage, int parts) {
    ThrowIfInterrupted();
    if (stage.empty()) {
      progress.Step();
    } else {
      progress.Stage(stage, parts);
    }
  };
}

nlohmann::ordered_json RunMetadata(const std::string& command, const ModelSource& source,
                                   const Reconstructor& reconstructor, const Progress& progress) {
  nlohmann::ordered_json metadata;
  metadata["program"] = std::string("wildrayzer ") + kVersion;
  metadata["command"] = command;
  nlohmann::ordered_json& model = metadata["model"];
  model["weights"] = source.weights.empty() ? "random" : source.weights.string();
  model["weights_sha256"] = reconstructor.weights_hash();
  model["parameters"] = reconstructor.num_parameters();
  model["dino"] = reconstructor.dino_name();
  model["precision"] = reconstructor.precision();
  model["device"] = reconstructor.device();
  model["motion"] = reconstructor.has_motion();
  if (reconstructor.has_motion()) model["motion_threshold"] = reconstructor.motion_threshold();
  model["config"] = reconstructor.config_yaml();
  metadata["seed"] = source.seed;
  metadata["machine"] = {{"cpu", CpuName()},
                         {"features", CpuFeatures()},
                         {"threads", NumThreads()},
                         {"blas", BlasName()},
                         {"memory_bytes", TotalMemoryBytes()}};
  if (reconstructor.device() != "cpu") metadata["machine"]["gpu"] = reconstructor.device_name();
  metadata["seconds"] = nlohmann::ordered_json::object();
  for (const auto& [stage, seconds] : progress.seconds()) metadata["seconds"][stage] = seconds;
  metadata["peak_memory_bytes"] = PeakResidentBytes();
  if (reconstructor.device() != "cpu") metadata["peak_gpu_memory_bytes"] = reconstructor.peak_device_bytes();
  metadata["warnings"] = Warnings();
  return metadata;
}

}  // namespace wildrayzer
