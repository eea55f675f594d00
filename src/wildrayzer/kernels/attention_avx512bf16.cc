// Attention in bfloat16 products with float32 sums, for AVX512-BF16 (two multiplications a lane and
// instruction).
#include "wildrayzer/kernels/attention_forward.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>

namespace wildrayzer {
namespace {

// A word holds two numbers that are neighbours along the depth of a product.
struct Bf16Operands {
  using V = Simd<16>;
  using Word = uint32_t;
  static constexpr int64_t kPerWord = 2;
  static constexpr int kVectors = 4;
  static constexpr int kWidth = 64;
  static constexpr int64_t kProbabilityStride = kAttentionKeys / kPerWord;

  // c[6][64] (+)= a[6][2 depth] b[2 depth][64], as Fp32Products::Tile with pairs for elements.
  template <bool accumulate>
  static void Tile(const Word* a, int64_t row_stride, int64_t depth_stride, const Word* b, int64_t depth,
                   float* c, int64_t c_stride) {
    __m512 sums[kTileRows][kVectors];
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < kVectors; ++j) {
        sums[r][j] = accumulate ? _mm512_loadu_ps(c + r * c_stride + j * 16) : _mm512_setzero_ps();
      }
    }
    for (int64_t k = 0; k < depth; ++k) {
      __m512bh right[kVectors];
      for (int64_t j = 0; j < kVectors; ++j) right[j] = (__m512bh)_mm512_loadu_si512(b + k * kWidth + j * 16);
      for (int64_t r = 0; r < kTileRows; ++r) {
        const __m512bh left =
            (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * row_stride + k * depth_stride]));
        for (int64_t j = 0; j < kVectors; ++j) sums[r][j] = _mm512_dpbf16_ps(sums[r][j], left, right[j]);
      }
    }
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t j = 0; j < kVectors; ++j) _mm512_storeu_ps(c + r * c_stride + j * 16, sums[r][j]);
    }
  }

  static const uint16_t* Row(const HeadRows& rows, int64_t token) {
    return static_cast<const uint16_t*>(rows.data) + token * rows.token_stride;
  }

  static int64_t Pairs(int64_t numbers) { return (numbers + 1) / 2; }

  // Panels of 64 keys, each [pairs of channels][64].
  static void PackKeys(const HeadRows& k, int64_t keys, int64_t head_size, void* packed) {
    const int64_t pairs = Pairs(head_size);
    memset(packed, 0, PackedKeysBytes(keys, head_size));
    for (int64_t t = 0; t < keys; ++t) {
      char* out = static_cast<char*>(packed) + 4 * (t / kWidth * pairs * kWidth + t % kWidth);
      const uint16_t* row = Row(k, t);
      for (int64_t d = 0; d < head_size; d += 2) {
        memcpy(out + 4 * (d / 2) * kWidth, row + d, head_size - d >= 2 ? 4 : 2);
      }
    }
  }
  static size_t PackedKeysBytes(int64_t keys, int64_t head_size) {
    return 4 * RoundUp(keys, kWidth) * Pairs(head_size);
  }

  // Panels of 64 channels, each [pairs of keys][64].
  static void PackValues(const HeadRows& v, int64_t keys, int64_t head_size, void* packed) {
    const int64_t pairs = Pairs(keys);
    for (int64_t first = 0; first < head_size; first += kWidth) {
      Word* panel = static_cast<Word*>(packed) + first / kWidth * pairs * kWidth;
      const int64_t columns = head_size - first < kWidth ? head_size - first : kWidth;
      for (int64_t t = 0; t < keys; t += 2) {
        Word* out = panel + t / 2 * kWidth;
        const uint16_t* low = Row(v, t) + first;
        const uint16_t* high = low + v.token_stride;
        if (t + 1 < keys) {
          for (int64_t d = 0; d < columns; ++d) out[d] = low[d] | static_cast<Word>(high[d]) << 16;
        } else {
          for (int64_t d = 0; d < columns; ++d) out[d] = low[d];
        }
        for (int64_t d = columns; d < kWidth; ++d) out[d] = 0;
      }
    }
  }
  static size_t PackedValuesBytes(int64_t keys, int64_t head_size) {
    return 4 * Pairs(keys) * RoundUp(head_size, kWidth);
  }

  static void LoadQuery(const HeadRows& q, int64_t row, int64_t head_size, Word* out) {
    memcpy(out, Row(q, row), 2 * head_size);
  }
  static Word* Probabilities(Arena& arena, float*) {
    return reinterpret_cast<Word*>(arena.Floats(kAttentionRows * kProbabilityStride));
  }
  static void StoreProbability(Word* row, int64_t column, V::Float p) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)p);
    memcpy(row + column / 2, &rounded, sizeof(rounded));
  }
};

constexpr AttentionForwardKernels kForward = ForwardKernels<Bf16Operands>("avx512_bf16");

}  // namespace
const AttentionForwardKernels* const kAvx512Bf16Forward = &kForward;
}  // namespace wildrayzer
#else
namespace wildrayzer {
const AttentionForwardKernels* const kAvx512Bf16Forward = nullptr;
}  // namespace wildrayzer
#endif
