#include "wildrayzer/evaluation/model_method.h"

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
        std::shared_ptr<const Reconstructor> model, MaskSource masks, bool judge_masks)
      : Method(method_name, method_title, method_note),
        model_(std::move(model)),
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

 private:
  std::shared_ptr<const Reconstructor> model_;
  MaskSource masks_;
  bool judge_masks_;
};

}  // namespace

std::unique_ptr<Method> ModelMethod(const std::string& name, const std::string& title,
                                    const std::string& note, std::shared_ptr<const Reconstructor> model,
                                    MaskSource masks, bool judge_masks) {
  return std::make_unique<Model>(name, title, note, std::move(model), std::move(masks), judge_masks);
}

MaskSource CoSegmentationMasks(std::shared_ptr<const Reconstructor> model, const LabelOptions& options) {
  return [model = std::move(model), options](const EvaluationScene& scene) {
    const ProgressCallback listen = [](const std::string&, int) { ThrowIfInterrupted(); };
    std::vector<Planes> masks;
    for (const GrayImage& mask : CoSegmentViews(*model, scene.observed, options, listen)) {
      masks.push_back(PlanesFrom(mask));
    }
    return masks;
  };
}

std::vector<Planes> TrueMasks(const EvaluationScene& scene) {
  for (size_t view = 0; view < scene.frames.size(); ++view) {
    if (scene.masks[view].values.empty()) {
      throw Error("frame " + std::to_string(scene.frames[view]) +
                  " has no true mask, which the oracle needs");
    }
  }
  return scene.masks;
}

}  // namespace wildrayzer
