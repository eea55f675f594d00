// Blocked softmax attention on plain memory, compiled once per instruction set and chosen at run time.
//
// Everything is a product of a small row-major or strided operand with a "panel" matrix: a matrix of `depth`
// rows and `columns` columns, stored as ceil(columns / panel_width) panels of [depth][panel_width] words,
// zero-padded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wildrayzer {

// Rows of one head: [tokens][head_size], float32 or bfloat16, head_size contiguous.
struct HeadRows {
  const void* data;
  int64_t token_stride;  // elements
  bool bf16;
};

// Blocks of the softmax: query rows and keys that are in flight at once.
inline constexpr int64_t kAttentionRows = 96;
inline constexpr int64_t kAttentionKeys = 192;

// One block of at most kAttentionRows queries against all keys of a head.
struct AttentionForwardBlock {
  HeadRows q;  // first row of the block
  int64_t rows;
  const void* keys_transposed;  // from pack_keys
  const void* values;           // from pack_values
  int64_t keys;
  int64_t head_size;
  float scale;         // > 0
  void* out;           // [rows][out_stride], dtype of q
  int64_t out_stride;  // elements
  float* lse;          // [rows] log sum exp(scale q k), natural logarithm; may be null
  void* scratch;       // forward_scratch_bytes, 64-byte aligned
};

// Whole backward pass of one head.
struct AttentionBackwardHead {
  HeadRows q, k, v, grad_out;
  const float* lse;    // [queries]
  const float* delta;  // [queries] sum over channels of grad_out * out
  int64_t queries;
  int64_t keys;
  int64_t head_size;
  float scale;
  float* grad_q;  // [queries][head_size] contiguous
  float* grad_k;  // [keys][head_size]
  float* grad_v;  // [keys][head_size]
  void* scratch;  // backward_scratch_bytes, 64-byte aligned
};

struct AttentionForwardKernels {
  const char* name;
  size_t (*packed_keys_bytes)(int64_t keys, int64_t head_size);
  size_t (*packed_values_bytes)(int64_t keys, int64_t head_size);
  void (*pack_keys)(const HeadRows& k, int64_t keys, int64_t head_size, void* packed);
  void (*pack_values)(const HeadRows& v, int64_t keys, int64_t head_size, void* packed);
  size_t (*forward_scratch_bytes)(int64_t head_size);
  void (*forward)(const AttentionForwardBlock& block);
};

struct AttentionBackwardKernels {
  const char* name;
  size_t (*backward_scratch_bytes)(int64_t queries, int64_t keys, int64_t head_size);
  void (*backward)(const AttentionBackwardHead& head);
};

// Implementations. The accelerated ones may only be called on processors that have the instructions; those
// that were not compiled for this architecture are null.
extern const AttentionForwardKernels* const kPortableForward;
extern const AttentionForwardKernels* const kAvx2Forward;
extern const AttentionForwardKernels* const kAvx512Forward;
extern const AttentionForwardKernels* const
    kAvx512Bf16Forward;  // bfloat16 products, float32 sums; inputs must be bf16
extern const AttentionBackwardKernels* const kPortableBackward;
extern const AttentionBackwardKernels* const kAvx2Backward;
extern const AttentionBackwardKernels* const kAvx512Backward;

// The fastest of them on this machine. WILDRAYZER_SIMD (portable, avx2, avx512) in the environment lowers the
// choice.
const AttentionForwardKernels& SelectAttentionForward(bool bf16);
const AttentionBackwardKernels& SelectAttentionBackward();

}  // namespace wildrayzer
