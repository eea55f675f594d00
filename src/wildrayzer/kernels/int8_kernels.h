// Products of a matrix of 8-bit integers with rows that are rounded to 8 bits on the way, on plain memory,
// compiled once per instruction set and chosen at run time.
//
//   row x:     s = max |x| / 127,  q = round(x / s), ties to even        (symmetric, one scale a token)
//   y[n] = act(s scale[n] sum_k q[k] weight[n, k] + bias[n])
//
// The sums are exact integers, and everything else is done one element at a time in the same order by every
// path: all paths give the same bits.
#pragma once

#include <cstdint>

namespace wildrayzer {

// Largest magnitude of a quantised number: symmetric, so that no product needs a correction for zero points.
constexpr int32_t kInt8Limit = 127;
// A sum of so many products cannot overflow 32 bits, nor that of numbers moved by 128 with their correction.
constexpr int64_t kMaxInt8Depth = 65536;
// Rows are worked on six at a time; buffers of words reach to a multiple of so many rows.
constexpr int64_t kInt8Rows = 6;

// Rows as the products read them: 32-bit words of 2 or 4 numbers.
struct Int8Rows {
  uint32_t* words;  // [rows, words a row]
  float* scales;    // [rows]
};

// A piece of a product: all columns of one panel, some rows.
struct Int8Product {
  const int8_t* weight;  // [columns, depth], the panel's first column
  const float* scales;   // [columns]
  const float* bias;     // [columns] or null
  int64_t depth;
  int64_t columns;  // at most the kernels' `columns`
  Int8Rows x;       // the rows of the piece; readable up to a multiple of six
  int64_t rows;
  bool gelu;          // act is x Phi(x), to 3e-7 of |x|; otherwise the identity
  float* y;           // [rows, y_stride], the panel's first column
  int64_t y_stride;   // elements between rows
  uint32_t* scratch;  // [(words of a row + 4) * columns of the kernels]
};

struct Int8Kernels {
  const char* name;
  int64_t columns;   // of a panel
  int64_t per_word;  // numbers in a word
  // Rounds rows x [rows, depth]. A row with a NaN or an infinity gets the scale NaN, and so a result of NaN.
  void (*round_rows)(const float* x, int64_t rows, int64_t depth, const Int8Rows& out);
  void (*product)(const Int8Product& product);

  int64_t WordsOf(int64_t depth) const { return (depth + per_word - 1) / per_word; }
};

// Those that were not compiled for this architecture are null; the others may only be called on processors
// that have the instructions.
extern const Int8Kernels* const kPortableInt8;
extern const Int8Kernels* const kAvx2Int8;
extern const Int8Kernels* const kAvxVnniInt8;
extern const Int8Kernels* const kAvx512Int8;
extern const Int8Kernels* const kAvx512VnniInt8;

// Those that this machine can run, slowest first (WILDRAYZER_SIMD lowers the choice, see cpu_features.h).
// At most five; `count` says how many.
const Int8Kernels* const* RunnableInt8(int* count);
inline const Int8Kernels& SelectInt8() {
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  return *all[count - 1];
}

}  // namespace wildrayzer
