// How fast the model is on a device: the self-check's second half, beside the device's own peak in matrix
// products.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"

namespace wildrayzer {

struct Timing {
  std::string name;
  std::string precision;      // see PrecisionName
  double milliseconds = 0;    // median
  double fastest = 0;         // milliseconds
  double operations = 0;      // of matrix products and attention, a multiply-add counting two; 0: not counted
  double peak = 0;            // operations a second of large matrix products in this precision, the same run
  uint64_t device_bytes = 0;  // peak so far; 0 on the processor
  double worlds = 0;          // drawn or rendered in that time
  std::string failure;        // what was thrown instead
  double OperationsPerSecond() const { return operations / (milliseconds * 1e-3); }
  double WorldsPerSecond() const { return worlds / (milliseconds * 1e-3); }
};

// Multiply-adds, times two, of a pass of `scenes` scenes without motion, forward: matrix products of all
// layers and attention.
struct PassOperations {
  double tokens = 0;     // of all views' pictures
  double cameras = 0;    // the camera estimator
  double scene = 0;      // rays, fusion and the scene encoder
  double rendering = 0;  // of all targets
  PassOperations(const ModelConfig& config, int64_t scenes, int64_t inputs, int64_t targets);
  double total() const { return tokens + cameras + scene + rendering; }
};

struct TimingOptions {
  torch::Device device = torch::kCPU;
  Precision precision = Precision::kFp32;
  double seconds = 2.0;  // about so long for each, three times at least
};

// The largest product of square matrices that counts as this device's peak, in operations a second.
double MatrixPeak(const TimingOptions& options);

// Bytes a second that the processor's cores read from memory together.
double MemoryBandwidth(const TimingOptions& options);

// Two inputs and six targets of one scene, from pictures to renderings, and one more view of the encoded
// scene.
std::vector<Timing> TimePass(const std::string& name, WildRayZer model, const TimingOptions& options,
                             double peak);

// The stages of such a pass one by one, and the whole.
std::vector<Timing> TimeStages(WildRayZer model, const TimingOptions& options, double peak);

// A training step: forward, mean squared error of the targets, backward, clipping, AdamW.
Timing TimeStep(const std::string& name, const ModelConfig& config, int64_t scenes, int64_t inputs,
                int64_t targets, const TimingOptions& options, double peak);

// Worlds with movers, of `views` views of side x side pixels: drawn on all threads, and rendered on the
// device with all their truths.
std::vector<Timing> TimeWorlds(int count, int views, int side, const TimingOptions& options);

// DINOv3 ViT-7B with numbers that mean nothing, in bf16 (14 GB) or int8 (7 GB): 27 GB of float32 need not
// exist anywhere.
Dinov3 EmptyDino7B(const TimingOptions& options);
// Two views through DINOv3.
Timing TimeDino(Dinov3 model, const TimingOptions& options, double peak);

// What bench/peer compares itself with: weights, two input and six target pictures of every scene, and what
// our program makes of them in float32 on `device`.
void WritePeerCase(const std::filesystem::path& path, const ModelConfig& config, int64_t scenes,
                   uint64_t seed, torch::Device device);

}  // namespace wildrayzer
