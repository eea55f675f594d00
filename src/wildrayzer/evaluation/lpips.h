// LPIPS v0.1 on VGG16 (Zhang et al. 2018; weights.md 3.3), whole and masked.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "wildrayzer/evaluation/lpips_maps.h"
#include "wildrayzer/evaluation/planes.h"
#include "wildrayzer/models/vgg.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// The distance network. Construct once, use for every picture; const methods may run concurrently.
class Lpips {
 public:
  // Unit-normalised features of one picture, to be compared with several others.
  using Features = std::array<torch::Tensor, kLpipsLayers>;

  // heads[k]: [1, C_k, 1, 1] with C = 64, 128, 256, 512, 512. Raises Error for another shape.
  Lpips(VggTrunk trunk, std::array<torch::Tensor, kLpipsLayers> heads, torch::Device device = torch::kCPU);

  // vgg: torchvision's VGG16 state dict (.pth of either container, or .safetensors); heads: the LPIPS
  // package's vgg.pth or a conversion (lin0.model.1.weight .. lin4.model.1.weight, also
  // lins.k.model.1.weight). Raises FileError naming file and tensor.
  static Lpips Load(const std::string& vgg, const std::string& heads, torch::Device device = torch::kCPU);

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

}  // namespace wildrayzer
