#include "wildrayzer/nn/layers.h"

#include <cmath>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/linear.h"
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

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) {
  const torch::Tensor shift = bias.defined() ? bias.to(torch::kFloat32) : torch::Tensor();
  return torch::layer_norm(x.to(torch::kFloat32), weight.sizes(), weight.to(torch::kFloat32), shift, eps_)
      .to(x.scalar_type());
}

RmsNormImpl::RmsNormImpl(int64_t size, double eps) : eps_(eps) {
  weight = register_parameter("weight", torch::empty({size}));
}

torch::Tensor RmsNormImpl::forward(const torch::Tensor& x) {
  const torch::Tensor wide = x.to(torch::kFloat32);
  const torch::Tensor inverse = wide.square().mean(-1, /*keepdim=*/true).add(eps_).rsqrt();
  return wide.mul(inverse).mul(weight.to(torch::kFloat32)).to(x.scalar_type());
}

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
  const auto heads = [&](const torch::Tensor& flat) {
    return flat.view({batch, flat.size(1), width_ / head_size_, head_size_});
  };
  torch::Tensor q;
  torch::Tensor k;
  torch::Tensor v;
  if (asked == tokens) {
    const auto parts = to_qkv->forward(x).chunk(3, -1);
    q = parts[0], k = parts[1], v = parts[2];
  } else {
    q = LinearProduct(x.narrow(1, 0, asked), to_qkv->weight.narrow(0, 0, width_));
    const auto parts = LinearProduct(x, to_qkv->weight.narrow(0, width_, 2 * width_)).chunk(2, -1);
    k = parts[0], v = parts[1];
  }
  q = q_norm->forward(heads(q));
  k = k_norm->forward(heads(k));
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size_));
  const torch::Tensor mixed =
      Attention(q.transpose(1, 2), k.transpose(1, 2), heads(v).transpose(1, 2), scale);
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
  const torch::Tensor attended = kept + attn->forward(norm1->forward(x), queries);
  return attended + mlp->forward(norm2->forward(attended));
}

}  // namespace wildrayzer
