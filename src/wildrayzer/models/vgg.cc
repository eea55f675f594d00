#include "wildrayzer/models/vgg.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr std::array<int, 5> kBlockChannels = {64, 128, 256, 512, 512};

std::string ShapeText(torch::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

torch::Tensor Checked(torch::Tensor tensor, const std::string& key, torch::IntArrayRef shape) {
  if (!tensor.defined() || tensor.sizes() != shape) {
    throw Error("VGG weight " + key + " has shape " +
                (tensor.defined() ? ShapeText(tensor.sizes()) : "(none)") + ", expected " + ShapeText(shape));
  }
  return tensor.detach().to(torch::kFloat32);
}

// "features.0.weight" under the names of a live LPIPS module: slice s holds the layers up to the s-th tap.
std::string LpipsName(const std::string& key) {
  constexpr std::array<int, 5> kLastOfSlice = {3, 8, 15, 22, 29};
  const std::string rest = key.substr(std::string("features.").size());
  const int index = std::stoi(rest);
  const auto slice = std::lower_bound(kLastOfSlice.begin(), kLastOfSlice.end(), index) - kLastOfSlice.begin();
  return "net.slice" + std::to_string(slice + 1) + "." + rest;
}

// Under which a file may hold the tensor of torchvision's name `key`.
std::vector<std::string> NamesOf(const std::string& key, VggDepth depth) {
  std::vector<std::string> names = {key, "loss_computer.perceptual_loss_module.vgg." + key};
  if (depth == VggDepth::k16) names.push_back(LpipsName(key));
  return names;
}

}  // namespace

std::string NameOf(VggDepth depth) { return depth == VggDepth::k16 ? "VGG16" : "VGG19"; }

std::vector<VggLayer> VggLayers(VggDepth depth, int last) {
  const std::array<int, 5> sixteen = {2, 2, 3, 3, 3};
  const std::array<int, 5> nineteen = {2, 2, 4, 4, 4};
  const std::array<int, 5>& counts = depth == VggDepth::k16 ? sixteen : nineteen;
  std::vector<VggLayer> layers;
  int index = 0;
  for (size_t block = 0; block < counts.size(); ++block) {
    for (int i = 0; i < counts[block]; ++i) {
      layers.push_back({.pool = false, .index = index, .channels = kBlockChannels[block]});
      if (index + 1 == last) return layers;
      index += 2;
    }
    layers.push_back({.pool = true, .index = index, .channels = kBlockChannels[block]});
    if (index == last) return layers;
    ++index;
  }
  return layers;
}

VggTrunk::VggTrunk(VggDepth depth, VggPooling pooling, std::vector<int> taps, const Source& source)
    : depth_(depth), pooling_(pooling), taps_(std::move(taps)) {
  if (taps_.empty() || !std::is_sorted(taps_.begin(), taps_.end())) {
    throw Error("VGG taps must be a non-empty ascending list");
  }
  layers_ = VggLayers(depth, taps_.back());
  for (const int tap : taps_) {
    const bool is_relu = std::any_of(layers_.begin(), layers_.end(), [&](const VggLayer& layer) {
      return !layer.pool && layer.index + 1 == tap;
    });
    if (!is_relu) throw Error("VGG tap " + std::to_string(tap) + " is not a ReLU of this network");
  }
  int channels = 3;
  for (const VggLayer& layer : layers_) {
    torch::Tensor weight, bias;
    if (!layer.pool) {
      const std::string key = "features." + std::to_string(layer.index);
      weight = Checked(source(key + ".weight"), key + ".weight", {layer.channels, channels, 3, 3});
      bias = Checked(source(key + ".bias"), key + ".bias", {layer.channels});
    }
    weights_.push_back(weight);
    biases_.push_back(bias);
    channels = layer.channels;
  }
}

VggDepth VggTrunk::DepthOf(const Checkpoint& checkpoint) {
  for (const std::string& name : NamesOf("features.16.weight", VggDepth::k19)) {  // VGG16 has a pool there
    if (checkpoint.Has(name)) return VggDepth::k19;
  }
  return VggDepth::k16;
}

VggTrunk VggTrunk::Load(const Checkpoint& checkpoint, const std::string& label, VggDepth depth,
                        VggPooling pooling, std::vector<int> taps) {
  return VggTrunk(depth, pooling, std::move(taps), [&](const std::string& key) {
    for (const std::string& name : NamesOf(key, depth)) {
      if (checkpoint.Has(name)) return checkpoint.Get(name);
    }
    throw FileError(label, "holds no tensor '" + key + "'; give torchvision's " + NameOf(depth) +
                               " weights (.pth or .safetensors)");
  });
}

std::vector<torch::Tensor> VggTrunk::Forward(const torch::Tensor& x) const {
  if (x.dim() != 4 || x.size(1) != 3)
    throw Error("VGG expects pictures [B, 3, H, W], got " + ShapeText(x.sizes()));
  std::vector<torch::Tensor> outputs;
  torch::Tensor h = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i].pool) {
      if (h.size(2) < 2 || h.size(3) < 2) {
        throw Error("pictures of " + std::to_string(x.size(3)) + " x " + std::to_string(x.size(2)) +
                    " pixels are too small for VGG; each side must be at least 16");
      }
      h = pooling_ == VggPooling::kMax ? torch::max_pool2d(h, 2, 2) : torch::avg_pool2d(h, 2, 2);
      continue;
    }
    h = torch::relu(torch::conv2d(h, weights_[i], biases_[i], /*stride=*/1, /*padding=*/1));
    if (std::find(taps_.begin(), taps_.end(), layers_[i].index + 1) != taps_.end()) outputs.push_back(h);
  }
  return outputs;
}

void VggTrunk::To(torch::Device device, torch::ScalarType dtype) {
  for (auto* tensors : {&weights_, &biases_}) {
    for (torch::Tensor& tensor : *tensors) {
      if (tensor.defined()) tensor = tensor.to(device, dtype);
    }
  }
}

}  // namespace wildrayzer
