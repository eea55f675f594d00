// DINOv3 vision transformer (weights.md section 1): frozen feature extractor of the motion estimator and the
// pseudo labels.
//
// The names of the parameters are those of the Hugging Face release (`layer.0.attention.q_proj.weight`, ...).
// Precision follows nn/layers.h: the residual stream, norms, RoPE and LayerScale are float32; matrix products
// and attention run in the dtype of the matrices.
#pragma once

#include <utility>
#include <vector>

#include "wildrayzer/models/dinov3_config.h"
#include "wildrayzer/nn/layers.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Rotation of queries and keys by patch position, shared by all layers and heads (weights.md section 1.5).
struct RopeTable {
  torch::Tensor cos;  // [rows * columns, head_size] float32, patches row-major
  torch::Tensor sin;  // same shape; channels [y, x, y, x], a quarter each
};
// Periods theta^(4k/d), k = 0 .. d/4 - 1, [head_size / 4] float32.
torch::Tensor RopePeriods(const Dinov3Config& config);
RopeTable MakeRopeTable(const Dinov3Config& config, int64_t rows, int64_t columns);

// Convolution of kernel and stride `patch`, as a matrix product over patches. Parameters: weight [D, 3,
// patch, patch], bias [D].
class PatchProjectionImpl : public torch::nn::Module {
 public:
  PatchProjectionImpl(int64_t width, int64_t patch);
  // images [B, 3, H, W] -> [B, (H / patch)(W / patch), D], row-major; excess pixels at the right and bottom
  // are dropped.
  torch::Tensor forward(const torch::Tensor& images);

 private:
  int64_t patch_;
  torch::Tensor weight_;
  torch::Tensor bias_;
};
TORCH_MODULE(PatchProjection);

class Dinov3EmbeddingsImpl : public torch::nn::Module {
 public:
  explicit Dinov3EmbeddingsImpl(const Dinov3Config& config);
  // images [B, 3, H, W] normalised -> [B, 1 + registers + (H / patch)(W / patch), D] float32.
  torch::Tensor forward(const torch::Tensor& images);

 private:
  torch::Tensor cls_token_;        // [1, 1, D]
  torch::Tensor mask_token_;       // [1, 1, D], unused at inference
  torch::Tensor register_tokens_;  // [1, registers, D]
  PatchProjection patch_embeddings_{nullptr};
};
TORCH_MODULE(Dinov3Embeddings);

class Dinov3AttentionImpl : public torch::nn::Module {
 public:
  explicit Dinov3AttentionImpl(const Dinov3Config& config);
  // x [B, N, D] -> [B, N, D]; the last rows of the table's size are the patches.
  torch::Tensor forward(const torch::Tensor& x, const RopeTable& rope);

  Linear q_proj{nullptr};
  Linear k_proj{nullptr};
  Linear v_proj{nullptr};
  Linear o_proj{nullptr};

 private:
  int64_t heads_;
};
TORCH_MODULE(Dinov3Attention);

class Dinov3MlpImpl : public torch::nn::Module {
 public:
  explicit Dinov3MlpImpl(const Dinov3Config& config);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  bool silu_;
  Linear gate_proj_{nullptr};  // only in gated models
  Linear up_proj_{nullptr};
  Linear down_proj_{nullptr};
};
TORCH_MODULE(Dinov3Mlp);

// x lambda1, channel by channel, in float32.
class LayerScaleImpl : public torch::nn::Module {
 public:
  explicit LayerScaleImpl(int64_t width);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::Tensor lambda1_;
};
TORCH_MODULE(LayerScale);

class Dinov3LayerImpl : public torch::nn::Module {
 public:
  explicit Dinov3LayerImpl(const Dinov3Config& config);
  torch::Tensor forward(const torch::Tensor& x, const RopeTable& rope);

  LayerNorm norm1{nullptr};
  Dinov3Attention attention{nullptr};
  LayerScale layer_scale1{nullptr};
  LayerNorm norm2{nullptr};
  Dinov3Mlp mlp{nullptr};
  LayerScale layer_scale2{nullptr};
};
TORCH_MODULE(Dinov3Layer);

class Dinov3Impl : public torch::nn::Module {
 public:
  // Parameters are uninitialised and need no gradient: load them (models/dinov3_weights.h) or call
  // InitializeRandom.
  explicit Dinov3Impl(const Dinov3Config& config);

  // images [B, 3, H, W] normalised, H and W at least one patch -> last_hidden_state
  // [B, 1 + registers + (H / patch)(W / patch), D] float32: after the final norm, class token, registers,
  // patches row-major.
  torch::Tensor forward(const torch::Tensor& images);

  // images [B, 3, H, W] RGB in [0, 1] -> features of the patches [B, D, H / patch, W / patch] float32. No
  // gradient.
  torch::Tensor PatchFeatures(const torch::Tensor& images, const PixelStatistics& pixels = kImageNetPixels);

  // Reproducible random parameters, for runs without weights.
  void InitializeRandom(uint64_t seed);

  const Dinov3Config& config() const { return config_; }

  Dinov3Embeddings embeddings{nullptr};
  std::vector<Dinov3Layer> layers;
  LayerNorm norm{nullptr};

 private:
  Dinov3Config config_;
};
TORCH_MODULE(Dinov3);

}  // namespace wildrayzer
