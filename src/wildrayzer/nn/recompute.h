// Gradient checkpointing: memory for time.
#pragma once

#include <functional>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// f(inputs), without keeping what f computes on the way for the backward pass: there f runs a second time, on
// copies of the inputs without their history. The gradients are those of f itself, for the inputs and for
// `parameters`, which must be all other tensors that f reads and that want a gradient; they are leaves of the
// graph. f must give the same result twice and must stay callable until the backward
// pass is over. Works with backward() and with torch::autograd::grad().
torch::Tensor Recomputed(const std::function<torch::Tensor(const std::vector<torch::Tensor>& inputs)>& f,
                         const std::vector<torch::Tensor>& inputs,
                         const std::vector<torch::Tensor>& parameters);

}  // namespace wildrayzer
