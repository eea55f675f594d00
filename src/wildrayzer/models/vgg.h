// The convolutional part of VGG16 and VGG19 (Simonyan and Zisserman 2015), used as a fixed measure of
// pictures: LPIPS runs on VGG16 with max pooling, the perceptual training loss on VGG19 with average pooling.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

class Checkpoint;

enum class VggDepth { k16, k19 };
std::string NameOf(VggDepth depth);  // "VGG16", "VGG19"
enum class VggPooling { kMax, kAverage };

// One entry of torchvision's `features` list: a 3x3 convolution with its ReLU (two entries there), or a 2x2
// pool.
struct VggLayer {
  bool pool = false;
  int index = 0;     // of the convolution (its ReLU is index + 1) or of the pool
  int channels = 0;  // output channels
};

// The layers up to and including the one whose torchvision index (of a ReLU or a pool) is `last`; -1: all of
// them.
std::vector<VggLayer> VggLayers(VggDepth depth, int last = -1);

// A frozen trunk: the weights never require gradients, but gradients flow through to the input.
class VggTrunk {
 public:
  // Returns the tensor of a torchvision key such as "features.0.weight" ([out, in, 3, 3]) or
  // "features.0.bias" ([out]).
  using Source = std::function<torch::Tensor(const std::string& key)>;

  // taps: torchvision indices of ReLUs, ascending; layers after the last tap are neither read nor computed.
  // Raises Error for a tap that is no ReLU and for a weight of the wrong shape.
  VggTrunk(VggDepth depth, VggPooling pooling, std::vector<int> taps, const Source& source);

  // Reads the weights under torchvision's names. Also accepted: the names of a live LPIPS module
  // (net.slice1.0.weight) and of a training checkpoint
  // (loss_computer.perceptual_loss_module.vgg.features.0.weight). Raises FileError naming the missing tensor.
  // label: the file's name for messages.
  static VggTrunk Load(const Checkpoint& checkpoint, const std::string& label, VggDepth depth,
                       VggPooling pooling, std::vector<int> taps);

  // VGG16 if such a file holds no convolution where only VGG19 has one.
  static VggDepth DepthOf(const Checkpoint& checkpoint);

  // x [B, 3, H, W] (already normalised by the caller) -> one [B, C_k, H_k, W_k] a tap, after its ReLU.
  // H and W must leave at least one pixel after the pools before the last tap, else Error.
  std::vector<torch::Tensor> Forward(const torch::Tensor& x) const;

  VggDepth depth() const { return depth_; }
  const std::vector<int>& taps() const { return taps_; }
  void To(torch::Device device, torch::ScalarType dtype);

 private:
  VggDepth depth_;
  VggPooling pooling_;
  std::vector<int> taps_;
  std::vector<VggLayer> layers_;
  std::vector<torch::Tensor> weights_;  // one a layer; undefined for pools
  std::vector<torch::Tensor> biases_;
};

}  // namespace wildrayzer
