// Runs the model on golden cases: which weights, options and inputs belong to a golden file, and the
// comparison of all its tensors with a forward pass. Nothing about view counts, sizes or options is
// hard-coded.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer::testing {

// The list of generated weights of a golden file: its own name, or that name without its last parts
// ("wildrayzer_v3_mae" uses wildrayzer_v3.weights.json). Error when there is none.
std::filesystem::path ManifestPath(const std::filesystem::path& golden_file);

// A golden file of the whole model with everything needed to repeat it.
struct ModelCase {
  explicit ModelCase(const std::filesystem::path& path);

  GoldenFile file;
  std::vector<ManifestEntry> manifest;
  // Sizes and pose representation from the weights' shapes, the canonical view from the vectors' cameras, the
  // masking of tokens from the file's name.
  ModelConfig config;
  int64_t views = 0;
  int64_t inputs = 0;
  int64_t height = 0;
  int64_t width = 0;

  // The input images [1, V, 3, H, W].
  torch::Tensor Images() const;
  bool NeedsDino() const;
  // The cameras of all views, where another file of the same weights has them and this one does not, and so
  // checks nothing of how they are estimated; else nothing.
  std::optional<Cameras> KnownCameras() const;

 private:
  // This file if it has the tensor, else another file of the same weights that has it.
  GoldenFile WithTensor(const std::string& name) const;
  void FindSizes();
  CanonicalView Canonical() const;
};

// The model with generated weights; equal tensors are made once a process.
WildRayZer GoldenModel(const ModelConfig& config, const std::vector<ManifestEntry>& manifest);

// DINOv3 patch features [1, V, D, h, w] from the backbone of the goldens whose width is `width`.
torch::Tensor GoldenDinoFeatures(const torch::Tensor& images, int64_t width);

// The values of one forward pass by golden name, and the probes.
class GoldenValues {
 public:
  void Set(const std::string& name, const torch::Tensor& value) {
    values_[name] = value.detach().to(torch::kCPU);
  }
  // Receives the model's intermediate values.
  Trace MakeTrace();
  // All recorded values of a name, concatenated over the first dimension.
  torch::Tensor Recorded(const std::string& name) const;

  // Compares every tensor of the file that has no prefix in `skipped`; a tensor without a counterpart is a
  // failure. Returns the worst relative error.
  double Compare(const GoldenFile& file, const std::vector<std::string>& skipped) const;

 private:
  struct Probe {
    double squares = 0;
    int64_t count = 0;
    torch::Tensor first;  // the first recorded value
  };

  torch::Tensor Find(const std::string& name) const;
  double CompareProbe(const GoldenFile& file, const std::string& name) const;

  std::map<std::string, torch::Tensor> values_;
  std::map<std::string, Probe> probes_;
  std::map<std::string, std::vector<torch::Tensor>> recorded_;
};

// Runs the case, as much of it as the file has values of, and fills those in.
GoldenValues RunCase(const ModelCase& test_case, WildRayZer& model, const torch::Tensor& images);

}  // namespace wildrayzer::testing
