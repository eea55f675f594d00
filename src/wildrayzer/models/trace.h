// Lets a caller follow a forward pass: progress and intermediate values.
#pragma once

#include <functional>
#include <string>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Optional callbacks; the default does nothing and costs nothing.
struct Trace {
  // Called after each block of the camera estimator, the scene encoder and the motion estimator, and after
  // each rendered target view.
  std::function<void()> step;
  // Receives intermediate tensors under the state-dict name of the module that made them
  // ("transformer_encoder.3"). While it is set, the last block of every stack is computed for all tokens, so
  // that whole outputs can be seen.
  std::function<void(const std::string& name, const torch::Tensor& value)> record;

  void Step() const {
    if (step) step();
  }
  void Record(const std::string& name, const torch::Tensor& value) const {
    if (record) record(name, value);
  }
};

}  // namespace wildrayzer
