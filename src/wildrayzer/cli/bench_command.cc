// wildrayzer bench: how fast the model is here, stage by stage, beside what this machine can do at all.

#include <cstdio>
#include <memory>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/timed_models.h"
#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/int8_kernels.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/util/torch_version.h"
#include "wildrayzer/version.h"

namespace wildrayzer {
namespace {

struct BenchOptions {
  std::vector<std::string> precisions;
  std::vector<std::string> sizes = {"small", "full"};
  std::string model;
  std::string dino;
  int threads = 0;
  double seconds = 2.0;
  bool json = false;
};

Precision PrecisionOf(const std::string& name) {
  return name == "int8" ? Precision::kInt8 : name == "bf16" ? Precision::kBf16 : Precision::kFp32;
}

// Those that one may want here: bf16 only where the processor multiplies it.
std::vector<std::string> WantedPrecisions(const BenchOptions& options) {
  if (!options.precisions.empty()) return options.precisions;
  if (HasFastBf16(torch::kCPU)) return {"fp32", "bf16", "int8"};
  return {"fp32", "int8"};
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}

  void Run() {
    Describe();
    for (const std::string& precision : WantedPrecisions(options_)) Time(precision);
    report_["peak_resident_bytes"] = PeakResidentBytes();
    if (options_.json) {
      std::printf("%s\n", report_.dump(2).c_str());
    } else {
      std::printf("\npeak of resident memory: %.2f GB\n", static_cast<double>(PeakResidentBytes()) * 1e-9);
    }
  }

 private:
  void Describe() {
    TimingOptions timing;
    timing.seconds = options_.seconds;
    const double bandwidth = MemoryBandwidth(timing);
    report_ = {{"program", std::string("wildrayzer ") + kVersion},
               {"torch", kTorchVersion},
               {"processor", CpuName()},
               {"features", CpuFeatures()},
               {"blas", BlasName()},
               {"attention", SimdName(AvailableSimd())},
               {"int8", SelectInt8().name},
               {"threads", NumThreads()},
               {"memory_bytes_per_second", bandwidth}};
    if (options_.json) return;
    std::printf("wildrayzer %s, LibTorch %s, %s (%s), %d threads\n", kVersion, kTorchVersion,
                CpuName().c_str(), CpuFeatures().c_str(), NumThreads());
    std::printf("fp32: %s; attention: %s; int8: %s; memory: %.1f GB/s\n", BlasName().c_str(),
                SimdName(AvailableSimd()), SelectInt8().name, bandwidth * 1e-9);
  }

  void Time(const std::string& precision) {
    TimingOptions timing;
    timing.seconds = options_.seconds;
    timing.precision = PrecisionOf(precision);
    const double peak = MatrixPeak(timing);
    TimingsJson& part = report_["precisions"][precision];
    part["peak_flops"] = peak;
    if (!options_.json)
      std::printf("\n%s: the largest product reaches %.1f GFLOP/s\n", precision.c_str(), peak * 1e-9);
    const auto add = [&](const Timing& result) {
      if (!options_.json) PrintTiming(result);
      part["timings"].push_back(ToJson(result));
    };
    for (const std::string& size : options_.sizes) {
      if (size == "dino") {
        add(TimeDino(Dino(timing), timing, peak));
        continue;
      }
      const ModelConfig config = size == "full" ? FullSize() : SmallSize(options_.model);
      for (Timing& result : TimeStages(RandomModel(config, timing), timing, peak)) {
        result.name = size + ": " + result.name;
        add(result);
      }
    }
  }

  Dinov3 Dino(const TimingOptions& timing) const {
    if (options_.dino.empty()) return EmptyDino7B(timing);
    Dinov3LoadOptions load;
    load.dtype = timing.precision == Precision::kInt8   ? torch::kInt8
                 : timing.precision == Precision::kBf16 ? torch::kBFloat16
                                                        : torch::kFloat32;
    return LoadDinov3(options_.dino, load);
  }

  BenchOptions options_;
  TimingsJson report_;
};

}  // namespace

void AddBenchCommand(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      app.add_subcommand("bench", "How fast the model is on this processor, beside what it can do at all");
  command
      ->add_option("--precision", options->precisions,
                   "fp32, bf16, int8 (repeatable; default: those that this processor multiplies)")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}));
  command
      ->add_option(
          "--size", options->sizes,
          "small: of the model that comes with the program; full: the published one; dino: DINOv3 ViT-7B "
          "(repeatable)")
      ->check(CLI::IsMember({"small", "full", "dino"}))
      ->capture_default_str();
  command->add_option("--model", options->model, "Whose architecture is the small one")->type_name("FILE");
  command
      ->add_option(
          "--dino", options->dino,
          "The DINOv3 that --size dino times (default: the 7B's sizes, with numbers that mean nothing)")
      ->type_name("FOLDER|FILE");
  command->add_option("--threads", options->threads, "Threads (default: one a core)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seconds", options->seconds, "About so long for each timing")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print as JSON");
  command->footer(
      "Products of a table are those of the layers and of attention; a multiply-add counts two.\n"
      "Example:\n  wildrayzer bench --precision fp32 --precision int8 --size full");
  command->callback([options] {
    KeepFreedMemory();
    SetThreads(options->threads > 0 ? options->threads : AvailableCores());
    Bench(*options).Run();
  });
}

}  // namespace wildrayzer
