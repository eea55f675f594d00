#include "wildrayzer/evaluation/model_method.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "wildrayzer/labels/label_views.h"
#include "wildrayzer/labels/scene_labels.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"

namespace wildrayzer {
namespace {

MotionMask ToMotionMask(const Planes& mask) {
  MotionMask out;
  out.width = mask.width;
  out.height = mask.height;
  out.probability = mask.values;
  return out;
}

Planes PlanesOf(const MotionMask& mask) {
  Planes out(1, mask.height, mask.width);
  out.values = mask.probability;
  return out;
}

class Model : public Method {
 public:
  Model(const std::string& method_name, const std::string& method_title, const std::string& method_note,
        const JudgedModel& model, MaskSource masks, bool judge_masks)
      : Method(method_name, method_title, method_note),
        model_(model.model),
        identity_(model.identity),
        masks_(std::move(masks)),
        judge_masks_(judge_masks) {}

  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    std::vector<MotionMask> input_masks;
    if (masks_) {
      const std::vector<Planes> given = masks_(scene);
      for (int i = 0; i < scene.num_inputs; ++i) input_masks.push_back(ToMotionMask(given[i]));
      if (judge_masks_) output.masks = given;
    }
    // Called between the parts of the work: an interrupt must not wait for the end of the scene.
    const ProgressCallback listen = [](const std::string&, int) { ThrowIfInterrupted(); };
    const Scene place =
        model_->Reconstruct(scene.observed, static_cast<int>(scene.num_targets()), listen, input_masks);
    const Image& picture = scene.observed.front();
    if (place.width != picture.width || place.height != picture.height) {
      throw UsageError("the model renders " + std::to_string(place.width) + " x " +
                       std::to_string(place.height) + " pixels; give --width and --height accordingly");
    }
    output.cameras = place.cameras;
    for (const Image& image :
         model_->Render(place, std::span(place.cameras).subspan(scene.num_inputs), listen)) {
      output.renders.push_back(PlanesFrom(image));
    }
    if (!masks_ && !place.masks.empty()) {
      for (const MotionMask& mask : place.masks) output.masks.push_back(PlanesOf(mask));
      output.soft_masks = true;
    }
    return output;
  }
  std::string Identity(const EvaluationScene& scene) const override {
    return fmt::format("{}, masks: {}", identity_, masks_.Identity(scene));
  }

 private:
  std::shared_ptr<const Reconstructor> model_;
  std::string identity_;
  MaskSource masks_;
  bool judge_masks_;
};

class MasksAlone : public Method {
 public:
  MasksAlone(const std::string& method_name, const std::string& method_title, const std::string& method_note,
             MaskSource masks)
      : Method(method_name, method_title, method_note), masks_(std::move(masks)) {}

  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    output.masks = masks_(scene);
    return output;
  }
  std::string Identity(const EvaluationScene& scene) const override { return masks_.Identity(scene); }

 private:
  MaskSource masks_;
};

// 1 in all pixels of the patches above the threshold. Saliency is the sum of z-scores with weights w and
// 1 - w, so its own standard deviation is below 1; it is measured here.
Planes PatchesAbove(const std::vector<float>& saliency, const LabelShape& shape, double threshold) {
  const double count = static_cast<double>(saliency.size());
  const double mean = std::accumulate(saliency.begin(), saliency.end(), 0.0) / count;
  double variance = 0;
  for (const float value : saliency) variance += (value - mean) * (value - mean) / count;
  const double limit = mean + threshold * std::sqrt(variance);
  Planes mask(1, shape.height, shape.width);
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      const size_t patch = static_cast<size_t>(y * shape.rows / shape.height) * shape.columns +
                           static_cast<size_t>(x * shape.columns / shape.width);
      mask.values[static_cast<size_t>(y) * shape.width + x] = saliency[patch] > limit ? 1.0F : 0.0F;
    }
  }
  return mask;
}

}  // namespace

JudgedModel LoadJudged(const ModelSource& source) {
  JudgedModel judged;
  judged.model = std::make_shared<const Reconstructor>(source);
  judged.weights =
      source.weights.empty() ? fmt::format("random, seed {}", source.seed) : judged.model->weights_hash();
  if (!source.dino.empty()) judged.dino = FileStamp(source.dino);
  judged.identity = fmt::format("weights {}, DINOv3 {} ({}), {} on {}, {}", judged.weights,
                                judged.model->dino_name(), judged.dino, judged.model->precision(),
                                judged.model->device_name(), judged.model->config_yaml());
  return judged;
}

std::unique_ptr<Method> ModelMethod(const std::string& name, const std::string& title,
                                    const std::string& note, const JudgedModel& model, MaskSource masks,
                                    bool judge_masks) {
  return std::make_unique<Model>(name, title, note, model, std::move(masks), judge_masks);
}

MaskSource CoSegmentationMasks(const JudgedModel& model, const LabelOptions& options) {
  const auto draw = [model = model.model, options](const EvaluationScene& scene) {
    const ProgressCallback listen = [](const std::string&, int) { ThrowIfInterrupted(); };
    std::vector<Planes> masks;
    for (const GrayImage& mask : CoSegmentViews(*model, scene.observed, options, listen)) {
      masks.push_back(PlanesFrom(mask));
    }
    return masks;
  };
  return {draw, "co-segmentation " + options.Text() + ", " + model.identity};
}

std::unique_ptr<Method> MaskMethod(const std::string& name, const std::string& title, const std::string& note,
                                   MaskSource masks) {
  return std::make_unique<MasksAlone>(name, title, note, std::move(masks));
}

MaskSource ConstantMasks(float value) {
  const auto draw = [value](const EvaluationScene& scene) {
    std::vector<Planes> masks;
    for (const Image& picture : scene.observed) {
      Planes mask(1, picture.height, picture.width);
      std::fill(mask.values.begin(), mask.values.end(), value);
      masks.push_back(std::move(mask));
    }
    return masks;
  };
  return {draw, fmt::format("{} everywhere", value)};
}

MaskSource ThresholdedSaliency(const JudgedModel& model, double threshold) {
  const auto draw = [model = model.model, threshold](const EvaluationScene& scene) {
    const ProgressCallback listen = [](const std::string&, int) { ThrowIfInterrupted(); };
    const int count = static_cast<int>(scene.observed.size());
    // Groups are made of positions in time.
    std::vector<size_t> in_time(scene.observed.size());
    std::iota(in_time.begin(), in_time.end(), 0);
    std::stable_sort(in_time.begin(), in_time.end(),
                     [&](size_t a, size_t b) { return scene.frames[a] < scene.frames[b]; });
    LabelOptions options;
    options.grabcut = false;  // only the saliency is used
    std::vector<Planes> masks(scene.observed.size());
    for (const ViewList& group : GroupsOfViews(count, 2, count)) {
      std::vector<Image> views;
      for (const int input : group.inputs) views.push_back(scene.observed[in_time[input]]);
      for (const int target : group.targets) views.push_back(scene.observed[in_time[target]]);
      const SceneLabels labels =
          LabelTargets(*model, views, static_cast<int>(group.inputs.size()), options, listen);
      for (size_t t = 0; t < group.targets.size(); ++t) {
        masks[in_time[group.targets[t]]] =
            PatchesAbove(labels.labels.frames[t].saliency, labels.shape, threshold);
      }
    }
    return masks;
  };
  return {draw, fmt::format("saliency above {}, {}", threshold, model.identity)};
}

MaskSource TrueMasks() {
  const auto draw = [](const EvaluationScene& scene) {
    for (size_t view = 0; view < scene.frames.size(); ++view) {
      if (scene.masks[view].values.empty()) {
        throw Error("frame " + std::to_string(scene.frames[view]) +
                    " has no true mask, which the oracle needs");
      }
    }
    return scene.masks;
  };
  return {draw, "true ones"};
}

MaskSource ExternalMasks(const std::filesystem::path& folder) {
  return {[folder](const EvaluationScene& scene) { return MasksFromFolder(scene, folder); },
          [folder](const EvaluationScene& scene) { return FileStamp(folder / scene.name); }};
}

}  // namespace wildrayzer
