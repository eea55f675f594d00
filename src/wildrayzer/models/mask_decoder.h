// The convolutional layers that turn a d-channel patch map into motion logits (method.md section 4). GELU is
// the exact one; group normalisation has gcd(channels, 32) groups.
#pragma once

#include <cstdint>

#include "wildrayzer/nn/layers.h"

namespace wildrayzer {

// conv3 (in -> out), GroupNorm, GELU, conv3 (out -> out). Children: "0", "1", "3".
class MapEntryImpl : public torch::nn::Module {
 public:
  MapEntryImpl(int64_t in, int64_t out);
  // [N, in, h, w] -> [N, out, h, w].
  torch::Tensor forward(const torch::Tensor& map);

 private:
  Conv2d first_{nullptr};
  GroupNorm norm_{nullptr};
  Conv2d second_{nullptr};
};
TORCH_MODULE(MapEntry);

// Bilinear 2x, conv1 (in -> out), GroupNorm, GELU, conv3, GroupNorm, GELU. Children: conv_up; refine with
// "0", "2", "3".
class MapUpsamplerImpl : public torch::nn::Module {
 public:
  MapUpsamplerImpl(int64_t in, int64_t out);
  // [N, in, h, w] -> [N, out, 2h, 2w].
  torch::Tensor forward(const torch::Tensor& map);

 private:
  Conv2d halve_channels_{nullptr};
  GroupNorm norm_before_{nullptr};
  Conv2d refine_{nullptr};
  GroupNorm norm_after_{nullptr};
};
TORCH_MODULE(MapUpsampler);

// conv3, GroupNorm, GELU. Children: "0", "1".
class MapRefinerImpl : public torch::nn::Module {
 public:
  explicit MapRefinerImpl(int64_t channels);
  // [N, channels, h, w] -> same shape.
  torch::Tensor forward(const torch::Tensor& map);

 private:
  Conv2d conv_{nullptr};
  GroupNorm norm_{nullptr};
};
TORCH_MODULE(MapRefiner);

// conv3, GELU, conv1 (-> 1 channel, bias optional). Children: "0", "2".
class MaskHeadImpl : public torch::nn::Module {
 public:
  MaskHeadImpl(int64_t channels, bool bias);
  // [N, channels, h, w] -> [N, 1, h, w].
  torch::Tensor forward(const torch::Tensor& map);

 private:
  Conv2d mix_{nullptr};
  Conv2d logit_{nullptr};
};
TORCH_MODULE(MaskHead);

}  // namespace wildrayzer
