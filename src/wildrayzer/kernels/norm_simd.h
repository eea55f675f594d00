// The normalisation kernels on the vectors of attention_simd.h, under the same rules: included only by the
// norm_*.cc files, no standard library, everything in an unnamed namespace.
#pragma once

#include "wildrayzer/kernels/attention_simd.h"
#include "wildrayzer/kernels/norm_kernels.h"

namespace wildrayzer {
namespace {

inline void LoadRow(const RowsIn& rows, int64_t row, int64_t size, float* out) {
  LoadRow(HeadRows{rows.data, rows.stride, rows.bf16}, row, size, out);
}

inline void StoreRow(const RowsOut& rows, int64_t row, int64_t size, const float* values) {
  if (!rows.bf16) {
    memcpy(static_cast<float*>(rows.data) + row * rows.stride, values, 4 * size);
    return;
  }
  uint16_t* out = static_cast<uint16_t*>(rows.data) + row * rows.stride;
  for (int64_t i = 0; i < size; ++i) out[i] = FloatToBf16(values[i]);
}

// Sums over a row, a vector at a time and the rest one by one.
template <int lanes>
struct RowSums {
  using V = Simd<lanes>;

  static float Of(const float* x, int64_t size) {
    typename V::Float sum{};
    int64_t i = 0;
    for (; i + lanes <= size; i += lanes) sum += V::Load(x + i);
    float total = V::Sum(sum);
    for (; i < size; ++i) total += x[i];
    return total;
  }
  // sum (x - centre)^2
  static float OfSquares(const float* x, float centre, int64_t size) {
    typename V::Float sum{};
    const typename V::Float c = V::Splat(centre);
    int64_t i = 0;
    for (; i + lanes <= size; i += lanes) {
      const typename V::Float d = V::Load(x + i) - c;
      sum += d * d;
    }
    float total = V::Sum(sum);
    for (; i < size; ++i) total += (x[i] - centre) * (x[i] - centre);
    return total;
  }
  static float OfProducts(const float* x, const float* y, int64_t size) {
    typename V::Float sum{};
    int64_t i = 0;
    for (; i + lanes <= size; i += lanes) sum += V::Load(x + i) * V::Load(y + i);
    float total = V::Sum(sum);
    for (; i < size; ++i) total += x[i] * y[i];
    return total;
  }
};

template <int lanes>
void ForwardRows(const NormForward& norm, float* row) {
  const float share = 1.0f / static_cast<float>(norm.size);
  for (int64_t r = 0; r < norm.rows; ++r) {
    LoadRow(norm.x, r, norm.size, row);
    const float mean = norm.centred ? share * RowSums<lanes>::Of(row, norm.size) : 0.0f;
    const float square = share * RowSums<lanes>::OfSquares(row, mean, norm.size);
    const float inverse = 1.0f / __builtin_sqrtf(square + norm.eps);
    for (int64_t i = 0; i < norm.size; ++i) row[i] = (row[i] - mean) * inverse * norm.weight[i];
    if (norm.bias != nullptr) {
      for (int64_t i = 0; i < norm.size; ++i) row[i] += norm.bias[i];
    }
    StoreRow(norm.y, r, norm.size, row);
    if (norm.mean != nullptr) norm.mean[r] = mean;
    if (norm.inverse != nullptr) norm.inverse[r] = inverse;
  }
}

// With h = weight grad_y: grad_x = (h - [centred] mean(h) - n mean(h n)) / sqrt(...).
template <int lanes>
void BackwardRows(const NormBackward& norm) {
  const float share = 1.0f / static_cast<float>(norm.size);
  float* __restrict n = norm.scratch;
  float* __restrict h = norm.scratch + norm.size;
  float* __restrict grad_weight = norm.grad_weight;
  float* __restrict grad_bias = norm.grad_bias;
  for (int64_t r = 0; r < norm.rows; ++r) {
    LoadRow(norm.x, r, norm.size, n);
    LoadRow(norm.grad_y, r, norm.size, h);
    const float mean = norm.centred ? norm.mean[r] : 0.0f;
    const float inverse = norm.inverse[r];
    if (grad_bias != nullptr) {
      for (int64_t i = 0; i < norm.size; ++i) grad_bias[i] += h[i];
    }
    for (int64_t i = 0; i < norm.size; ++i) {
      n[i] = (n[i] - mean) * inverse;
      grad_weight[i] += h[i] * n[i];
      h[i] *= norm.weight[i];
    }
    const float mean_h = norm.centred ? share * RowSums<lanes>::Of(h, norm.size) : 0.0f;
    const float mean_hn = share * RowSums<lanes>::OfProducts(h, n, norm.size);
    for (int64_t i = 0; i < norm.size; ++i) h[i] = inverse * (h[i] - mean_h - n[i] * mean_hn);
    StoreRow(norm.grad_x, r, norm.size, h);
  }
}

template <int lanes>
constexpr NormKernels MakeNormKernels(const char* name) {
  return {name, ForwardRows<lanes>, BackwardRows<lanes>};
}

}  // namespace
}  // namespace wildrayzer
