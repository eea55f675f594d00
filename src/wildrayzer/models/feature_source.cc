#include "wildrayzer/models/feature_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {

FeatureSource::FeatureSource(Dinov3 dino, const PixelStatistics& pixels)
    : dino_(std::move(dino)), pixels_(pixels) {}

FeatureSource FeatureSource::Given(const torch::Tensor& features) {
  FeatureSource source;
  source.given_ = features.detach();
  return source;
}

torch::Tensor FeatureSource::Of(const torch::Tensor& images, int64_t first, int64_t count,
                                const Trace& trace) const {
  if (given_.defined()) {
    if (given_.dim() != 5 || given_.size(0) != images.size(0) || given_.size(1) != images.size(1)) {
      throw UsageError(fmt::format("features of {} x {} views must be [B, V, C, h, w], not [{}]",
                                   images.size(0), images.size(1), fmt::join(given_.sizes(), ", ")));
    }
    return given_.narrow(1, first, count);
  }
  if (own()) throw Error("the model's own features are read off its camera estimator, not off pictures");
  Dinov3 dino = dino_;
  const torch::Tensor views = images.narrow(1, first, count).flatten(0, 1);
  // A few together: weights that are larger than memory come from the disk once for them, and the wide MLPs
  // of the 7B model need little memory yet.
  constexpr int64_t kTogether = 4;
  std::vector<torch::Tensor> features;
  for (int64_t view = 0; view < views.size(0); view += kTogether) {
    const int64_t some = std::min(kTogether, views.size(0) - view);
    features.push_back(dino->PatchFeatures(views.narrow(0, view, some), pixels_));
    for (int64_t i = 0; i < some; ++i) trace.Step();
  }
  return torch::cat(features).unflatten(0, {images.size(0), count});
}

FeatureSource FeatureSource::Scene(int64_t b) const {
  return given_.defined() ? Given(given_.narrow(0, b, 1)) : *this;
}

std::string FeatureSource::Identity() const {
  if (given_.defined()) return "given";
  if (dino_.is_empty()) return "own";
  return fmt::format("dinov3 {} mean {:.6g} deviation {:.6g}", HashParameters(*dino_),
                     fmt::join(pixels_.mean, ","), fmt::join(pixels_.deviation, ","));
}

std::string HashParameters(const torch::nn::Module& module) {
  Sha256 hash;
  const auto parameters = module.named_parameters();
  std::vector<std::string> names = parameters.keys();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const torch::Tensor value = parameters[name].detach().to(torch::kCPU).contiguous();
    const std::string head =
        fmt::format("{} {} [{}]\n", name, c10::toString(value.scalar_type()), fmt::join(value.sizes(), ","));
    hash.Update(head.data(), head.size());
    hash.Update(value.data_ptr(), value.nbytes());
  }
  return hash.Hex();
}

}  // namespace wildrayzer
