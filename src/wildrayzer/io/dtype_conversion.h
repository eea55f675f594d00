// Floating-point conversions between the element types that checkpoints use.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// True for F16, BF16, F32 and F64.
bool IsFloat(DType dtype);

// The tensor with its elements rounded (to nearest, ties to even) to `dtype`; streamed, so that no whole
// tensor is held. Both types must be floating-point, `dtype` F32 or BF16; other combinations raise Error. The
// file must stay open until the writer is done.
TensorSource ConvertedSource(const TensorEntry& entry, DType dtype);

// The mean of two tensors of one shape, taken in float32 and rounded to `dtype`; likewise, but that the
// second tensor is held while it is written.
TensorSource MeanSource(const TensorEntry& entry, const TensorEntry& other, DType dtype);

// Matrices in 8-bit integers: x[n, k] = scale[n] q[n, k] with scale[n] = max_k |x[n, k]| / 127 and q rounded
// to nearest, ties to even. NAME.weight is stored as I8 [N, K] and stands beside NAME.weight_scale, F32 [N].
inline constexpr std::string_view kScaleSuffix = "_scale";

// One row into q; its scale, or NaN when a number is not finite. A row of zeros has the scale 0.
float QuantizeRow(std::span<const float> row, int8_t* q);

// The two tensors of a matrix of floating-point numbers; a row is held at a time. When written, Error naming
// the tensor for numbers that are not finite, or a rank other than 2.
std::vector<TensorSource> QuantizedSources(const TensorEntry& entry);

// The matrix again, rounded to `dtype`. Error for shapes and types other than those above.
TensorSource DequantizedSource(const TensorEntry& entry, const TensorEntry& scales, DType dtype);

}  // namespace wildrayzer
