#include "wildrayzer/models/scene_attention.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/nn/recompute.h"

namespace wildrayzer {

CrossAttentionImpl::CrossAttentionImpl(int64_t width, int64_t head_size) : head_size_(head_size) {
  to_q_ = register_module("to_q", Linear(width, width));
  to_kv_ = register_module("to_kv", Linear(width, 2 * width));
  fc_ = register_module("fc", Linear(width, width));
  q_norm_ = register_module("q_norm", RmsNorm(head_size));
  k_norm_ = register_module("k_norm", RmsNorm(head_size));
}

torch::Tensor CrossAttentionImpl::Heads(const torch::Tensor& flat) const {
  return flat.view({flat.size(0), flat.size(1), flat.size(2) / head_size_, head_size_});
}

KeysAndValues CrossAttentionImpl::Remember(const torch::Tensor& scene) {
  const auto parts = Heads(to_kv_->forward(scene)).chunk(2, 2);
  return {k_norm_->forward(parts[0]), parts[1]};
}

torch::Tensor CrossAttentionImpl::forward(const torch::Tensor& x, const KeysAndValues& scene,
                                          const torch::Tensor& counts) {
  const torch::Tensor q = Queries(x).transpose(1, 2);
  const torch::Tensor k = scene.keys.transpose(1, 2), v = scene.values.transpose(1, 2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_size_));
  const torch::Tensor mixed = Attention(q, k, v, scale, counts);
  return fc_->forward(mixed.transpose(1, 2).reshape(x.sizes()));
}

torch::Tensor CrossAttentionImpl::Queries(const torch::Tensor& x) {
  return q_norm_->forward(Heads(to_q_->forward(x)));
}

CrossBlockImpl::CrossBlockImpl(int64_t width, int64_t head_size) {
  norm1_ = register_module("norm1", LayerNorm(width));
  attn_ = register_module("attn", SelfAttention(width, head_size));
  norm_cross_ = register_module("norm_cross", LayerNorm(width));
  cross_attn_ = register_module("cross_attn", CrossAttention(width, head_size));
  norm2_ = register_module("norm2", LayerNorm(width));
  mlp_ = register_module("mlp", Mlp(width, 4 * width));
}

torch::Tensor CrossBlockImpl::WithinViews(const torch::Tensor& x) {
  const torch::Tensor views = x.flatten(0, 1);  // each on its own
  const torch::Tensor within = views + attn_->forward(norm1_->forward(views, attn_->input_type()));
  return within.view({x.size(0), x.size(1) * x.size(2), x.size(3)});
}

torch::Tensor CrossBlockImpl::Queries(const torch::Tensor& x) {
  return cross_attn_->Queries(norm_cross_->forward(WithinViews(x), cross_attn_->input_type()));
}

torch::Tensor CrossBlockImpl::forward(const torch::Tensor& x, const KeysAndValues& scene,
                                      const torch::Tensor& counts) {
  const torch::Tensor tokens = WithinViews(x);
  const torch::Tensor seen =
      tokens + cross_attn_->forward(norm_cross_->forward(tokens, cross_attn_->input_type()), scene, counts);
  return (seen + mlp_->forward(norm2_->forward(seen, mlp_->input_type()))).view(x.sizes());
}

CrossStackImpl::CrossStackImpl(int64_t layers, int64_t width, int64_t head_size) {
  for (int64_t i = 0; i < layers; ++i)
    blocks_.push_back(register_module(std::to_string(i), CrossBlock(width, head_size)));
}

std::vector<KeysAndValues> CrossStackImpl::Remember(const torch::Tensor& scene) {
  std::vector<KeysAndValues> remembered;
  for (CrossBlock& block : blocks_) remembered.push_back(block->Remember(scene));
  return remembered;
}

torch::Tensor CrossStackImpl::Run(size_t first, size_t end, const torch::Tensor& x,
                                  const std::vector<KeysAndValues>& scene, const torch::Tensor& counts) {
  torch::Tensor tokens = x;
  for (size_t i = first; i < end; ++i) tokens = blocks_[i]->forward(tokens, scene[i], counts);
  return tokens;
}

torch::Tensor CrossStackImpl::RunRecomputed(size_t first, size_t end, const torch::Tensor& x,
                                            const std::vector<KeysAndValues>& scene,
                                            const torch::Tensor& counts) {
  std::vector<torch::Tensor> inputs = {x}, parameters;
  for (size_t i = first; i < end; ++i) {
    inputs.insert(inputs.end(), {scene[i].keys, scene[i].values});
    for (const torch::Tensor& parameter : blocks_[i]->parameters()) parameters.push_back(parameter);
  }
  const auto run = [=, this](const std::vector<torch::Tensor>& in) {
    std::vector<KeysAndValues> remembered(scene.size());
    for (size_t i = first; i < end; ++i) remembered[i] = {in[2 * (i - first) + 1], in[2 * (i - first) + 2]};
    return Run(first, end, in[0], remembered, counts);
  };
  return Recomputed(run, inputs, parameters);
}

torch::Tensor CrossStackImpl::forward(const torch::Tensor& x, const std::vector<KeysAndValues>& scene,
                                      const torch::Tensor& counts, const std::string& name,
                                      const Trace& trace, torch::Tensor* looks) {
  const size_t step = trace.record || recompute_every_ == 0 ? 1 : static_cast<size_t>(recompute_every_);
  torch::Tensor tokens = x;
  for (size_t first = 0; first < blocks_.size(); first += step) {
    const size_t end = std::min(first + step, blocks_.size());
    if (looks && first <= LookingBlock() && LookingBlock() < end)
      *looks = blocks_[LookingBlock()]->Queries(
          first == LookingBlock() ? tokens : Run(first, LookingBlock(), tokens, scene, counts));
    tokens = recompute_every_ == 0 ? Run(first, end, tokens, scene, counts)
                                   : RunRecomputed(first, end, tokens, scene, counts);
    if (trace.record) trace.Record(name + "." + std::to_string(end - 1), tokens);
  }
  return tokens;
}

}  // namespace wildrayzer
