#include "wildrayzer/kernels/attention.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "wildrayzer/kernels/attention_kernels.h"
#include "wildrayzer/kernels/attention_paths.h"
#include "wildrayzer/kernels/cpu_kernels.h"

namespace wildrayzer {
namespace {

AttentionResult Forward(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, double scale,
                        bool want_lse) {
  if (!HasCpuKernels(q)) return AttentionForwardAten(q, k, v, scale);
  return AttentionForwardCpu(q, k, v, scale, want_lse,
                             SelectAttentionForward(q.scalar_type() == torch::kBFloat16));
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& q,
                               const torch::Tensor& k, const torch::Tensor& v, double scale) {
    const AttentionResult result = Forward(q, k, v, scale, /*want_lse=*/true);
    context->save_for_backward({q, k, v, result.out, result.lse});
    context->saved_data["scale"] = scale;
    return result.out;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const double scale = context->saved_data["scale"].toDouble();
    const torch::Tensor& q = saved[0];
    const AttentionResult result{saved[3], saved[4]};
    const torch::Tensor grad = grads[0].to(q.scalar_type());
    const auto [grad_q, grad_k, grad_v] =
        HasCpuKernels(q)
            ? AttentionBackwardCpu(q, saved[1], saved[2], result, grad, scale, SelectAttentionBackward())
            : AttentionBackwardAten(q, saved[1], saved[2], result, grad, scale);
    return {grad_q, grad_k, grad_v, torch::Tensor()};
  }
};

torch::Tensor WithContiguousRows(const torch::Tensor& x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : x.contiguous();
}

void Check(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, double scale) {
  TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && v.sizes() == k.sizes() && q.size(0) == k.size(0) &&
                  q.size(1) == k.size(1) && q.size(3) == k.size(3),
              "Attention: shapes do not match: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
  TORCH_CHECK(q.scalar_type() == k.scalar_type() && q.scalar_type() == v.scalar_type(),
              "Attention: dtypes differ: ", q.scalar_type(), ", ", k.scalar_type(), ", ", v.scalar_type());
  TORCH_CHECK(k.size(2) >= 1 && q.size(3) >= 1 && scale > 0,
              "Attention: needs a key, a channel and a positive scale");
}

torch::Tensor FullAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                            double scale) {
  const torch::Tensor queries = WithContiguousRows(q);
  const torch::Tensor keys = WithContiguousRows(k);
  const torch::Tensor values = WithContiguousRows(v);
  const bool differentiate =
      torch::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  if (differentiate) return AttentionFunction::apply(queries, keys, values, scale);
  return Forward(queries, keys, values, scale, /*want_lse=*/false).out;
}

// Sample by sample, as their numbers of keys are known.
torch::Tensor AttentionToFirst(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               double scale, const torch::Tensor& key_counts) {
  const torch::Tensor counts = key_counts.contiguous();
  const int64_t* const first = counts.data_ptr<int64_t>();
  if (std::all_of(first, first + counts.numel(), [&](int64_t count) { return count == k.size(2); }))
    return FullAttention(q, k, v, scale);
  std::vector<torch::Tensor> samples;
  for (int64_t b = 0; b < q.size(0); ++b) {
    const torch::Tensor asking = q.narrow(0, b, 1);
    const auto answering = [&](const torch::Tensor& all) {
      return all.narrow(0, b, 1).narrow(2, 0, first[b]);
    };
    const torch::Tensor mixed =
        first[b] > 0 ? FullAttention(asking, answering(k), answering(v), scale) : torch::zeros_like(asking);
    samples.push_back(mixed.transpose(1, 2));
  }
  return torch::cat(samples).transpose(1, 2);
}

}  // namespace

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, double scale,
                        const torch::Tensor& key_counts) {
  Check(q, k, v, scale);
  TORCH_CHECK(!key_counts.defined() || (key_counts.dim() == 1 && key_counts.size(0) == q.size(0) &&
                                        key_counts.scalar_type() == torch::kInt64),
              "Attention: key_counts must be int64 [B]");
  if (!OnCpu(q)) return AttentionFused(q, k, v, scale, key_counts);
  return key_counts.defined() ? AttentionToFirst(q, k, v, scale, key_counts) : FullAttention(q, k, v, scale);
}

}  // namespace wildrayzer
