#include "wildrayzer/training/training_pictures.h"

#include <vector>

namespace wildrayzer {

Image TrainingPicture(const torch::Tensor& images, const torch::Tensor& renderings,
                      const torch::Tensor& masks, const torch::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  const int64_t views = images.size(0);
  std::vector<torch::Tensor> rows{images.to(torch::kCPU, torch::kFloat32)};
  for (const torch::Tensor& given : {renderings, masks, labels}) {
    if (!given.defined()) continue;
    const torch::Tensor part = given.to(torch::kCPU);
    const int64_t targets = part.size(0);
    const torch::Tensor colour = part.to(torch::kFloat32).expand({targets, 3, part.size(2), part.size(3)});
    const torch::Tensor blank = torch::zeros({views - targets, 3, images.size(2), images.size(3)});
    rows.push_back(torch::cat({blank, colour}));
  }
  // [rows, V, 3, H, W] -> [rows H, V W, 3]
  const torch::Tensor sheet = torch::stack(rows).permute({0, 3, 1, 4, 2}).flatten(2, 3).flatten(0, 1);
  const torch::Tensor bytes = (sheet.clamp(0, 1) * 255.0 + 0.5).to(torch::kUInt8).contiguous();
  Image image;
  image.height = static_cast<int>(bytes.size(0));
  image.width = static_cast<int>(bytes.size(1));
  image.rgb.assign(bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel());
  return image;
}

}  // namespace wildrayzer
