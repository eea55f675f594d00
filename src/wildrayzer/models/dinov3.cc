#include "wildrayzer/models/dinov3.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "wildrayzer/kernels/attention.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Centres of n patches along an axis of length 2: 2 (i + 0.5) / n - 1.
torch::Tensor PatchCentres(int64_t n) {
  return (torch::arange(n, torch::kFloat32) + 0.5f) / static_cast<float>(n) * 2.0f - 1.0f;
}

// Rotates channel c with channel c + d/2 for the last rows of x [B, N, h, d]; rows before the patches stay.
torch::Tensor Rotate(const torch::Tensor& x, const RopeTable& rope) {
  const int64_t patches = rope.cos.size(0);
  const int64_t prefix = x.size(1) - patches;
  const torch::Tensor kept = x.narrow(1, 0, prefix);
  const torch::Tensor turned = x.narrow(1, prefix, patches).to(torch::kFloat32);
  const auto halves = turned.chunk(2, -1);
  const torch::Tensor partner = torch::cat({-halves[1], halves[0]}, -1);
  const torch::Tensor result = turned * rope.cos.unsqueeze(1) + partner * rope.sin.unsqueeze(1);
  return torch::cat({kept, result.to(x.scalar_type())}, 1);
}

}  // namespace

torch::Tensor RopePeriods(const Dinov3Config& config) {
  const int64_t quarter = config.head_size() / 4;
  const torch::Tensor exponents =
      torch::arange(quarter, torch::kFloat32) * 4.0f / static_cast<float>(config.head_size());
  const torch::Tensor periods = torch::pow(static_cast<float>(config.rope_theta), exponents);
  return config.bf16_periods ? periods.to(torch::kBFloat16).to(torch::kFloat32) : periods;
}

RopeTable MakeRopeTable(const Dinov3Config& config, int64_t rows, int64_t columns) {
  const torch::Tensor periods = RopePeriods(config);
  const int64_t quarter = periods.size(0);
  const auto angles = [&](const torch::Tensor& centres) {
    return centres.unsqueeze(-1) * (2.0f * std::numbers::pi_v<float>) / periods;
  };
  const torch::Tensor y = angles(PatchCentres(rows)).unsqueeze(1).expand({rows, columns, quarter});
  const torch::Tensor x = angles(PatchCentres(columns)).unsqueeze(0).expand({rows, columns, quarter});
  const torch::Tensor all = torch::cat({y, x, y, x}, -1).reshape({rows * columns, 4 * quarter});
  return {all.cos(), all.sin()};
}

PatchProjectionImpl::PatchProjectionImpl(int64_t width, int64_t patch) : patch_(patch) {
  weight_ = register_parameter("weight", torch::empty({width, 3, patch, patch}));
  bias_ = register_parameter("bias", torch::empty({width}));
}

torch::Tensor PatchProjectionImpl::forward(const torch::Tensor& images) {
  const int64_t rows = images.size(2) / patch_;
  const int64_t columns = images.size(3) / patch_;
  const torch::Tensor patches = images.narrow(2, 0, rows * patch_)
                                    .narrow(3, 0, columns * patch_)
                                    .reshape({images.size(0), 3, rows, patch_, columns, patch_})
                                    .permute({0, 2, 4, 1, 3, 5})
                                    .reshape({images.size(0), rows * columns, 3 * patch_ * patch_});
  return LinearProduct(patches, weight_.flatten(1), bias_);
}

Dinov3EmbeddingsImpl::Dinov3EmbeddingsImpl(const Dinov3Config& config) {
  cls_token_ = register_parameter("cls_token", torch::empty({1, 1, config.width}));
  mask_token_ = register_parameter("mask_token", torch::empty({1, 1, config.width}));
  register_tokens_ = register_parameter("register_tokens", torch::empty({1, config.registers, config.width}));
  patch_embeddings_ = register_module("patch_embeddings", PatchProjection(config.width, config.patch));
}

torch::Tensor Dinov3EmbeddingsImpl::forward(const torch::Tensor& images) {
  const auto repeated = [&](const torch::Tensor& token) {
    return token.to(torch::kFloat32).expand({images.size(0), -1, -1});
  };
  const torch::Tensor patches = patch_embeddings_->forward(images).to(torch::kFloat32);
  return torch::cat({repeated(cls_token_), repeated(register_tokens_), patches}, 1);
}

Dinov3AttentionImpl::Dinov3AttentionImpl(const Dinov3Config& config) : heads_(config.heads) {
  q_proj = register_module("q_proj", Linear(config.width, config.width, config.query_bias));
  k_proj = register_module("k_proj", Linear(config.width, config.width, config.key_bias));
  v_proj = register_module("v_proj", Linear(config.width, config.width, config.value_bias));
  o_proj = register_module("o_proj", Linear(config.width, config.width, config.output_bias));
}

torch::Tensor Dinov3AttentionImpl::forward(const torch::Tensor& x, const RopeTable& rope) {
  const int64_t head_size = x.size(2) / heads_;
  const auto heads = [&](const torch::Tensor& flat) {
    return flat.view({flat.size(0), flat.size(1), heads_, head_size});
  };
  const torch::Tensor q = Rotate(heads(q_proj->forward(x)), rope).transpose(1, 2);
  const torch::Tensor k = Rotate(heads(k_proj->forward(x)), rope).transpose(1, 2);
  const torch::Tensor v = heads(v_proj->forward(x)).transpose(1, 2);
  const torch::Tensor mixed = Attention(q, k, v, 1.0 / std::sqrt(static_cast<double>(head_size)));
  return o_proj->forward(mixed.transpose(1, 2).reshape(x.sizes()));
}

Dinov3MlpImpl::Dinov3MlpImpl(const Dinov3Config& config) : silu_(config.silu) {
  if (config.gated) {
    gate_proj_ = register_module("gate_proj", Linear(config.width, config.hidden, config.mlp_bias));
  }
  up_proj_ = register_module("up_proj", Linear(config.width, config.hidden, config.mlp_bias));
  down_proj_ = register_module("down_proj", Linear(config.hidden, config.width, config.mlp_bias));
}

torch::Tensor Dinov3MlpImpl::forward(const torch::Tensor& x) {
  const auto act = [&](const torch::Tensor& t) { return silu_ ? torch::silu(t) : torch::gelu(t); };
  if (gate_proj_.is_empty()) return down_proj_->forward(act(up_proj_->forward(x)));
  return down_proj_->forward(act(gate_proj_->forward(x)).mul(up_proj_->forward(x)));
}

LayerScaleImpl::LayerScaleImpl(int64_t width) {
  lambda1_ = register_parameter("lambda1", torch::empty({width}));
}

torch::Tensor LayerScaleImpl::forward(const torch::Tensor& x) {
  return x.to(torch::kFloat32) * lambda1_.to(torch::kFloat32);
}

Dinov3LayerImpl::Dinov3LayerImpl(const Dinov3Config& config) {
  norm1 = register_module("norm1", LayerNorm(config.width, /*bias=*/true, config.norm_eps));
  attention = register_module("attention", Dinov3Attention(config));
  layer_scale1 = register_module("layer_scale1", LayerScale(config.width));
  norm2 = register_module("norm2", LayerNorm(config.width, /*bias=*/true, config.norm_eps));
  mlp = register_module("mlp", Dinov3Mlp(config));
  layer_scale2 = register_module("layer_scale2", LayerScale(config.width));
}

torch::Tensor Dinov3LayerImpl::forward(const torch::Tensor& x, const RopeTable& rope) {
  const torch::Tensor attended = x + layer_scale1->forward(attention->forward(norm1->forward(x), rope));
  return attended + layer_scale2->forward(mlp->forward(norm2->forward(attended)));
}

Dinov3Impl::Dinov3Impl(const Dinov3Config& config) : config_(config) {
  config.Validate("DINOv3");
  embeddings = register_module("embeddings", Dinov3Embeddings(config));
  const auto stack = register_module("layer", std::make_shared<torch::nn::Module>());
  for (int64_t i = 0; i < config.layers; ++i) {
    layers.push_back(stack->register_module(std::to_string(i), Dinov3Layer(config)));
  }
  norm = register_module("norm", LayerNorm(config.width, /*bias=*/true, config.norm_eps));
  for (torch::Tensor& parameter : parameters()) parameter.set_requires_grad(false);
  eval();
}

torch::Tensor Dinov3Impl::forward(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.size(2) >= config_.patch &&
                  images.size(3) >= config_.patch,
              "Dinov3: images must be [B, 3, H, W] with H, W >= ", config_.patch, ", not ", images.sizes());
  RopeTable rope = MakeRopeTable(config_, images.size(2) / config_.patch, images.size(3) / config_.patch);
  rope = {rope.cos.to(images.device()), rope.sin.to(images.device())};
  torch::Tensor x = embeddings->forward(images);
  for (Dinov3Layer& layer : layers) x = layer->forward(x, rope);
  return norm->forward(x);
}

torch::Tensor Dinov3Impl::PatchFeatures(const torch::Tensor& images, const PixelStatistics& pixels) {
  torch::NoGradGuard guard;
  const auto channels = [&](const std::array<double, 3>& values) {
    return Upload(torch::tensor({values[0], values[1], values[2]}, torch::kFloat32), images.device())
        .view({1, 3, 1, 1});
  };
  const torch::Tensor normalised =
      (images.to(torch::kFloat32) - channels(pixels.mean)) / channels(pixels.deviation);
  const torch::Tensor tokens = forward(normalised);
  if (!torch::isfinite(tokens).all().item<bool>()) {
    throw Error("DINOv3 gives features that are not finite: its weights are damaged, or the images are");
  }
  return tokens.narrow(1, config_.prefix_tokens(), tokens.size(1) - config_.prefix_tokens())
      .transpose(1, 2)
      .reshape(
          {images.size(0), config_.width, images.size(2) / config_.patch, images.size(3) / config_.patch});
}

void Dinov3Impl::InitializeRandom(uint64_t seed) {
  // Unit-variance matrices (fan-in scaling) keep the features away from zero, unlike the training start N(0,
  // 0.02^2).
  torch::NoGradGuard guard;
  for (auto& item : named_parameters()) {
    torch::Tensor& parameter = item.value();
    const std::string& name = item.key();
    if (parameter.dim() == 2 || parameter.dim() == 4) {
      FillNormal(parameter, 1.0 / std::sqrt(static_cast<double>(parameter[0].numel())), seed,
                 "dinov3." + name);
    } else if (parameter.dim() == 3) {
      FillNormal(parameter, 0.02, seed, "dinov3." + name);  // tokens
    } else if (name.size() >= 4 && name.compare(name.size() - 4, 4, "bias") == 0) {
      parameter.zero_();
    } else {
      parameter.fill_(1.0);  // norms and LayerScale
    }
  }
}

}  // namespace wildrayzer
