// Whether a device computes what the processor does: the self-check's first half. On the processor itself
// what is done in a GPU's way (cpu_kernels.h) is compared with our own, where LibTorch is 2.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct CheckResult {
  std::string name;
  double error = 0;     // relative to the largest value, or as the name says
  double allowed = 0;   // the check fails above it
  std::string failure;  // what was thrown instead of a result; empty: nothing was
  bool passed() const { return failure.empty() && error <= allowed; }
};

// All checks, in the order of the program: kernels, losses, optimizer, passes through small random models of
// every layout in float32 and bfloat16, a training step of every stage, worlds, and that neither training nor
// worlds wait for the device. report: called with every result as it comes.
std::vector<CheckResult> CheckDevice(torch::Device device,
                                     const std::function<void(const CheckResult&)>& report);

}  // namespace wildrayzer
