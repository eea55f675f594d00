// How unlike two pictures look, differentiable: VGG19 as published, or a structural distance that needs no
// weights.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "wildrayzer/models/vgg.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Per view sum over the pixels that count of the squared difference over the channels: rendering, target
// [N, C, H, W] float32, contiguous; mask [N, H, W] uint8, contiguous (1 = counts), or undefined -> [N].
// Differentiable after `rendering`.
torch::Tensor SquaredErrors(const torch::Tensor& rendering, const torch::Tensor& target,
                            const torch::Tensor& mask);

class PerceptualLoss {
 public:
  virtual ~PerceptualLoss() = default;
  // rendering, target [N, 3, H, W] in [0, 1], float32; mask [N, H, W] uint8 (1 = counts) or undefined -> [N].
  // Pixels that do not count add nothing, and means run over all pixels nevertheless (as published).
  // Differentiable after `rendering`.
  virtual torch::Tensor Distances(const torch::Tensor& rendering, const torch::Tensor& target,
                                  const torch::Tensor& mask) const = 0;
  // One line for the log.
  virtual std::string Description() const = 0;
};

// method.md section 6: weighted L1 between pixels and VGG19 features (average pooling) after relu1_2, 2_2,
// 3_2, 4_2 and 5_2 on a scale of 0..255, over 255; of VGG16 the same ReLUs. Pictures have sides of at least
// 16 pixels.
class VggPerceptualLoss : public PerceptualLoss {
 public:
  // The ReLUs to tap.
  static std::vector<int> Taps(VggDepth depth);
  // trunk: average pooling, Taps(). label: where it came from, for the log.
  VggPerceptualLoss(VggTrunk trunk, std::string label);

  torch::Tensor Distances(const torch::Tensor& rendering, const torch::Tensor& target,
                          const torch::Tensor& mask) const override;
  std::string Description() const override;

  // The six weighted terms (pixels, then features) a view, before the division by 255: [N, 6].
  torch::Tensor WeightedTerms(const torch::Tensor& rendering, const torch::Tensor& target,
                              const torch::Tensor& mask) const;

 private:
  VggTrunk trunk_;
  std::string label_;
};

// The mean over the channels of StructuralDistance (loss_kernels.h): multi-scale SSIM and slopes. 0 for equal
// pictures; about as large as the VGG loss for renderings of middling quality, so the same weight serves.
class StructuralPerceptualLoss : public PerceptualLoss {
 public:
  torch::Tensor Distances(const torch::Tensor& rendering, const torch::Tensor& target,
                          const torch::Tensor& mask) const override;
  std::string Description() const override;
};

// VGG19 or VGG16 from a file (torchvision's names, or a training checkpoint that holds them; FileError), or
// the substitute when there is no file. Logs which; the substitute is a warning, as it changes what is
// trained.
std::unique_ptr<PerceptualLoss> MakePerceptualLoss(const std::optional<std::filesystem::path>& vgg,
                                                   torch::Device device);

}  // namespace wildrayzer
