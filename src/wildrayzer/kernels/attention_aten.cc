#include <algorithm>

#include "wildrayzer/kernels/attention_paths.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

// Scores held at once over all batches and heads.
constexpr int64_t kMaxScores = int64_t{1} << 22;

int64_t RowsAtOnce(const torch::Tensor& q, const torch::Tensor& k) {
  return std::max<int64_t>(1, kMaxScores / std::max<int64_t>(1, q.size(0) * q.size(1) * k.size(2)));
}

// float64 stays, everything narrower is computed in float32.
torch::Tensor Wide(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? x : x.to(torch::kFloat32);
}

}  // namespace

AttentionResult AttentionForwardAten(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                     double scale) {
  const torch::Tensor keys = Wide(k).transpose(2, 3);
  const torch::Tensor values = Wide(v);
  const int64_t queries = q.size(2);
  AttentionResult result;
  result.out = torch::empty({q.size(0), queries, q.size(1), q.size(3)}, q.options()).transpose(1, 2);
  result.lse = torch::empty({q.size(0), q.size(1), queries}, values.options());
  const int64_t step = RowsAtOnce(q, k);
  for (int64_t row = 0; row < queries; row += step) {
    const torch::Tensor scores = torch::matmul(Wide(q.slice(2, row, row + step)), keys).mul_(scale);
    const torch::Tensor lse = torch::logsumexp(scores, -1);
    result.lse.slice(2, row, row + step).copy_(lse);
    result.out.slice(2, row, row + step).copy_(torch::matmul(scores.softmax(-1), values));
  }
  return result;
}

AttentionGradients AttentionBackwardAten(const torch::Tensor& q, const torch::Tensor& k,
                                         const torch::Tensor& v, const AttentionResult& result,
                                         const torch::Tensor& grad_out, double scale) {
  const torch::Tensor keys = Wide(k);
  const torch::Tensor values = Wide(v);
  torch::Tensor grad_q = torch::empty(q.sizes(), q.options());
  torch::Tensor grad_k = torch::zeros(keys.sizes(), keys.options());
  torch::Tensor grad_v = torch::zeros(values.sizes(), values.options());
  const int64_t step = RowsAtOnce(q, k);
  for (int64_t row = 0; row < q.size(2); row += step) {
    const torch::Tensor queries = Wide(q.slice(2, row, row + step));
    const torch::Tensor grad = Wide(grad_out.slice(2, row, row + step));
    const torch::Tensor delta = (grad * Wide(result.out.slice(2, row, row + step))).sum(-1, /*keepdim=*/true);
    const torch::Tensor p = torch::matmul(queries, keys.transpose(2, 3))
                                .mul_(scale)
                                .sub_(result.lse.slice(2, row, row + step).unsqueeze(-1))
                                .exp_();
    grad_v.add_(torch::matmul(p.transpose(2, 3), grad));
    const torch::Tensor ds = torch::matmul(grad, values.transpose(2, 3)).sub_(delta).mul_(p).mul_(scale);
    grad_q.slice(2, row, row + step).copy_(torch::matmul(ds, keys));
    grad_k.add_(torch::matmul(ds.transpose(2, 3), queries));
  }
  return {grad_q, grad_k.to(k.scalar_type()), grad_v.to(v.scalar_type())};
}

torch::Tensor AttentionFused(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                             double scale, const torch::Tensor& key_counts) {
#if WILDRAYZER_TORCH_2
  if (!key_counts.defined()) return at::scaled_dot_product_attention(q, k, v, {}, 0.0, false, scale);
  const torch::Tensor counts = key_counts.view({-1, 1, 1, 1});
  // A softmax over no key at all is not a number: such a sample looks at its first one, and gets zero for it.
  const torch::Tensor there =
      torch::arange(k.size(2), counts.options()).view({1, 1, 1, -1}) < counts.clamp_min(1);
  const torch::Tensor mixed = at::scaled_dot_product_attention(q, k, v, there, 0.0, false, scale);
  return mixed.masked_fill(counts.eq(0), 0.0);
#else
  throw Error("attention on a GPU needs LibTorch 2");
#endif
}

}  // namespace wildrayzer
