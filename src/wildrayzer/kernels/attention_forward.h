// Forward pass of blocked attention; see attention_simd.h for the rules of inclusion.
#pragma once

#include <math.h>

#include "wildrayzer/kernels/attention_simd.h"

namespace wildrayzer {
namespace {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

// Operands of a forward pass in float32.
template <int lanes, int vectors>
struct Fp32Operands : Fp32Products<lanes, vectors> {
  using Base = Fp32Products<lanes, vectors>;
  using Word = float;
  static constexpr int64_t kPerWord = 1;  // numbers along the depth of a product in one word of an operand

  static void PackKeys(const HeadRows& k, int64_t keys, int64_t head_size, void* packed) {
    float* panels = static_cast<float*>(packed);
    float* row = panels + RoundUp(keys, Base::kWidth) * head_size;
    Base::PackTransposed(k, keys, head_size, panels, row);
  }
  static size_t PackedKeysBytes(int64_t keys, int64_t head_size) {
    return 4 * (RoundUp(keys, Base::kWidth) + 1) * head_size;
  }
  static void PackValues(const HeadRows& v, int64_t keys, int64_t head_size, void* packed) {
    Base::PackRows(v, keys, head_size, static_cast<float*>(packed));
  }
  static size_t PackedValuesBytes(int64_t keys, int64_t head_size) {
    return 4 * keys * RoundUp(head_size, Base::kWidth);
  }
  static void LoadQuery(const HeadRows& q, int64_t row, int64_t head_size, Word* out) {
    LoadRow(q, row, head_size, out);
  }
  // Probabilities stay where the scores were.
  static Word* Probabilities(Arena&, float* scores) { return scores; }
  static constexpr int64_t kProbabilityStride = kAttentionKeys;
  static void StoreProbability(Word* row, int64_t column, typename Base::V::Float p) {
    Base::V::Store(row + column, p);
  }
};

// What one block of queries carries from one block of keys to the next.
struct SoftmaxRows {
  float* max;       // largest raw score so far
  float* sum;       // sum of exp(scale (score - max))
  float* weighted;  // [kAttentionRows][weighted_stride] the same sum with the values
  int64_t weighted_stride;
};

// Turns the scores of one row against `keys` keys into probabilities relative to the running maximum, and
// rescales what the row has gathered so far. Columns from `keys` to the end of the panel get probability
// 2^-126, which meets zero values.
template <class Operands>
inline void SoftmaxRow(float* scores, typename Operands::Word* probabilities, int64_t keys, float factor,
                       const SoftmaxRows& rows, int64_t r) {
  using V = typename Operands::V;
  const int64_t padded = RoundUp(keys, V::lanes);
  for (int64_t i = keys; i < padded; ++i) scores[i] = -INFINITY;
  typename V::Float best = V::Load(scores);
  for (int64_t i = V::lanes; i < padded; i += V::lanes) {
    const typename V::Float s = V::Load(scores + i);
    best = s > best ? s : best;
  }
  const float before = rows.max[r];
  const float block_max = V::Max(best);
  const float now = block_max > before ? block_max : before;
  if (now > before) {
    const float shrink = V::Exp2(V::Splat((before - now) * factor))[0];
    rows.max[r] = now;
    rows.sum[r] *= shrink;
    float* weighted = rows.weighted + r * rows.weighted_stride;
    for (int64_t i = 0; i < rows.weighted_stride; i += V::lanes) {
      V::Store(weighted + i, V::Load(weighted + i) * V::Splat(shrink));
    }
  }
  typename V::Float sum{};
  for (int64_t i = 0; i < padded; i += V::lanes) {
    const typename V::Float p = V::Exp2((V::Load(scores + i) - V::Splat(now)) * V::Splat(factor));
    Operands::StoreProbability(probabilities, i, p);
    sum += p;
  }
  rows.sum[r] += V::Sum(sum);
}

template <class Operands>
struct ForwardScratch {
  typename Operands::Word* queries;
  float* scores;
  typename Operands::Word* probabilities;
  SoftmaxRows rows;

  static int64_t DepthWords(int64_t numbers) {
    return RoundUp(numbers, Operands::kPerWord) / Operands::kPerWord;
  }

  ForwardScratch(Arena& arena, int64_t head_size) {
    static_assert(sizeof(typename Operands::Word) == sizeof(float));
    queries =
        reinterpret_cast<typename Operands::Word*>(arena.Floats(kAttentionRows * DepthWords(head_size)));
    scores = arena.Floats(kAttentionRows * kAttentionKeys);
    probabilities = Operands::Probabilities(arena, scores);
    rows.max = arena.Floats(kAttentionRows);
    rows.sum = arena.Floats(kAttentionRows);
    rows.weighted_stride = RoundUp(head_size, Operands::kWidth);
    rows.weighted = arena.Floats(kAttentionRows * rows.weighted_stride);
  }
};

template <class Operands>
size_t ForwardScratchBytes(int64_t head_size) {
  Arena arena{nullptr};
  ForwardScratch<Operands> scratch(arena, head_size);
  return arena.used;
}

template <class Operands>
void FinishRows(const AttentionForwardBlock& block, const SoftmaxRows& rows) {
  for (int64_t r = 0; r < block.rows; ++r) {
    const float inverse = 1.0f / rows.sum[r];
    const float* weighted = rows.weighted + r * rows.weighted_stride;
    if (block.q.bf16) {
      uint16_t* out = static_cast<uint16_t*>(block.out) + r * block.out_stride;
      for (int64_t i = 0; i < block.head_size; ++i) out[i] = FloatToBf16(weighted[i] * inverse);
    } else {
      float* out = static_cast<float*>(block.out) + r * block.out_stride;
      for (int64_t i = 0; i < block.head_size; ++i) out[i] = weighted[i] * inverse;
    }
    if (block.lse != nullptr) block.lse[r] = rows.max[r] * block.scale + logf(rows.sum[r]);
  }
}

template <class Operands>
void ForwardBlock(const AttentionForwardBlock& block) {
  using Word = typename Operands::Word;
  using Scratch = ForwardScratch<Operands>;
  constexpr int64_t kWidth = Operands::kWidth;
  Arena arena{static_cast<char*>(block.scratch)};
  const Scratch scratch(arena, block.head_size);
  const SoftmaxRows& rows = scratch.rows;
  const int64_t depth = Scratch::DepthWords(block.head_size);
  const int64_t tiled_rows = RoundUp(block.rows, kTileRows);
  memset(scratch.queries, 0, 4 * tiled_rows * depth);
  memset(rows.weighted, 0, 4 * tiled_rows * rows.weighted_stride);
  for (int64_t r = 0; r < tiled_rows; ++r) {
    if (r < block.rows) Operands::LoadQuery(block.q, r, block.head_size, scratch.queries + r * depth);
    rows.max[r] = -INFINITY;
    rows.sum[r] = 0.0f;
  }
  const Word* keys_transposed = static_cast<const Word*>(block.keys_transposed);
  const Word* values = static_cast<const Word*>(block.values);
  const int64_t value_panel = Scratch::DepthWords(block.keys) * kWidth;
  for (int64_t first = 0; first < block.keys; first += kAttentionKeys) {
    const int64_t keys = block.keys - first < kAttentionKeys ? block.keys - first : kAttentionKeys;
    for (int64_t column = 0; column < keys; column += kWidth) {
      const Word* panel = keys_transposed + (first + column) * depth;
      for (int64_t r = 0; r < tiled_rows; r += kTileRows) {
        Operands::template Tile<false>(scratch.queries + r * depth, depth, 1, panel, depth,
                                       scratch.scores + r * kAttentionKeys + column, kAttentionKeys);
      }
    }
    for (int64_t r = 0; r < tiled_rows; ++r) {
      SoftmaxRow<Operands>(scratch.scores + r * kAttentionKeys,
                           scratch.probabilities + r * Operands::kProbabilityStride, keys,
                           block.scale * kLog2E, rows, r);
    }
    for (int64_t column = 0; column < block.head_size; column += kWidth) {
      const Word* panel = values + column / kWidth * value_panel + first / Operands::kPerWord * kWidth;
      for (int64_t r = 0; r < tiled_rows; r += kTileRows) {
        Operands::template Tile<true>(scratch.probabilities + r * Operands::kProbabilityStride,
                                      Operands::kProbabilityStride, 1, panel, Scratch::DepthWords(keys),
                                      rows.weighted + r * rows.weighted_stride + column,
                                      rows.weighted_stride);
      }
    }
  }
  FinishRows<Operands>(block, rows);
}

template <class Operands>
constexpr AttentionForwardKernels ForwardKernels(const char* name) {
  return {name,
          Operands::PackedKeysBytes,
          Operands::PackedValuesBytes,
          Operands::PackKeys,
          Operands::PackValues,
          ForwardScratchBytes<Operands>,
          ForwardBlock<Operands>};
}

}  // namespace
}  // namespace wildrayzer
