// Pseudo labels of pictures from a model on disk, and the pictures that explain them. No LibTorch header is
// needed to use it; for training see label_maker.h.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/labels/pseudo_labels.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// Labels of the targets of one scene.
struct SceneLabels {
  std::vector<Image> images, renderings;  // of every target
  LabelShape shape;
  PseudoLabels labels;  // one frame a target
};

// Renders the targets (all views but the first num_inputs) from the inputs, without their own pixels, and
// labels what the renderings do not explain. The pictures must have the model's size (UsageError). A motion
// estimator in the model is not asked.
SceneLabels LabelTargets(const Reconstructor& model, std::span<const Image> views, int num_inputs,
                         const LabelOptions& options, const ProgressCallback& progress = {});

// Co-segmentation (cosegmentation.h) of all views with the model's features: one mask a view.
std::vector<GrayImage> CoSegmentViews(const Reconstructor& model, std::span<const Image> views,
                                      const LabelOptions& options, const ProgressCallback& progress = {});

// One step on the way to a label, as a picture of the size of the frame.
struct LabelPicture {
  std::string
      name;  // "rendering", "ssim", "features", "saliency", "clusters", "selected", "unrefined", "label"
  Image image;
};

// All steps of target `index` in order. Dissimilarities and saliencies are drawn as heat maps with one scale
// for the scene; every cluster has its colour in all frames; masks are drawn on the picture.
std::vector<LabelPicture> ExplainTarget(const SceneLabels& scene, size_t index);

// One row a target, its picture first and its steps after it. `titles` names the targets.
Image LabelSheet(const SceneLabels& scene, std::span<const std::string> titles);

}  // namespace wildrayzer
