// Exponential moving average of weights: what is validated and exported may be smoother than what is trained.
#pragma once

#include <map>
#include <string>

#include "wildrayzer/training/optimizer.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

class WeightAverage {
 public:
  // Starts at the parameters' values (float32, contiguous, as the optimizer leaves them).
  // decay in [0, 1).
  WeightAverage(NamedParameters parameters, double decay);

  // average = w average + (1 - w) parameter with w = min(decay, (1 + n) / (10 + n)) at the n-th call (from
  // 0): the first averages do not cling to the random start.
  void Update();

  // Exchanges parameters and averages; the second call puts them back.
  void Swap();

  // "average/NAME" for every parameter and "updates" (int64 scalar); shares memory.
  std::map<std::string, torch::Tensor> ExportState() const;
  // Copies a state in. FileError naming `label` when a tensor is missing or has another shape.
  void ImportState(const std::map<std::string, torch::Tensor>& state, const std::string& label);

 private:
  void UpdateOnDevice(double weight);

  NamedParameters parameters_;
  NamedParameters averages_;
  double decay_;
  int64_t updates_ = 0;
};

}  // namespace wildrayzer
