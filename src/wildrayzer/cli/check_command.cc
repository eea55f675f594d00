// wildrayzer check: does this machine compute what it should, and how fast.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

#include "wildrayzer/check/device_checks.h"
#include "wildrayzer/check/timings.h"
#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/timed_models.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/util/torch_version.h"
#include "wildrayzer/version.h"

namespace wildrayzer {
namespace {

using Json = TimingsJson;

struct CheckOptions {
  std::string device = "auto";
  int threads = 0;
  std::string model;
  std::string precision = "auto";
  std::string json;
  std::string peer_case;
  std::string peer_config = "small";
  double seconds = 2.0;
  int64_t scenes = 0;
  bool no_timings = false;
  bool no_full = false;
};

void PrintCheck(const CheckResult& result) {
  ThrowIfInterrupted();
  if (result.failure.empty()) {
    std::printf("%-44s %9.2e  at most %7.0e  %s\n", result.name.c_str(), result.error, result.allowed,
                result.passed() ? "ok" : "FAILED");
  } else {
    std::printf("%-44s FAILED: %s\n", result.name.c_str(), result.failure.c_str());
  }
  std::fflush(stdout);
}

Json Time(const CheckOptions& options, torch::Device device) {
  TimingOptions timing;
  timing.device = device;
  timing.seconds = options.seconds;
  const bool bf16 = options.precision == "bf16" || (options.precision == "auto" && HasFastBf16(device));
  timing.precision = bf16 ? Precision::kBf16 : Precision::kFp32;
  const double peak = MatrixPeak(timing);
  std::printf("\npeak of large matrix products in %s: %.2f TFLOP/s\n", bf16 ? "bf16" : "fp32", peak * 1e-12);
  Json all = Json::array();
  const auto add = [&](const Timing& result) {
    PrintTiming(result);
    all.push_back(ToJson(result));
  };
  const auto pass = [&](const std::string& name, const ModelConfig& config) {
    for (const Timing& result : TimePass(name, RandomModel(config, timing), timing, peak)) add(result);
  };
  const ModelConfig small = SmallSize(options.model);
  const bool gpu = !device.is_cpu();
  pass("small", small);
  const int64_t scenes = options.scenes > 0 ? options.scenes : gpu ? 64 : 4;
  const Timing step = TimeStep("training step, small, " + std::to_string(scenes) + " scenes of 2 + 6", small,
                               scenes, 2, 6, timing, peak);
  add(step);
  const auto worlds = static_cast<int>(scenes);
  for (const auto& [views, side] : {std::pair(7, 128), std::pair(5, 64)}) {
    for (const Timing& result : TimeWorlds(worlds, views, side, timing)) add(result);
  }
  // Those of the training step: what it would wait for if they were rendered between the steps.
  const Timing of_step = TimeWorlds(worlds, 8, static_cast<int>(small.height), timing).back();
  add(of_step);
  if (step.failure.empty() && of_step.failure.empty()) {
    std::printf("rendering its worlds takes %.1f %% of a training step\n",
                100 * of_step.milliseconds / step.milliseconds);
  }
  if (options.no_full) return all;
  pass("full size", FullSize());
  if (!gpu) return all;
  add(TimeStep("training step, full size, 8 scenes of 2 + 6", FullSize(), 8, 2, 6, timing, peak));
  add(TimeDino(EmptyDino7B(timing), timing, peak));
  return all;
}

void Run(const CheckOptions& options) {
  SetThreads(options.threads > 0 ? options.threads : AvailableCores());
  const torch::Device device = ChooseDevice(options.device);
  if (!options.peer_case.empty()) {
    WritePeerCase(options.peer_case, options.peer_config == "full" ? FullSize() : SmallSize(options.model),
                  std::max<int64_t>(1, options.scenes), 1, device);
    std::printf("%s\n", options.peer_case.c_str());
    return;
  }
  std::printf("wildrayzer %s, LibTorch %s, %s: %s, %d threads\n\n", kVersion, kTorchVersion,
              DeviceText(device).c_str(), DeviceName(device).c_str(), NumThreads());
  Json report = {{"program", std::string("wildrayzer ") + kVersion},
                 {"torch", kTorchVersion},
                 {"device", DeviceText(device)},
                 {"device_name", DeviceName(device)},
                 {"threads", NumThreads()}};
  int failed = 0;
  for (const CheckResult& result : CheckDevice(device, PrintCheck)) {
    failed += result.passed() ? 0 : 1;
    Json entry = {{"name", result.name},
                  {"error", result.error},
                  {"allowed", result.allowed},
                  {"passed", result.passed()}};
    if (!result.failure.empty()) entry["failure"] = result.failure;
    report["checks"].push_back(entry);
  }
  if (!options.no_timings) report["timings"] = Time(options, device);
  if (!options.json.empty()) WriteFileAtomically(options.json, report.dump(2) + "\n");
  if (failed > 0)
    throw Error(std::to_string(failed) + " checks failed: results on this device are not to be trusted");
}

}  // namespace

void AddCheckCommand(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      app.add_subcommand("check", "Self-check: does this machine compute what it should, and how fast");
  AddDeviceOption(*command, options->device);
  command->add_option("--threads", options->threads, "Threads (default: one a core)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--precision", options->precision, "Of the timings")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str();
  command
      ->add_option("--model", options->model,
                   "Whose architecture is timed as the small one (default: the model that "
                   "comes with the program)")
      ->type_name("FILE");
  command
      ->add_option(
          "--scenes", options->scenes,
          "Of the small training step's batch (default: 64 on a GPU, 4 elsewhere), or of the peer's case (1)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--seconds", options->seconds, "About so long for each timing")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  command->add_flag("--no-timings", options->no_timings, "Checks alone");
  command->add_flag("--no-full", options->no_full, "No timings at full size");
  command->add_option("--json", options->json, "Also write everything to this file")->type_name("FILE");
  command
      ->add_option("--peer-case", options->peer_case,
                   "Only write weights, pictures and renderings for bench/peer")
      ->type_name("FILE");
  command->add_option("--peer-config", options->peer_config, "... of this size")
      ->check(CLI::IsMember({"small", "full"}))
      ->capture_default_str();
  command->footer("Example:\n  wildrayzer check --device cuda --json check.json");
  command->callback([options] { Run(*options); });
}

}  // namespace wildrayzer
