// The model and its relatives as methods of an evaluation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wildrayzer/evaluation/method.h"
#include "wildrayzer/labels/cosegmentation.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// Masks of every view of a scene that take the place of estimated motion: true ones (oracle), or another
// program's.
using MaskSource = std::function<std::vector<Planes>(const EvaluationScene& scene)>;

// Renders the targets from the inputs at cameras estimated from all views. Without `masks` the model's own
// motion estimate decides (nothing, for a model without one); with `masks` theirs does, and with
// `judge_masks` they are scored as the method's motion masks (pointless for true ones). A picture size other
// than the model's raises UsageError.
std::unique_ptr<Method> ModelMethod(const std::string& name, const std::string& title,
                                    const std::string& note, std::shared_ptr<const Reconstructor> model,
                                    MaskSource masks = {}, bool judge_masks = true);

// Co-segmentation masks of all views of the scene (labels/cosegmentation.h) from the features of `model`:
// DINOv3's if it has them, else its own. A picture size other than the model's raises UsageError.
MaskSource CoSegmentationMasks(std::shared_ptr<const Reconstructor> model,
                               const LabelOptions& options = CoSegmentationOptions());

// Judged by its masks alone: renders nothing.
std::unique_ptr<Method> MaskMethod(const std::string& name, const std::string& title, const std::string& note,
                                   MaskSource masks);

// Floors of motion masks: one value, 0 or 1, everywhere.
MaskSource ConstantMasks(float value);

// The saliency of pseudo labels (labels/pseudo_labels.h) without clusters and refinement: a patch moves where
// its saliency is more than `threshold` standard deviations of its frame. Every view is rendered once from
// others of the scene. Raises UsageError for fewer than four views and for pictures not of the model's size.
MaskSource ThresholdedSaliency(std::shared_ptr<const Reconstructor> model, double threshold = 1.0);

// The true masks of the scene; Error when a view has none.
std::vector<Planes> TrueMasks(const EvaluationScene& scene);

}  // namespace wildrayzer
