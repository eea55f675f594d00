// Floating-point conversions between the element types that checkpoints use.
#pragma once

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

}  // namespace wildrayzer
