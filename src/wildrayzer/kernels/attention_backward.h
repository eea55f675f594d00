// Backward pass of blocked attention; see attention_simd.h for the rules of inclusion.
//
// With P = softmax(scale Q K^T), O = P V and dO given (Dao et al. 2022, appendix B.2):
//   dV = P^T dO,  dP = dO V^T,  dS = scale P (dP - rowsum(dO O)),  dQ = dS K,  dK = dS^T Q.
// P is recomputed block by block from the stored logarithms of the softmax sums.
#pragma once

#include <math.h>

#include "wildrayzer/kernels/attention_simd.h"

namespace wildrayzer {
namespace {

// Operands and accumulators of one head. Panels named after what they hold; the transposed ones have depth
// head_size.
struct BackwardScratch {
  float* key_columns;    // K^T
  float* value_columns;  // V^T
  float* key_rows;       // K
  float* query_panels;   // Q, as the right-hand factor of dK
  float* grad_panels;    // dO, as the right-hand factor of dV
  float* queries;        // Q [padded queries][head_size], as a left-hand factor
  float* grads;          // dO likewise
  float* grad_q;         // [padded queries][padded head_size]
  float* grad_k;         // [kAttentionKeys][padded head_size]
  float* grad_v;
  float* p;   // [kAttentionRows][kAttentionKeys] P, then
  float* ds;  // dP, then dS
  float* row;
};

template <class Products>
BackwardScratch LayOut(Arena& arena, int64_t queries, int64_t keys, int64_t head_size) {
  const int64_t width = RoundUp(head_size, Products::kWidth);
  const int64_t columns = RoundUp(keys, Products::kWidth);
  const int64_t rows = RoundUp(queries, kTileRows);
  BackwardScratch s;
  s.key_columns = arena.Floats(columns * head_size);
  s.value_columns = arena.Floats(columns * head_size);
  s.key_rows = arena.Floats(keys * width);
  s.query_panels = arena.Floats(queries * width);
  s.grad_panels = arena.Floats(queries * width);
  s.queries = arena.Floats(rows * head_size);
  s.grads = arena.Floats(rows * head_size);
  s.grad_q = arena.Floats(rows * width);
  s.grad_k = arena.Floats(kAttentionKeys * width);
  s.grad_v = arena.Floats(kAttentionKeys * width);
  s.p = arena.Floats(kAttentionRows * kAttentionKeys);
  s.ds = arena.Floats(kAttentionRows * kAttentionKeys);
  s.row = arena.Floats(head_size);
  return s;
}

template <class Products>
size_t BackwardScratchBytes(int64_t queries, int64_t keys, int64_t head_size) {
  Arena arena{nullptr};
  LayOut<Products>(arena, queries, keys, head_size);
  return arena.used;
}

template <class Products>
void PackHead(const AttentionBackwardHead& head, const BackwardScratch& s) {
  const int64_t size = head.head_size;
  Products::PackTransposed(head.k, head.keys, size, s.key_columns, s.row);
  Products::PackTransposed(head.v, head.keys, size, s.value_columns, s.row);
  Products::PackRows(head.k, head.keys, size, s.key_rows);
  Products::PackRows(head.q, head.queries, size, s.query_panels);
  Products::PackRows(head.grad_out, head.queries, size, s.grad_panels);
  const int64_t rows = RoundUp(head.queries, kTileRows);
  memset(s.queries, 0, 4 * rows * size);
  memset(s.grads, 0, 4 * rows * size);
  for (int64_t r = 0; r < head.queries; ++r) {
    LoadRow(head.q, r, size, s.queries + r * size);
    LoadRow(head.grad_out, r, size, s.grads + r * size);
  }
  memset(s.grad_q, 0, 4 * rows * RoundUp(size, Products::kWidth));
}

// One product of a left factor [rows][depth] with all panels of a right factor.
template <class Products, bool accumulate>
void Multiply(const float* a, int64_t row_stride, int64_t depth_stride, int64_t rows, const float* panels,
              int64_t panel_size, int64_t columns, int64_t depth, float* c, int64_t c_stride) {
  for (int64_t column = 0; column < columns; column += Products::kWidth) {
    const float* panel = panels + column / Products::kWidth * panel_size;
    for (int64_t r = 0; r < rows; r += kTileRows) {
      Products::template Tile<accumulate>(a + r * row_stride, row_stride, depth_stride, panel, depth,
                                          c + r * c_stride + column, c_stride);
    }
  }
}

// From raw scores in `p` and dP in `ds` to P and dS; the columns that fill up the last tile become zero.
template <class Products>
void ProbabilitiesAndScoreGradients(const AttentionBackwardHead& head, int64_t first_row, int64_t rows,
                                    int64_t keys, const BackwardScratch& s) {
  using V = typename Products::V;
  const int64_t end = RoundUp(keys, kTileRows);  // dV and dK tiles read this far
  for (int64_t r = 0; r < rows; ++r) {
    float* p = s.p + r * kAttentionKeys;
    float* ds = s.ds + r * kAttentionKeys;
    const typename V::Float lse = V::Splat(head.lse[first_row + r] * 1.44269504f);
    const typename V::Float delta = V::Splat(head.delta[first_row + r]);
    const typename V::Float factor = V::Splat(head.scale * 1.44269504f);
    for (int64_t i = 0; i < keys; i += V::lanes) {
      typename V::Float exponent = V::Load(p + i) * factor - lse;
      const typename V::Float probability = V::Exp2(exponent);
      V::Store(p + i, probability);
      V::Store(ds + i, probability * (V::Load(ds + i) - delta) * V::Splat(head.scale));
    }
    for (int64_t i = keys; i < end; ++i) p[i] = ds[i] = 0.0f;
  }
}

template <class Products>
void StoreKeyGradients(const AttentionBackwardHead& head, int64_t first, int64_t keys, int64_t width,
                       const BackwardScratch& s) {
  for (int64_t i = 0; i < keys; ++i) {
    memcpy(head.grad_k + (first + i) * head.head_size, s.grad_k + i * width, 4 * head.head_size);
    memcpy(head.grad_v + (first + i) * head.head_size, s.grad_v + i * width, 4 * head.head_size);
  }
}

template <class Products>
void BackwardHead(const AttentionBackwardHead& head) {
  constexpr int64_t kWidth = Products::kWidth;
  Arena arena{static_cast<char*>(head.scratch)};
  const BackwardScratch s = LayOut<Products>(arena, head.queries, head.keys, head.head_size);
  PackHead<Products>(head, s);
  const int64_t size = head.head_size;
  const int64_t width = RoundUp(size, kWidth);
  for (int64_t first = 0; first < head.keys; first += kAttentionKeys) {
    const int64_t keys = head.keys - first < kAttentionKeys ? head.keys - first : kAttentionKeys;
    const int64_t tiled_keys = RoundUp(keys, kTileRows);
    memset(s.grad_k, 0, 4 * tiled_keys * width);
    memset(s.grad_v, 0, 4 * tiled_keys * width);
    for (int64_t start = 0; start < head.queries; start += kAttentionRows) {
      const int64_t rows = head.queries - start < kAttentionRows ? head.queries - start : kAttentionRows;
      const int64_t tiled_rows = RoundUp(rows, kTileRows);
      Multiply<Products, false>(s.queries + start * size, size, 1, tiled_rows, s.key_columns + first * size,
                                kWidth * size, keys, size, s.p, kAttentionKeys);
      Multiply<Products, false>(s.grads + start * size, size, 1, tiled_rows, s.value_columns + first * size,
                                kWidth * size, keys, size, s.ds, kAttentionKeys);
      ProbabilitiesAndScoreGradients<Products>(head, start, rows, keys, s);
      Multiply<Products, true>(s.p, 1, kAttentionKeys, tiled_keys, s.grad_panels + start * kWidth,
                               head.queries * kWidth, size, rows, s.grad_v, width);
      Multiply<Products, true>(s.ds, 1, kAttentionKeys, tiled_keys, s.query_panels + start * kWidth,
                               head.queries * kWidth, size, rows, s.grad_k, width);
      Multiply<Products, true>(s.ds, kAttentionKeys, 1, tiled_rows, s.key_rows + first * kWidth,
                               head.keys * kWidth, size, keys, s.grad_q + start * width, width);
    }
    StoreKeyGradients<Products>(head, first, keys, width, s);
  }
  for (int64_t r = 0; r < head.queries; ++r) memcpy(head.grad_q + r * size, s.grad_q + r * width, 4 * size);
}

template <class Products>
constexpr AttentionBackwardKernels BackwardKernels(const char* name) {
  return {name, BackwardScratchBytes<Products>, BackwardHead<Products>};
}

}  // namespace
}  // namespace wildrayzer
