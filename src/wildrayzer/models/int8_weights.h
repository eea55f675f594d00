// Which weights may be in 8-bit integers, and how they come out of a file.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/kernels/int8_linear.h"
#include "wildrayzer/nn/layers.h"

namespace wildrayzer {

// Whether `name` of this shape is a large matrix of a transformer block: of the attention or of the MLP, of
// RayZer, the motion estimator or DINOv3, in any layout of names. Tokenizers, heads, fusions and everything
// that makes cameras are no such matrices: at full size they are under 1 % of the products, and pictures and
// geometry come straight out of them.
bool IsBlockMatrix(std::string_view name, std::span<const int64_t> shape);

// The layers that multiply by such matrices, by the names of their weights.
std::map<std::string, LinearImpl*> BlockLinears(const torch::nn::Module& module);

// Whether `name` is the scales of a matrix in int8 (io/dtype_conversion.h): part of that matrix, no parameter
// of its own.
bool IsInt8Scale(const Checkpoint& checkpoint, const std::string& name);

// A matrix that the file has in int8, where it is mapped; of `parts` equal pieces of its rows the one with
// this number. FileError naming the tensor when its scales are missing, misshaped or not finite.
Int8Matrix Int8MatrixOf(const Checkpoint& checkpoint, const std::string& name, int64_t part = 0,
                        int64_t parts = 1);

}  // namespace wildrayzer
