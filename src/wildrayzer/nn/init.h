// Random initialisation: every parameter has its own named stream, so that its values depend only on (seed,
// name, shape).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wildrayzer/nn/layers.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Fills `tensor` with N(0, std^2) from the stream (seed, name): the same bits on every machine and with any
// number of threads; 277 million numbers take about a second on two cores.
void FillNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name);
// N(0, std^2) without the tails beyond 2 std.
void FillTruncatedNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name);

// Initialises every parameter of `module` and its children (method.md section 2): matrices and kernels (two
// or more dimensions) N(0, std^2), biases 0, norm weights (one dimension, named weight) 1. `prefix` + the
// parameter's name names its stream.
void InitializeParameters(torch::nn::Module& module, double std, uint64_t seed,
                          const std::string& prefix = "");
// Block i (from 0) of a stack: as above with std 0.02 / sqrt(2 (i + 1)).
double TransformerBlockStd(int64_t index);
void InitializeTransformerBlock(Block block, double std, uint64_t seed, const std::string& prefix);

}  // namespace wildrayzer
