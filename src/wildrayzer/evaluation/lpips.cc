#include "wildrayzer/evaluation/lpips.h"

#include <numeric>
#include <utility>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr std::array<int, kLpipsLayers> kTaps = {3, 8, 15, 22, 29};
constexpr std::array<int, kLpipsLayers> kChannels = {64, 128, 256, 512, 512};

torch::Tensor PerChannel(double r, double g, double b) {
  return torch::tensor({r, g, b}, torch::kFloat32).view({1, 3, 1, 1});
}

}  // namespace

Lpips::Lpips(VggTrunk trunk, std::array<torch::Tensor, kLpipsLayers> heads, torch::Device device)
    : trunk_(std::move(trunk)), heads_(std::move(heads)) {
  trunk_.To(device, torch::kFloat32);
  for (int k = 0; k < kLpipsLayers; ++k) {
    torch::Tensor& head = heads_[k];
    if (!head.defined() || head.sizes() != torch::IntArrayRef({1, kChannels[k], 1, 1})) {
      throw Error("LPIPS head " + std::to_string(k) + " must have shape [1, " + std::to_string(kChannels[k]) +
                  ", 1, 1]");
    }
    head = head.detach().to(device, torch::kFloat32);
  }
}

Lpips Lpips::Load(const std::string& vgg, const std::string& heads, torch::Device device) {
  const Checkpoint trunk_file = Checkpoint::Open(vgg);
  const Checkpoint heads_file = Checkpoint::Open(heads);
  std::array<torch::Tensor, kLpipsLayers> loaded;
  for (int k = 0; k < kLpipsLayers; ++k) {
    const std::string suffix = std::to_string(k) + ".model.1.weight";
    std::string name = "lin" + suffix;
    if (!heads_file.Has(name)) name = "lins." + suffix;
    if (!heads_file.Has(name)) {
      throw FileError(heads,
                      "holds no tensor 'lin" + suffix + "'; give the LPIPS v0.1 heads for VGG (vgg.pth)");
    }
    loaded[k] = heads_file.Get(name);
  }
  return Lpips(VggTrunk::Load(trunk_file, vgg, VggDepth::k16, VggPooling::kMax, {kTaps.begin(), kTaps.end()}),
               std::move(loaded), device);
}

std::vector<torch::Tensor> Lpips::Activations(const Planes& picture) const {
  CheckComparable(picture, picture, "LPIPS");
  if (picture.channels != 3) throw Error("LPIPS needs pictures of 3 channels, got " + picture.SizeText());
  const torch::NoGradGuard no_grad;
  const torch::Tensor x =
      torch::tensor(torch::ArrayRef<float>(picture.values)).view({1, 3, picture.height, picture.width});
  static const torch::Tensor shift = PerChannel(-0.030, -0.088, -0.188);
  static const torch::Tensor scale = PerChannel(0.458, 0.448, 0.450);
  return trunk_.Forward(((x * 2 - 1 - shift) / scale).to(heads_[0].device()));
}

Lpips::Features Lpips::Encode(const Planes& picture) const {
  const std::vector<torch::Tensor> activations = Activations(picture);
  const torch::NoGradGuard no_grad;
  Features features;
  for (int k = 0; k < kLpipsLayers; ++k) {
    const torch::Tensor& f = activations[k];
    features[k] = f / (f.square().sum(1, /*keepdim=*/true).sqrt() + 1e-10);
  }
  return features;
}

LpipsMaps Lpips::Compare(const Features& a, const Features& b) const {
  const torch::NoGradGuard no_grad;
  LpipsMaps maps;
  for (int k = 0; k < kLpipsLayers; ++k) {
    if (a[k].sizes() != b[k].sizes()) throw Error("LPIPS: the pictures differ in size");
    const torch::Tensor map =
        ((a[k] - b[k]).square() * heads_[k]).sum(1).to(torch::kCPU).contiguous();  // [1, H_k, W_k]
    maps[k] = Planes(1, static_cast<int>(map.size(1)), static_cast<int>(map.size(2)));
    std::copy_n(map.data_ptr<float>(), map.numel(), maps[k].values.begin());
  }
  return maps;
}

}  // namespace wildrayzer
