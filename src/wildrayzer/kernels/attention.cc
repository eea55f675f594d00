#include "wildrayzer/kernels/attention.h"

#include <algorithm>
#include <vector>

namespace wildrayzer {
namespace {

// Scores held at once, in elements of one batch of heads.
constexpr int64_t kMaxScores = int64_t{1} << 24;

}  // namespace

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        double scale) {
  const int64_t row_scores = q.size(0) * q.size(1) * k.size(2);
  const int64_t rows = std::clamp<int64_t>(kMaxScores / std::max<int64_t>(row_scores, 1), 1, q.size(2));
  const torch::Tensor keys = k.transpose(2, 3).to(torch::kFloat32);
  const torch::Tensor values = v.to(torch::kFloat32);
  std::vector<torch::Tensor> parts;
  for (int64_t row = 0; row < q.size(2); row += rows) {
    const torch::Tensor queries = q.slice(2, row, row + rows).to(torch::kFloat32);
    parts.push_back(torch::matmul(torch::softmax(torch::matmul(queries * scale, keys), -1), values));
  }
  return torch::cat(parts, 2).to(q.scalar_type()).transpose(1, 2).contiguous().transpose(1, 2);
}

}  // namespace wildrayzer
