#include "wildrayzer/labels/label_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wildrayzer/labels/label_cache.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Changes when the same options give other labels.
constexpr int kVersion = 2;

void CheckViews(const Pass& pass) {
  if (pass.images().size(0) != 1 || pass.targets() < 1) {
    throw UsageError(fmt::format("labels are made of one scene with targets, not of {} scenes with {}",
                                 pass.images().size(0), pass.targets()));
  }
}

// [1, N, C, h, w] -> [N, h * w, C], the layout of labels.
torch::Tensor PatchRows(const torch::Tensor& features) {
  return features[0].to(torch::kFloat32).flatten(2).transpose(1, 2).contiguous().to(torch::kCPU);
}

std::span<const float> Values(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

}  // namespace

LabelMaker::LabelMaker(WildRayZer renderer, FeatureSource features, Options options)
    : renderer_(std::move(renderer)), features_(std::move(features)), options_(std::move(options)) {
  options_.labels.Validate();
  if (options_.mask_tokens && !renderer_->has_motion_estimator()) {
    throw UsageError("labels of masked renderings need a renderer with a motion estimator");
  }
}

std::string LabelMaker::Key(const Pass& pass, const LabelScene& scene) {
  // Not when it is made: the weights that label are those in use, restored from a checkpoint and rounded.
  std::call_once(hashed_, [this] {
    weights_ = fmt::format("renderer={} features={} layer={}", HashParameters(*renderer_),
                           features_.Identity(), renderer_->config().motion.feature_layer);
  });
  return fmt::format("version={} frames={} inputs={} size={}x{} {} masked={} {} scene={}", kVersion,
                     fmt::join(scene.frames, ","), pass.inputs(), pass.images().size(4),
                     pass.images().size(3), weights_, options_.mask_tokens, options_.labels.Text(),
                     scene.name);
}

std::filesystem::path LabelMaker::CachePath(const Pass& pass, const LabelScene& scene) {
  return LabelCachePath(options_.cache, Key(pass, scene));
}

ExplainedLabels LabelMaker::Explain(Pass pass) {
  const torch::NoGradGuard no_grad;
  CheckViews(pass);
  const int64_t inputs = pass.inputs();
  // Labels are made on the processor.
  const torch::Tensor targets =
      pass.images()[0].slice(0, inputs).to(torch::kCPU, torch::kFloat32).contiguous();
  ExplainedLabels result;
  pass.Encode(options_.mask_tokens ? pass.InputMotionProbability() : torch::Tensor());
  const torch::Tensor renderings =
      ((pass.RenderTargets()[0].to(torch::kFloat32) * 255.0).round() / 255.0).contiguous();
  result.renderings = renderings.to(torch::kCPU);

  // The same views with the renderings in the place of the targets.
  const torch::Tensor shown = pass.images()[0].slice(0, 0, inputs).to(torch::kFloat32);
  Pass again(renderer_, features_, torch::cat({shown, renderings}).unsqueeze(0), inputs);
  const torch::Tensor grid = pass.Features(inputs, pass.targets());
  const torch::Tensor features = PatchRows(grid);
  const torch::Tensor rendered = PatchRows(again.Features(inputs, pass.targets()));

  LabelShape shape{static_cast<int>(targets.size(2)), static_cast<int>(targets.size(3)),
                   static_cast<int>(grid.size(3)), static_cast<int>(grid.size(4)), features.size(2)};
  std::vector<LabelFrame> frames;
  for (int64_t i = 0; i < targets.size(0); ++i) {
    frames.push_back(
        {Values(targets[i]), Values(result.renderings[i]), Values(features[i]), Values(rendered[i])});
  }
  result.labels = MakePseudoLabels(frames, shape, options_.labels);
  ++made_;
  return result;
}

TargetLabels LabelMaker::Labels(Pass pass, const LabelScene& scene) {
  CheckViews(pass);
  const int64_t targets = pass.targets(), height = pass.images().size(3), width = pass.images().size(4);
  if (static_cast<int64_t>(scene.frames.size()) != pass.inputs() + targets) {
    throw UsageError(fmt::format("{}: {} frame numbers for {} views", scene.name, scene.frames.size(),
                                 pass.inputs() + targets));
  }
  const bool cached = !options_.cache.empty();
  const std::string key = cached ? Key(pass, scene) : "";
  const std::filesystem::path path = cached ? LabelCachePath(options_.cache, key) : "";
  try {
    if (auto labels = cached ? ReadCachedLabels(path, key, {targets, 1, height, width}) : std::nullopt) {
      ++found_;
      return *std::move(labels);
    }
  } catch (const Error& error) {
    LogWarning("damaged labels are made anew: {}", error.what());
  }

  const PseudoLabels made = Explain(std::move(pass)).labels;
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
