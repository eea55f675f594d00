#include "wildrayzer/nn/layers.h"

#include <cmath>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/kernels/norm.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

LinearImpl::LinearImpl(int64_t in_features, int64_t out_features, bool with_bias) {
  weight_ = register_parameter("weight", torch::empty({out_features, in_features}));
  if (with_bias) bias_ = register_parameter("bias", torch::empty({out_features}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  if (is_int8()) return Int8LinearProduct(x, {weight_, scale_}, bias_, /*gelu=*/false);
  return LinearProduct(x, weight_, bias_);
}

torch::Tensor LinearImpl::ForwardGelu(const torch::Tensor& x) {
  if (is_int8()) return Int8LinearProduct(x, {weight_, scale_}, bias_, /*gelu=*/true);
  return torch::gelu(forward(x));
}

torch::Tensor LinearImpl::ForwardOutputs(const torch::Tensor& x, int64_t first, int64_t count) {
  const auto part = [&](const torch::Tensor& whole) {
    return whole.defined() ? whole.narrow(0, first, count) : whole;
  };
  if (is_int8()) return Int8LinearProduct(x, {part(weight_), part(scale_)}, part(bias_), /*gelu=*/false);
  return LinearProduct(x, part(weight_), part(bias_));
}

void LinearImpl::UseInt8(const Int8Matrix& matrix) {
  TORCH_CHECK(
      matrix.values.sizes() == weight_.sizes() && matrix.scales.sizes() == weight_.sizes().slice(0, 1),
      "Linear: an int8 matrix ", matrix.values.sizes(), " for a weight ", weight_.sizes());
  weight_.set_requires_grad(false);
  weight_.set_data(matrix.values);
  if (is_int8()) {
    scale_.set_data(matrix.scales);
  } else {
    scale_ = register_parameter("weight_scale", matrix.scales, /*requires_grad=*/false);
  }
}

void LinearImpl::RoundToInt8() {
  if (!is_int8()) UseInt8(QuantizeMatrix(weight_));
}

void LinearImpl::LeaveInt8() {
  if (!is_int8()) return;
  weight_.set_data(DequantizeMatrix({weight_, scale_}));
  scale_ = torch::Tensor();
  parameters_.erase("weight_scale");
}

Conv2dImpl::Conv2dImpl(int64_t in_channels, int64_t out_channels, int64_t kernel, bool with_bias,
                       int64_t stride)
    : stride_(stride) {
  weight_ = register_parameter("weight", torch::empty({out_channels, in_channels, kernel, kernel}));
  if (with_bias) bias_ = register_parameter("bias", torch::empty({out_channels}));
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& map) {
  const int64_t margin = weight_.size(2) / 2;
  return torch::conv2d(map.to(weight_.scalar_type()), weight_, bias_, {stride_, stride_},
                       /*padding=*/{margin, margin});
}

GroupNormImpl::GroupNormImpl(int64_t groups, int64_t channels) : groups_(groups) {
  weight_ = register_parameter("weight", torch::empty({channels}));
  bias_ = register_parameter("bias", torch::empty({channels}));
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor& map) {
  return torch::group_norm(map, groups_, weight_, bias_);
}

LayerNormImpl::LayerNormImpl(int64_t size, bool with_bias, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", torch::empty({size}));
  if (with_bias) bias_ = register_parameter("bias", torch::empty({size}));
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x, std::optional<torch::ScalarType> type) {
  return LayerNormalize(x, weight_, bias_, eps_, type.value_or(x.scalar_type()));
}

RmsNormImpl::RmsNormImpl(int64_t size, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", torch::empty({size}));
}

torch::Tensor RmsNormImpl::forward(const torch::Tensor& x) { return RmsNormalize(x, weight_, eps_); }

SelfAttentionImpl::SelfAttentionImpl(int64_t width, int64_t head_size)
    : width_(width), head_size_(head_size) {
  if (head_size < 1 || width % head_size != 0) {
    throw UsageError("transformer width " + std::to_string(width) + " is not a multiple of the head size " +
                     std::to_string(head_size));
  }
  to_qkv_ = register_module("to_qkv", Linear(width, 3 * width));
  fc_ = register_module("fc", Linear(width, width));
  q_norm_ = register_module("q_norm", RmsNorm(head_size));
  k_norm_ = register_module("k_norm", RmsNorm(head_size));
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& x, std::optional<int64_t> queries,
                                         const torch::Tensor& key_counts) {
  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const int64_t asked = queries.value_or(tokens);
  TORCH_CHECK(asked >= 1 && asked <= tokens, "SelfAttention: ", asked, " queries of ", tokens, " tokens");
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size_));
  AttentionOperands heads;
  if (asked == tokens) {
    heads = Operands(x);
  } else {
    const auto split = [&](const torch::Tensor& flat) {
      return flat.view({batch, flat.size(1), width_ / head_size_, head_size_});
    };
    const auto parts = to_qkv_->ForwardOutputs(x, width_, 2 * width_).chunk(2, -1);
    heads.q = q_norm_->forward(split(to_qkv_->ForwardOutputs(x.narrow(1, 0, asked), 0, width_)));
    heads.k = k_norm_->forward(split(parts[0]));
    heads.v = split(parts[1]);
  }
  const torch::Tensor q = heads.q.transpose(1, 2), k = heads.k.transpose(1, 2), v = heads.v.transpose(1, 2);
  const torch::Tensor mixed = Attention(q, k, v, scale, key_counts);
  return fc_->forward(mixed.transpose(1, 2).reshape({batch, asked, width_}));
}

AttentionOperands SelfAttentionImpl::Operands(const torch::Tensor& x) {
  return NormalizeQueriesAndKeys(to_qkv_->forward(x), q_norm_->weight_, k_norm_->weight_, q_norm_->eps_);
}

MlpImpl::MlpImpl(int64_t width, int64_t hidden) : up_(width, hidden), down_(hidden, width) {
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  mlp->register_module("0", up_);
  mlp->register_module("2", down_);
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) { return down_->forward(up_->ForwardGelu(x)); }

BlockImpl::BlockImpl(int64_t width, int64_t head_size, int64_t mlp_ratio) {
  norm1_ = register_module("norm1", LayerNorm(width));
  attn_ = register_module("attn", SelfAttention(width, head_size));
  norm2_ = register_module("norm2", LayerNorm(width));
  mlp_ = register_module("mlp", Mlp(width, mlp_ratio * width));
}

torch::Tensor BlockImpl::forward(const torch::Tensor& x, std::optional<int64_t> queries,
                                 const torch::Tensor& key_counts) {
  const torch::Tensor kept = queries ? x.narrow(1, 0, *queries) : x;
  const torch::Tensor attended =
      kept + attn_->forward(norm1_->forward(x, attn_->input_type()), queries, key_counts);
  return attended + mlp_->forward(norm2_->forward(attended, mlp_->input_type()));
}

AttentionOperands BlockImpl::Operands(const torch::Tensor& x) {
  return attn_->Operands(norm1_->forward(x, attn_->input_type()));
}

}  // namespace wildrayzer
