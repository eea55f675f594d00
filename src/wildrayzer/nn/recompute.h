// Gradient checkpointing: memory for time.
#pragma once

#include <functional>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// f(x), without keeping what f computes on the way for the backward pass: there f runs a second time. The
// gradients are those of f itself, for x and for `parameters`, which must be all tensors besides x that f
// reads and that want a gradient. f must give the same result twice and must stay callable until the backward
// pass is over. Works with backward() and with torch::autograd::grad().
torch::Tensor Recomputed(const std::function<torch::Tensor(const torch::Tensor& x)>& f,
                         const torch::Tensor& x, const std::vector<torch::Tensor>& parameters);

}  // namespace wildrayzer
