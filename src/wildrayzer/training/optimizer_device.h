// The optimizer's update where reading a number means waiting: on a GPU. What optimizer.cc decides by a
// branch is selected here, so a step reads nothing. Needs LibTorch 2.
#pragma once

#include <vector>

#include "wildrayzer/training/optimizer.h"

namespace wildrayzer {

class DeviceUpdate {
 public:
  // Error with LibTorch 1.
  DeviceUpdate(const NamedParameters& parameters, const OptimizerOptions& options);

  // As Optimizer::Step; gradients[i] belongs to parameters[i] and slots[i] and may be undefined. Gradients
  // are left clipped.
  StepResult Step(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                  const std::vector<torch::Tensor>& gradients, double rate, const Number& loss);

  // L2 norm over all of them.
  static Number Norm(const std::vector<torch::Tensor>& gradients);

  // OptimizerSlot::step of all parameters; waits for the device.
  std::vector<int64_t> Steps() const;
  StepCounters Counters() const;
  void Restore(const std::vector<int64_t>& steps, const StepCounters& counters);

 private:
  // What a step has decided on the device.
  struct Decision {
    torch::Tensor applied;         // bool
    torch::Tensor gradient_scale;  // float32: clipping
  };
  Decision Decide(const Number& norm, const Number& loss);
  void UpdateAdamW(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                   const std::vector<torch::Tensor>& gradients, double rate, const Decision& decision);
  void UpdateMuon(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                  const std::vector<torch::Tensor>& gradients, double rate, const Decision& decision);

  OptimizerOptions options_;
  std::vector<torch::Tensor> steps_;  // float32 scalars
  torch::Tensor counters_;            // int64 [3]: applied, not finite, too large
};

}  // namespace wildrayzer
