// AdamW and Muon over named float32 parameters, with clipping, the skip rule and an exact state (method.md
// section 6).
//
// Not torch::optim, because its state cannot be written and read back bit for bit under names, and because a
// small model's step must not cost a hundred passes over memory: here clipping, decay and the AdamW update
// are one pass on all cores. Results do not depend on the number of threads, except through the matrix
// products of Muon. On a GPU the same update is LibTorch's fused one (optimizer_device.h), and nothing is
// read there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/nn/module.h"
#include "wildrayzer/training/number.h"

namespace wildrayzer {

using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

// The parameters of the module that require a gradient, in state-dict order.
NamedParameters TrainableParameters(const torch::nn::Module& module);

enum class OptimizerKind { kAdamW, kMuon };

// What an orthogonalised update (singular values about 1) of a matrix [rows, columns] is multiplied by.
enum class MuonScale {
  kRmsMatched,  // 0.2 sqrt(max(rows, columns)): entries as large as AdamW's, so AdamW's rate fits (Liu et al.
                // 2025)
  kSpectral     // sqrt(max(1, rows / columns)): needs a rate of its own (Jordan et al. 2024)
};

struct OptimizerOptions {
  // kMuon: Muon for the transformer blocks' matrices, AdamW for all others.
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.05;  // decoupled; none on parameters of one dimension

  double muon_momentum = 0.95;
  bool muon_nesterov = true;
  int muon_iterations = 5;
  MuonScale muon_scale = MuonScale::kRmsMatched;
  double muon_rate_ratio = 1.0;  // Muon's learning rate / AdamW's, at every step
  // Products of the iteration in bfloat16 (as published); only sensible where the processor multiplies it.
  bool muon_bf16 = false;

  double clip_norm = 1.0;    // of the gradient over all parameters; infinity: no clipping
  double skip_factor = 5.0;  // steps with a norm above skip_factor * clip_norm are skipped; infinity: none
};

// Steps since the beginning of the training (they are part of the state).
struct StepCounters {
  int64_t applied = 0;
  int64_t not_finite = 0;  // skipped: the loss or the gradient's norm was not finite
  int64_t too_large = 0;   // skipped: the gradient's norm was above the limit
  int64_t skipped() const { return not_finite + too_large; }
};

struct StepResult {
  Number applied;        // 1 or 0
  Number gradient_norm;  // L2 over all parameters, before clipping
  Number skipped;        // StepCounters::skipped() after it
};

// What the optimizer keeps of one parameter.
struct OptimizerSlot {
  bool muon = false;
  int64_t matrices = 1;  // of a Muon parameter: to_qkv holds three
  double decay = 0;
  int64_t step = 0;
  torch::Tensor first;   // exp_avg or momentum
  torch::Tensor second;  // exp_avg_sq; undefined with Muon
};

// What Muon's update of a matrix is multiplied by.
double MuonScaleOf(MuonScale scale, int64_t rows, int64_t columns);

class DeviceUpdate;

class Optimizer {
 public:
  // parameters: float32, all on one device (Error naming the one that is not), unique names. They are moved
  // into memory of their own, since weights may be mapped from a read-only file.
  Optimizer(NamedParameters parameters, const OptimizerOptions& options);
  ~Optimizer();

  // One update from the parameters' gradients with AdamW's learning rate `rate`, or none when the skip rule
  // says so. loss: of this step (with many processes: their mean, so that all decide alike). Parameters
  // without a gradient stay as they are and their step count stands still; so does everything when the whole
  // gradient is zero, as nothing was taught. On a GPU gradients are
  // left clipped, else unchanged.
  StepResult Step(double rate, const Number& loss);

  // L2 norm of the gradient over all parameters; the same bits for every number of threads.
  Number GradientNorm() const;

  // Drops all gradients.
  void ZeroGrad();

  // Waits for the device.
  StepCounters counters() const;
  const NamedParameters& parameters() const { return parameters_; }
  bool UsesMuon(const std::string& name) const;

  // The state as tensors, sharing memory with the optimizer: "exp_avg/NAME" and "exp_avg_sq/NAME" (AdamW) or
  // "momentum/NAME" (Muon), each like its parameter, "step/NAME" (number of updates, int64 scalar), and
  // "counters" (int64 [3]: applied, not finite, too large).
  std::map<std::string, torch::Tensor> ExportState() const;
  // Copies a state in. FileError naming `label` and the tensor when one is missing, unknown, of another shape
  // or not finite; then nothing has changed.
  void ImportState(const std::map<std::string, torch::Tensor>& state, const std::string& label);

  // Parameter names in the order of the release's optimizer state: first group all of more than one dimension
  // (decayed), second group the others; indices run through both.
  std::array<std::vector<std::string>, 2> ReleaseGroups() const;

 private:
  // A part of one parameter that one thread works on: fixed when the optimizer is made, so that sums do not
  // depend on how many threads there are.
  struct Piece {
    size_t parameter;
    int64_t begin;
    int64_t end;
  };

  std::vector<torch::Tensor> ContiguousGradients() const;
  double Norm(const std::vector<torch::Tensor>& gradients) const;
  StepResult StepOnCpu(const std::vector<torch::Tensor>& gradients, double rate, double loss);
  void UpdateAdamW(const std::vector<torch::Tensor>& gradients, double rate, double gradient_scale);
  void UpdateMuon(const std::vector<torch::Tensor>& gradients, double rate, double gradient_scale);

  OptimizerOptions options_;
  NamedParameters parameters_;
  std::vector<OptimizerSlot> slots_;
  std::vector<Piece> pieces_;        // of all parameters
  std::vector<Piece> adamw_pieces_;  // of AdamW's
  std::vector<Piece> muon_pieces_;   // one matrix each
  StepCounters counters_;
  std::unique_ptr<DeviceUpdate> device_;  // null on the CPU; it has the step counts and counters then
};

}  // namespace wildrayzer
