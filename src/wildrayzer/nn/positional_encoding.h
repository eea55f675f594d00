// Fixed sine-cosine position embeddings (method.md section 2).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// sincos1d(D, pos) = [sin(pos f_k), cos(pos f_k)], f_k = 10000^(-k / (D/2)), k = 0..D/2-1.
// `positions` [n], any numeric dtype -> [n, dim] float32 on the CPU. `dim` must be even and positive
// (UsageError). The angles are computed in double and rounded once, so large positions keep their accuracy.
torch::Tensor SinCos1d(int64_t dim, const torch::Tensor& positions);

// sincos1d of the positions 0..count-1, [count, dim].
torch::Tensor SinCos1d(int64_t dim, int64_t count);

// [rows * columns, dim] float32; row i belongs to grid point (i / columns, i % columns) and holds
// [sincos1d(dim/2, column), sincos1d(dim/2, row)]. `dim` must be a positive multiple of 4 (UsageError).
torch::Tensor SinCos2d(int64_t dim, int64_t rows, int64_t columns);

// Codes that depend on sizes alone, made once for each of them and device. Forgets all when there are many.
// May be used from several threads; a copy begins empty.
class CodeCache {
 public:
  CodeCache() = default;
  CodeCache(const CodeCache&) {}
  CodeCache& operator=(const CodeCache&) { return *this; }

  // What `make` gives, on `device`; `sizes` name it.
  torch::Tensor Get(const std::vector<int64_t>& sizes, torch::Device device,
                    const std::function<torch::Tensor()>& make);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::vector<int64_t>, std::string>, torch::Tensor> codes_;
};

}  // namespace wildrayzer
