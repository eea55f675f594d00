// Layer and RMS normalisation of rows on plain memory, forward and backward, compiled once per instruction
// set and chosen at run time. float32 or bfloat16 in memory, float32 inside.
//
//   centred:      n = (x - mean(x)) / sqrt(var(x) + eps)        (layer normalisation)
//   not centred:  n = x / sqrt(mean(x^2) + eps)                 (RMS normalisation)
//   y = weight n + bias
#pragma once

#include <cstdint>

namespace wildrayzer {

// Rows of `size` contiguous elements.
struct RowsIn {
  const void* data;
  int64_t stride;  // elements between rows
  bool bf16;
};
struct RowsOut {
  void* data;
  int64_t stride;
  bool bf16;
};

struct NormForward {
  RowsIn x;
  RowsOut y;
  const float* weight;  // [size]
  const float* bias;    // [size] or null
  int64_t rows;
  int64_t size;
  float eps;
  bool centred;
  float* mean;     // [rows], written if centred; may be null
  float* inverse;  // [rows] 1 / sqrt(...); may be null
};

struct NormBackward {
  RowsIn grad_y;
  RowsIn x;
  RowsOut grad_x;
  const float* weight;
  int64_t rows;
  int64_t size;
  bool centred;
  const float* mean;     // as written by the forward pass
  const float* inverse;  //
  float* grad_weight;    // [size], added to
  float* grad_bias;      // [size], added to; may be null
  float* scratch;        // [2 size]
};

struct NormKernels {
  const char* name;
  void (*forward)(const NormForward& norm, float* scratch);  // scratch [size]
  void (*backward)(const NormBackward& norm);
};

// Those that were not compiled for this architecture are null; the others may only be called on processors
// that have the instructions.
extern const NormKernels* const kPortableNorm;
extern const NormKernels* const kAvx2Norm;
extern const NormKernels* const kAvx512Norm;

// The fastest on this machine (WILDRAYZER_SIMD lowers the choice, see cpu_features.h).
const NormKernels& SelectNorm();

}  // namespace wildrayzer
