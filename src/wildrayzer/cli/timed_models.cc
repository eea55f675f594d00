#include "wildrayzer/cli/timed_models.h"

#include <cstdio>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/pipeline/default_model.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"

namespace wildrayzer {

void PrintTiming(const Timing& timing) {
  ThrowIfInterrupted();
  if (!timing.failure.empty()) {
    std::printf("%-44s %-4s  %s\n", timing.name.c_str(), timing.precision.c_str(), timing.failure.c_str());
  } else if (timing.operations > 0) {
    std::printf("%-44s %-4s %10.2f ms (fastest %.2f) %8.2f TFLOP/s, %2.0f %% of the peak\n",
                timing.name.c_str(), timing.precision.c_str(), timing.milliseconds, timing.fastest,
                timing.OperationsPerSecond() * 1e-12, 100 * timing.OperationsPerSecond() / timing.peak);
  } else if (timing.worlds > 0) {
    std::printf("%-44s %-4s %10.2f ms (fastest %.2f) %8.1f worlds/s\n", timing.name.c_str(),
                timing.precision.c_str(), timing.milliseconds, timing.fastest, timing.WorldsPerSecond());
  } else {
    std::printf("%-44s %-4s %10.2f ms (fastest %.2f)\n", timing.name.c_str(), timing.precision.c_str(),
                timing.milliseconds, timing.fastest);
  }
  std::fflush(stdout);
}

TimingsJson ToJson(const Timing& timing) {
  TimingsJson json = {{"name", timing.name}, {"precision", timing.precision}};
  if (!timing.failure.empty()) {
    json["failure"] = timing.failure;
    return json;
  }
  json["milliseconds"] = timing.milliseconds;
  json["fastest_milliseconds"] = timing.fastest;
  if (timing.operations > 0) {
    json["tflops"] = timing.OperationsPerSecond() * 1e-12;
    json["share_of_peak"] = timing.OperationsPerSecond() / timing.peak;
  }
  if (timing.worlds > 0) json["worlds_per_second"] = timing.WorldsPerSecond();
  if (timing.device_bytes > 0) json["peak_device_bytes"] = timing.device_bytes;
  return json;
}

ModelConfig FullSize() { return {}; }

ModelConfig SmallSize(const std::string& file) {
  std::string path = file;
  if (path.empty()) {
    const auto found = FindDefaultModel();
    if (!found)
      throw UsageError(std::string("models/") + kDefaultModelName +
                       " is missing from this copy of the program; give --model");
    path = found->string();
  }
  ModelConfig config = ConfigOfCheckpoint(Checkpoint::Open(path));
  config.use_motion = config.match_views = config.adjust_poses = config.copy_inputs = false;
  config.token_masking = TokenMasking::kZero;
  return config;
}

WildRayZer RandomModel(const ModelConfig& config, const TimingOptions& options) {
  const torch::NoGradGuard no_grad;
  WildRayZer model(config);
  RandomInit(model, 1);
  CastWeights(*model, options.precision);
  model->to(options.device);
  model->eval();
  return model;
}

}  // namespace wildrayzer
