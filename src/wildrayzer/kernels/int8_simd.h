// The int8 kernels on the vectors of attention_simd.h, under the same rules: included only by the int8_*.cc
// files, no standard library, everything in an unnamed namespace. Compiled without contraction to fused
// multiply-adds, which would give each instruction set its own bits.
#pragma once

#include "wildrayzer/kernels/attention_simd.h"
#include "wildrayzer/kernels/int8_kernels.h"

namespace wildrayzer {
namespace {

static_assert(kInt8Rows == kTileRows);

// Vectors of `lanes` small integers.
template <typename Number, int lanes>
struct Narrow;
template <>
struct Narrow<uint8_t, 4> {
  typedef uint8_t Vector __attribute__((vector_size(4)));
};
template <>
struct Narrow<uint8_t, 8> {
  typedef uint8_t Vector __attribute__((vector_size(8)));
};
template <>
struct Narrow<uint8_t, 16> {
  typedef uint8_t Vector __attribute__((vector_size(16)));
};
template <>
struct Narrow<int16_t, 8> {
  typedef int16_t Vector __attribute__((vector_size(16)));
};
template <>
struct Narrow<int16_t, 16> {
  typedef int16_t Vector __attribute__((vector_size(32)));
};

// How numbers lie in words, for instructions that multiply four pairs of bytes a lane, the left ones without
// a sign: left numbers are moved by 128, which the sums begin without.
template <int lanes_>
struct BytesInWords {
  static constexpr int lanes = lanes_;
  using Left = uint8_t;
  using Right = int8_t;
  static constexpr int32_t kMoved = 128;
};
// For instructions that multiply two pairs of 16-bit numbers a lane.
template <int lanes_>
struct ShortsInWords {
  static constexpr int lanes = lanes_;
  using Left = int16_t;
  using Right = int16_t;
  static constexpr int32_t kMoved = 0;
};

// Exact sums of products by plain arithmetic: what the instructions do.
template <int lanes>
struct PlainBytes : BytesInWords<lanes> {
  using Int = typename Vectors<lanes>::Int;
  static Int Add(Int sums, uint32_t left, Int right) {
    for (int i = 0; i < 4; ++i) {
      const int32_t number = static_cast<int32_t>(left >> 8 * i & 255);
      sums += (right << (24 - 8 * i) >> 24) * number;  // of int32 lanes: the shift back extends the sign
    }
    return sums;
  }
};

// `Words` says how numbers lie in words and has
//   Int Add(Int sums, uint32_t left, Int right)    sums + left . right in every lane, left the same in all.
template <typename Words, int vectors>
struct Int8Path {
  static constexpr int lanes = Words::lanes;
  static constexpr int64_t kColumns = lanes * vectors;
  static constexpr int64_t kPerWord = 4 / sizeof(typename Words::Left);
  using V = Simd<lanes>;
  using Float = typename V::Float;
  using Int = typename V::Int;
  using Left = typename Words::Left;
  using Right = typename Words::Right;

  // Bits of the largest |x|: as integers they are in the order of the magnitudes, infinity and NaN last.
  static int32_t LargestBits(const float* x, int64_t depth) {
    Int most{};
    int64_t i = 0;
    for (; i + lanes <= depth; i += lanes) {
      Int bits;
      memcpy(&bits, x + i, sizeof(bits));
      bits &= 0x7fffffff;
      most = bits > most ? bits : most;
    }
    int32_t largest = 0;
    for (int j = 0; j < lanes; ++j) largest = most[j] > largest ? most[j] : largest;
    for (; i < depth; ++i) {
      int32_t bits;
      memcpy(&bits, x + i, sizeof(bits));
      bits &= 0x7fffffff;
      largest = bits > largest ? bits : largest;
    }
    return largest;
  }

  static void RoundRow(const float* x, int64_t depth, int64_t words, Left* out, float* scale) {
    const int32_t bits = LargestBits(x, depth);
    float largest;
    memcpy(&largest, &bits, sizeof(largest));
    const bool finite = bits < 0x7f800000;
    // Below the smallest normal numbers a row is zero: the inverse of its scale might not be finite.
    const bool zero = !finite || largest < 1e-35f;
    *scale = !finite ? __builtin_nanf("") : zero ? 0.0f : largest / 127.0f;
    const float inverse = zero ? 0.0f : 127.0f / largest;
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
    int32_t magic_bits;
    memcpy(&magic_bits, &magic, sizeof(magic));
    int64_t i = 0;
    for (; finite && i + lanes <= depth; i += lanes) {
      const Float shifted = V::Load(x + i) * inverse + magic;
      Int rounded;
      memcpy(&rounded, &shifted, sizeof(rounded));
      rounded += Words::kMoved - magic_bits;
      const auto narrow = __builtin_convertvector(rounded, typename Narrow<Left, lanes>::Vector);
      memcpy(out + i, &narrow, sizeof(narrow));
    }
    for (; i < words * kPerWord; ++i) {
      int32_t rounded = 0;
      if (finite && i < depth) {
        const float shifted = x[i] * inverse + magic;
        memcpy(&rounded, &shifted, sizeof(rounded));
        rounded -= magic_bits;
      }
      out[i] = static_cast<Left>(rounded + Words::kMoved);
    }
  }

  static void RoundRows(const float* x, int64_t rows, int64_t depth, const Int8Rows& out) {
    const int64_t words = RoundUp(depth, kPerWord) / kPerWord;
    for (int64_t r = 0; r < rows; ++r) {
      RoundRow(x + r * depth, depth, words, reinterpret_cast<Left*>(out.words + r * words), out.scales + r);
    }
  }

  // The panel [words, kColumns] and what goes with each column.
  struct Panel {
    uint32_t* words;
    int32_t* start;  // [kColumns] what the sums begin with
    float* scales;   // [kColumns]
    float* bias;     // [kColumns]
  };

  static uint32_t Word(const int8_t* weight, int64_t count) {
    Right numbers[kPerWord] = {};
    for (int64_t i = 0; i < count; ++i) numbers[i] = weight[i];
    uint32_t word;
    memcpy(&word, numbers, sizeof(word));
    return word;
  }

  static Panel Pack(const Int8Product& p, int64_t words) {
    uint32_t* end = p.scratch + words * kColumns;
    const Panel panel{p.scratch, reinterpret_cast<int32_t*>(end), reinterpret_cast<float*>(end + kColumns),
                      reinterpret_cast<float*>(end + 2 * kColumns)};
    for (int64_t c = 0; c < kColumns; ++c) {
      const bool present = c < p.columns;
      panel.scales[c] = present ? p.scales[c] : 0.0f;
      panel.bias[c] = present && p.bias != nullptr ? p.bias[c] : 0.0f;
      int32_t sum = 0;
      for (int64_t k = 0; present && Words::kMoved != 0 && k < p.depth; ++k) sum += p.weight[c * p.depth + k];
      panel.start[c] = -Words::kMoved * sum;
    }
    // A few words of all columns at a time, so that the lines of the panel stay in the first cache.
    const int64_t whole = p.depth / kPerWord;
    for (int64_t first = 0; first < words; first += 16) {
      const int64_t last = first + 16 < whole ? first + 16 : whole;
      for (int64_t c = 0; c < p.columns; ++c) {
        const int8_t* weight = p.weight + c * p.depth;
        for (int64_t w = first; w < last; ++w)
          panel.words[w * kColumns + c] = Word(weight + w * kPerWord, kPerWord);
        if (first + 16 >= words && whole < words)
          panel.words[whole * kColumns + c] = Word(weight + whole * kPerWord, p.depth - whole * kPerWord);
      }
    }
    for (int64_t w = 0; w < words; ++w) {
      for (int64_t c = p.columns; c < kColumns; ++c) panel.words[w * kColumns + c] = 0;
    }
    return panel;
  }

  // x Phi(x) with the error function of Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
  static Float Gelu(Float x) {
    const Float z = x * 0.70710678f;
    const Float magnitude = z < 0.0f ? -z : z;
    const Float t = 1.0f / (1.0f + 0.3275911f * magnitude);
    Float p = V::Splat(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const Float tail = p * t * V::Exp2(z * z * -1.44269504f);  // 1 - erf(|z|)
    const Float phi = z < 0.0f ? 0.5f * tail : 1.0f - 0.5f * tail;
    return x * phi;
  }

  static Int LoadInt(const void* p) {
    Int v;
    memcpy(&v, p, sizeof(v));
    return v;
  }

  // sums[6][kColumns] = start + left[6][words] . panel[words][kColumns]
  static void Tile(const uint32_t* left, int64_t words, const Panel& panel, int32_t* out) {
    Int sums[kTileRows][vectors];
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < vectors; ++j) sums[r][j] = LoadInt(panel.start + j * lanes);
    }
    const uint32_t* right = panel.words;
    for (int64_t w = 0; w < words; ++w, ++left, right += kColumns) {
      Int b[vectors];
      for (int64_t j = 0; j < vectors; ++j) b[j] = LoadInt(right + j * lanes);
      for (int64_t r = 0; r < kTileRows; ++r) {
        for (int64_t j = 0; j < vectors; ++j) sums[r][j] = Words::Add(sums[r][j], left[r * words], b[j]);
      }
    }
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < vectors; ++j) memcpy(out + r * kColumns + j * lanes, &sums[r][j], sizeof(Int));
    }
  }

  // One row of results; `sums` [kColumns].
  static void Finish(const Int8Product& p, const Panel& panel, const int32_t* sums, float scale, float* out) {
    float padded[kColumns];
    float* values = p.columns == kColumns ? out : padded;
    for (int64_t i = 0; i < kColumns; i += lanes) {
      const Float total = __builtin_convertvector(LoadInt(sums + i), Float);
      const Float y = total * (V::Load(panel.scales + i) * scale) + V::Load(panel.bias + i);
      V::Store(values + i, p.gelu ? Gelu(y) : y);
    }
    if (values != out) memcpy(out, padded, sizeof(float) * static_cast<size_t>(p.columns));
  }

  static void Product(const Int8Product& p) {
    const int64_t words = RoundUp(p.depth, kPerWord) / kPerWord;
    const Panel panel = Pack(p, words);
    int32_t sums[kTileRows * kColumns];
    for (int64_t row = 0; row < p.rows; row += kTileRows) {
      Tile(p.x.words + row * words, words, panel, sums);
      const int64_t end = row + kTileRows < p.rows ? row + kTileRows : p.rows;
      for (int64_t r = row; r < end; ++r) {
        Finish(p, panel, sums + (r - row) * kColumns, p.x.scales[r], p.y + r * p.y_stride);
      }
    }
  }

  static constexpr Int8Kernels Kernels(const char* name) {
    return {name, kColumns, kPerWord, RoundRows, Product};
  }
};

}  // namespace
}  // namespace wildrayzer
