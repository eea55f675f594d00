#include "wildrayzer/nn/layers.h"

#include <cmath>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/kernels/norm.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

LinearImpl::LinearImpl(int64_t in_features, int64_t out_features, bool with_bias) {
  weight = register_parameter("weight", torch::empty({out_features, in_features}));
  if (with_bias) bias = register_parameter("bias", torch::empty({out_features}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  return LinearProduct(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

LayerNormImpl::LayerNormImpl(int64_t size, bool with_bias, double eps) : eps_(eps) {
  weight = register_parameter("weight", torch::empty({size}));
  if (with_bias) bias = register_parameter("bias", torch::empty({size}));
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x, std::optional<torch::ScalarType> type) {
  const auto shift = bias.defined() ? std::optional(bias) : std::nullopt;
  return LayerNormalize(x, weight, shift, eps_, type.value_or(x.scalar_type()));
}

RmsNormImpl::RmsNormImpl(int64_t size, double eps) : eps_(eps) {
  weight = register_parameter("weight", torch::empty({size}));
}

torch::Tensor RmsNormImpl::forward(const torch::Tensor& x) { return RmsNormalize(x, weight, eps_); }

SelfAttentionImpl::SelfAttentionImpl(int64_t width, int64_t head_size)
    : width_(width), head_size_(head_size) {
  if (head_size < 1 || width % head_size != 0) {
    throw UsageError("transformer width " + std::to_string(width) + " is not a multiple of the head size " +
                     std::to_string(head_size));
  }
  to_qkv = register_module("to_qkv", Linear(width, 3 * width));
  fc = register_module("fc", Linear(width, width));
  q_norm = register_module("q_norm", RmsNorm(head_size));
  k_norm = register_module("k_norm", RmsNorm(head_size));
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& x, std::optional<int64_t> queries) {
  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const int64_t asked = queries.value_or(tokens);
  TORCH_CHECK(asked >= 1 && asked <= tokens, "SelfAttention: ", asked, " queries of ", tokens, " tokens");
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size_));
  AttentionOperands heads;
  if (asked == tokens) {
    heads = NormalizeQueriesAndKeys(to_qkv->forward(x), q_norm->weight, k_norm->weight, q_norm->eps());
  } else {
    const auto split = [&](const torch::Tensor& flat) {
      return flat.view({batch, flat.size(1), width_ / head_size_, head_size_});
    };
    const auto parts = LinearProduct(x, to_qkv->weight.narrow(0, width_, 2 * width_)).chunk(2, -1);
    heads.q =
        q_norm->forward(split(LinearProduct(x.narrow(1, 0, asked), to_qkv->weight.narrow(0, 0, width_))));
    heads.k = k_norm->forward(split(parts[0]));
    heads.v = split(parts[1]);
  }
  const torch::Tensor mixed =
      Attention(heads.q.transpose(1, 2), heads.k.transpose(1, 2), heads.v.transpose(1, 2), scale);
  return fc->forward(mixed.transpose(1, 2).reshape({batch, asked, width_}));
}

MlpImpl::MlpImpl(int64_t width, int64_t hidden) : up_(width, hidden), down_(hidden, width) {
  mlp->push_back("0", up_);
  mlp->push_back("2", down_);
  register_module("mlp", mlp);
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) {
  return down_->forward(torch::gelu(up_->forward(x)));
}

BlockImpl::BlockImpl(int64_t width, int64_t head_size, int64_t mlp_ratio) {
  norm1 = register_module("norm1", LayerNorm(width));
  attn = register_module("attn", SelfAttention(width, head_size));
  norm2 = register_module("norm2", LayerNorm(width));
  mlp = register_module("mlp", Mlp(width, mlp_ratio * width));
}

torch::Tensor BlockImpl::forward(const torch::Tensor& x, std::optional<int64_t> queries) {
  const torch::Tensor kept = queries ? x.narrow(1, 0, *queries) : x;
  const torch::Tensor attended =
      kept + attn->forward(norm1->forward(x, attn->to_qkv->weight.scalar_type()), queries);
  return attended + mlp->forward(norm2->forward(attended, mlp->type()));
}

}  // namespace wildrayzer
