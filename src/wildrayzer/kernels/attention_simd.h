// Vector building blocks of the attention kernels, on GCC vector types. Included only by the attention_*.cc
// files, each compiled for one instruction set; everything is in an unnamed namespace so that no copy
// compiled for a larger instruction set can be chosen by the linker for a smaller one. For the same reason
// nothing here may use the standard C++ library.
#pragma once

#include <stdint.h>
#include <string.h>

#include "wildrayzer/kernels/attention_kernels.h"

namespace wildrayzer {
namespace {

// Rows of the register tile: 6 x 2 or 6 x 4 accumulators fit every register file.
constexpr int kTileRows = 6;
static_assert(kAttentionRows % kTileRows == 0 && kAttentionKeys % kTileRows == 0);

// Spelled out because GCC ignores vector_size of a template argument.
template <int lanes>
struct Vectors;
template <>
struct Vectors<4> {
  typedef float Float __attribute__((vector_size(16)));
  typedef int32_t Int __attribute__((vector_size(16)));
};
template <>
struct Vectors<8> {
  typedef float Float __attribute__((vector_size(32)));
  typedef int32_t Int __attribute__((vector_size(32)));
};
template <>
struct Vectors<16> {
  typedef float Float __attribute__((vector_size(64)));
  typedef int32_t Int __attribute__((vector_size(64)));
};

template <int lanes_>
struct Simd {
  static constexpr int lanes = lanes_;
  using Float = typename Vectors<lanes_>::Float;
  using Int = typename Vectors<lanes_>::Int;

  static Float Load(const float* p) {
    Float v;
    memcpy(&v, p, sizeof(v));
    return v;
  }
  static void Store(float* p, Float v) { memcpy(p, &v, sizeof(v)); }
  static Float Splat(float x) { return x - Float{}; }

  // 2^x for x <= 0 with a relative error below 2e-7; below 2^-126 the result is 2^-126; NaN stays NaN.
  static Float Exp2(Float x) {
    const Float magic =
        Splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
    x = x < Splat(-126.0f) ? Splat(-126.0f) : x;
    const Float shifted = x + magic;
    const Float r = x - (shifted - magic);  // [-0.5, 0.5]
    // Polynomial of least relative error on [-0.5, 0.5]: 1.6e-8 with these float32 coefficients.
    Float p = Splat(1.534580806e-04f);
    p = p * r + Splat(1.339993090e-03f);
    p = p * r + Splat(9.618489072e-03f);
    p = p * r + Splat(5.550328642e-02f);
    p = p * r + Splat(2.402264625e-01f);
    p = p * r + Splat(6.931471825e-01f);
    p = p * r + Splat(1.0f);
    Int bits;
    Int exponent;
    memcpy(&bits, &p, sizeof(p));
    memcpy(&exponent, &shifted, sizeof(shifted));
    bits += exponent << 23;  // the constant part of `shifted` leaves the register at the top
    memcpy(&p, &bits, sizeof(p));
    return p;
  }

  static float Sum(Float v) {
    float total = 0.0f;
    for (int i = 0; i < lanes; ++i) total += v[i];
    return total;
  }
  static float Max(Float v) {
    float best = v[0];
    for (int i = 1; i < lanes; ++i) best = v[i] > best ? v[i] : best;
    return best;
  }
};

inline float Bf16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}

// Round to nearest even; NaN stays NaN.
inline uint16_t FloatToBf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  if (value != value) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline void LoadRow(const HeadRows& rows, int64_t token, int64_t head_size, float* out) {
  if (rows.bf16) {
    const uint16_t* source = static_cast<const uint16_t*>(rows.data) + token * rows.token_stride;
    for (int64_t i = 0; i < head_size; ++i) out[i] = Bf16ToFloat(source[i]);
  } else {
    memcpy(out, static_cast<const float*>(rows.data) + token * rows.token_stride, 4 * head_size);
  }
}

inline int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Hands out 64-byte aligned pieces of one scratch area; with a null base it only measures.
struct Arena {
  char* base;
  size_t used = 0;
  float* Floats(int64_t count) {
    float* piece = base == nullptr ? nullptr : reinterpret_cast<float*>(base + used);
    used += RoundUp(4 * count, 64);
    return piece;
  }
};

// Products of float32 operands.
template <int lanes, int vectors>
struct Fp32Products {
  using V = Simd<lanes>;
  static constexpr int kVectors = vectors;
  static constexpr int kWidth = lanes * vectors;  // columns of a panel

  // c[6][kWidth] (+)= a[6][depth] b[depth][kWidth]; element (r, k) of a is a[r * row_stride + k *
  // depth_stride].
  template <bool accumulate>
  static void Tile(const float* a, int64_t row_stride, int64_t depth_stride, const float* b, int64_t depth,
                   float* c, int64_t c_stride) {
    typename V::Float sums[kTileRows][vectors];
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < vectors; ++j) {
        sums[r][j] = accumulate ? V::Load(c + r * c_stride + j * lanes) : typename V::Float{};
      }
    }
    for (int64_t k = 0; k < depth; ++k) {
      typename V::Float right[vectors];
      for (int64_t j = 0; j < vectors; ++j) right[j] = V::Load(b + k * kWidth + j * lanes);
      for (int64_t r = 0; r < kTileRows; ++r) {
        const typename V::Float left = V::Splat(a[r * row_stride + k * depth_stride]);
        for (int64_t j = 0; j < vectors; ++j) sums[r][j] += left * right[j];
      }
    }
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < vectors; ++j) V::Store(c + r * c_stride + j * lanes, sums[r][j]);
    }
  }

  // Panels of rows [depth][columns] as they are.
  static void PackRows(const HeadRows& rows, int64_t tokens, int64_t head_size, float* panels) {
    const int64_t count = RoundUp(head_size, kWidth) / kWidth;
    for (int64_t panel = 0; panel < count; ++panel) {
      const int64_t first = panel * kWidth;
      const int64_t columns = head_size - first < kWidth ? head_size - first : kWidth;
      HeadRows part = rows;
      part.data = static_cast<const char*>(rows.data) + first * (rows.bf16 ? 2 : 4);
      for (int64_t t = 0; t < tokens; ++t) {
        float* out = panels + (panel * tokens + t) * kWidth;
        LoadRow(part, t, columns, out);
        for (int64_t i = columns; i < kWidth; ++i) out[i] = 0.0f;
      }
    }
  }

  // Panels of the transposed rows: depth = head_size, columns = tokens.
  static void PackTransposed(const HeadRows& rows, int64_t tokens, int64_t head_size, float* panels,
                             float* row) {
    const int64_t padded = RoundUp(tokens, kWidth);
    for (int64_t t = 0; t < padded; ++t) {
      float* out = panels + t / kWidth * head_size * kWidth + t % kWidth;
      if (t < tokens) {
        LoadRow(rows, t, head_size, row);
        for (int64_t d = 0; d < head_size; ++d) out[d * kWidth] = row[d];
      } else {
        for (int64_t d = 0; d < head_size; ++d) out[d * kWidth] = 0.0f;
      }
    }
  }
};

}  // namespace
}  // namespace wildrayzer
