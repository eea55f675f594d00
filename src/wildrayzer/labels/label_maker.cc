#include "wildrayzer/labels/label_maker.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/labels/label_cache.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

// Changes when the same options give other labels.
constexpr int kVersion = 1;

void CheckViews(const torch::Tensor& images, int64_t num_inputs) {
  if (images.dim() != 4 || images.size(1) != 3) {
    throw UsageError(
        fmt::format("pictures to label must be [V, 3, H, W], not [{}]", fmt::join(images.sizes(), ", ")));
  }
  if (num_inputs < 1 || num_inputs >= images.size(0)) {
    throw UsageError(fmt::format("{} of {} views as inputs leave no scene or no target to label", num_inputs,
                                 images.size(0)));
  }
}

// [N, C, h, w] -> [N, h * w, C], the layout of labels.
torch::Tensor PatchRows(const torch::Tensor& features, int64_t views, const std::string& name) {
  if (features.dim() != 4 || features.size(0) != views) {
    throw UsageError(fmt::format("{}: features of {} views must be [V, C, h, w], not [{}]", name, views,
                                 fmt::join(features.sizes(), ", ")));
  }
  return features.to(torch::kFloat32).flatten(2).transpose(1, 2).contiguous();
}

std::span<const float> Values(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

}  // namespace

FeatureFunction DinoFeatures(Dinov3 dino, const std::string& weights, const PixelStatistics& pixels) {
  return {"dinov3 " + weights, /*joint=*/false, [dino, pixels](const torch::Tensor& images) mutable {
            std::vector<torch::Tensor> features;  // one at a time: the wide MLPs of the 7B model need memory
            for (int64_t view = 0; view < images.size(0); ++view) {
              features.push_back(dino->PatchFeatures(images.slice(0, view, view + 1), pixels));
            }
            return torch::cat(features);
          }};
}

FeatureFunction OwnFeatures(WildRayZer model) {
  const std::string name =
      fmt::format("own {} {}", model->config().motion.feature_layer, HashParameters(*model));
  return {name, /*joint=*/true, [model](const torch::Tensor& images) mutable {
            return model->EstimateCameras(model->Tokenize(images.unsqueeze(0))).features[0];
          }};
}

std::string HashParameters(const torch::nn::Module& module) {
  Sha256 hash;
  const auto parameters = module.named_parameters();
  std::vector<std::string> names = parameters.keys();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const torch::Tensor value = parameters[name].detach().contiguous();
    const std::string head =
        fmt::format("{} {} [{}]\n", name, c10::toString(value.scalar_type()), fmt::join(value.sizes(), ","));
    hash.Update(head.data(), head.size());
    hash.Update(value.data_ptr(), value.nbytes());
  }
  return hash.Hex();
}

LabelMaker::LabelMaker(WildRayZer renderer, FeatureFunction features, Options options)
    : renderer_(std::move(renderer)), features_(std::move(features)), options_(std::move(options)) {
  options_.labels.Validate();
  if (options_.mask_tokens && !renderer_->has_motion_estimator()) {
    throw UsageError("labels of masked renderings need a renderer with a motion estimator");
  }
  if (!options_.cache.empty()) renderer_hash_ = HashParameters(*renderer_);
}

std::string LabelMaker::Key(const torch::Tensor& images, int64_t num_inputs, const LabelScene& scene) const {
  return fmt::format(
      "version={} frames={} inputs={} size={}x{} renderer={} masked={} features={} {} scene={}", kVersion,
      fmt::join(scene.frames, ","), num_inputs, images.size(3), images.size(2), renderer_hash_,
      options_.mask_tokens, features_.name, options_.labels.Text(), scene.name);
}

std::filesystem::path LabelMaker::CachePath(const torch::Tensor& images, int64_t num_inputs,
                                            const LabelScene& scene) const {
  return LabelCachePath(options_.cache, Key(images, num_inputs, scene));
}

torch::Tensor LabelMaker::RenderTargets(const torch::Tensor& images, int64_t num_inputs) {
  const int64_t targets = images.size(0) - num_inputs;
  const ViewTokens views = renderer_->Tokenize(images.unsqueeze(0));
  const Cameras cameras = renderer_->EstimateCameras(views);
  MotionSource motion;
  if (options_.mask_tokens) {
    const bool own = renderer_->config().motion.features == MotionFeatures::kOwn;
    motion.dino_features = own ? cameras.features.narrow(1, 0, num_inputs)
                               : features_.features(images.slice(0, 0, num_inputs)).unsqueeze(0);
  }
  const EncodedScene scene =
      renderer_->EncodeScene(views.Views(0, num_inputs), cameras.Views(0, num_inputs), motion);
  const torch::Tensor renderings =
      renderer_->Render(scene.tokens, cameras.Views(num_inputs, targets), views.height, views.width);
  return (renderings[0].to(torch::kFloat32) * 255.0).round() / 255.0;
}

ExplainedLabels LabelMaker::Explain(const torch::Tensor& images, int64_t num_inputs) {
  const torch::NoGradGuard no_grad;
  CheckViews(images, num_inputs);
  const torch::Tensor targets = images.slice(0, num_inputs).to(torch::kFloat32).contiguous();
  ExplainedLabels result;
  result.renderings = RenderTargets(images, num_inputs).contiguous();
  const auto features_of = [&](const torch::Tensor& pictures) {
    if (!features_.joint) return features_.features(pictures);
    const torch::Tensor all = torch::cat({images.slice(0, 0, num_inputs).to(torch::kFloat32), pictures});
    return features_.features(all).slice(0, num_inputs);
  };
  const torch::Tensor grid = features_of(targets);
  const torch::Tensor features = PatchRows(grid, targets.size(0), features_.name);
  const torch::Tensor rendered = PatchRows(features_of(result.renderings), targets.size(0), features_.name);

  LabelShape shape{static_cast<int>(targets.size(2)), static_cast<int>(targets.size(3)),
                   static_cast<int>(grid.size(2)), static_cast<int>(grid.size(3)), features.size(2)};
  std::vector<LabelFrame> frames;
  for (int64_t i = 0; i < targets.size(0); ++i) {
    frames.push_back(
        {Values(targets[i]), Values(result.renderings[i]), Values(features[i]), Values(rendered[i])});
  }
  result.labels = MakePseudoLabels(frames, shape, options_.labels);
  ++made_;
  return result;
}

TargetLabels LabelMaker::Labels(const torch::Tensor& images, int64_t num_inputs, const LabelScene& scene) {
  CheckViews(images, num_inputs);
  if (static_cast<int64_t>(scene.frames.size()) != images.size(0)) {
    throw UsageError(
        fmt::format("{}: {} frame numbers for {} views", scene.name, scene.frames.size(), images.size(0)));
  }
  const int64_t targets = images.size(0) - num_inputs, height = images.size(2), width = images.size(3);
  const bool cached = !options_.cache.empty();
  const std::string key = cached ? Key(images, num_inputs, scene) : "";
  const std::filesystem::path path = cached ? LabelCachePath(options_.cache, key) : "";
  try {
    if (auto labels = cached ? ReadCachedLabels(path, key, {targets, 1, height, width}) : std::nullopt) {
      ++found_;
      return *std::move(labels);
    }
  } catch (const Error& error) {
    LogWarning("damaged labels are made anew: {}", error.what());
  }

  const PseudoLabels made = Explain(images, num_inputs).labels;
  TargetLabels labels{torch::empty({targets, 1, height, width}, torch::kUInt8), torch::empty({targets})};
  for (int64_t i = 0; i < targets; ++i) {
    const FrameLabels& frame = made.frames[i];
    std::transform(frame.mask.values.begin(), frame.mask.values.end(), labels.masks[i].data_ptr<uint8_t>(),
                   [](uint8_t v) { return v ? 1 : 0; });
    labels.psnr[i] = frame.psnr;
  }
  try {
    if (cached) WriteCachedLabels(path, key, labels);
  } catch (const Error& error) {
    LogWarning("labels are not kept: {}", error.what());
  }
  return labels;
}

}  // namespace wildrayzer
