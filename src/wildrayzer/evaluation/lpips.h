// LPIPS v0.1 on VGG16 (Zhang et al. 2018; weights.md 3.3), whole and masked.
#pragma once

#include <torch/torch.h>

#include <array>
#include <string>
#include <vector>

#include "wildrayzer/evaluation/planes.h"
#include "wildrayzer/models/vgg.h"

namespace wildrayzer {

inline constexpr int kLpipsLayers = 5;

// The weighted feature difference m_k at each of the five layers: 1 channel, H / 2^k x W / 2^k.
using LpipsMaps = std::array<Planes, kLpipsLayers>;

// The distance network. Construct once, use for every picture; const methods may run concurrently.
class Lpips {
 public:
  // Unit-normalised features of one picture, to be compared with several others.
  using Features = std::array<torch::Tensor, kLpipsLayers>;

  // heads[k]: [1, C_k, 1, 1] with C = 64, 128, 256, 512, 512. Raises Error for another shape.
  Lpips(VggTrunk trunk, std::array<torch::Tensor, kLpipsLayers> heads);

  // vgg: torchvision's VGG16 state dict (.pth of either container, or .safetensors); heads: the LPIPS
  // package's vgg.pth or a conversion (lin0.model.1.weight .. lin4.model.1.weight, also
  // lins.k.model.1.weight). Raises FileError naming file and tensor.
  static Lpips Load(const std::string& vgg, const std::string& heads);

  // The trunk's raw activations after relu1_2, 2_2, 3_3, 4_3, 5_3 of a picture [3, H, W] in [0, 1].
  std::vector<torch::Tensor> Activations(const Planes& picture) const;

  // picture: 3 channels in [0, 1], each side at least 16. Raises Error for values that are not finite.
  Features Encode(const Planes& picture) const;
  LpipsMaps Compare(const Features& a, const Features& b) const;
  LpipsMaps Compare(const Planes& a, const Planes& b) const { return Compare(Encode(a), Encode(b)); }

 private:
  VggTrunk trunk_;
  std::array<torch::Tensor, kLpipsLayers> heads_;
};

// LPIPS proper: the sum over layers of the mean of each map. Lower is more alike.
double LpipsDistance(const LpipsMaps& maps);
// The five means.
std::array<double, kLpipsLayers> LpipsPerLayer(const LpipsMaps& maps);
// Each map enlarged bilinearly to height x width, summed: LPIPS's spatial mode, for error maps.
Planes LpipsSpatial(const LpipsMaps& maps, int height, int width);

// The masked distance as the paper words it: at each layer the mean of the map weighted by the mask
// (area-resized to the layer), summed over layers. mask: 1 channel. NaN where the mask sums to less than
// 1e-8.
double MaskedLpips(const LpipsMaps& maps, const Planes& mask);

// What the release's script prints as masked LPIPS (weights.md 6.5), for comparison with published numbers
// only: the distance plus its first layer. The mask has no influence, except that an empty one gives NaN.
// With a network in spatial mode
// (`spatial`) the same script averages those two enlarged maps over the mask.
double ReleasedMaskedLpips(const LpipsMaps& maps, const Planes& mask, bool spatial = false);

}  // namespace wildrayzer
