// The model and its relatives as methods of an evaluation.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/evaluation/method.h"
#include "wildrayzer/labels/cosegmentation.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// A model, and as text all of it that decides numbers.
struct JudgedModel {
  std::shared_ptr<const Reconstructor> model;
  std::string weights;   // SHA-256; "random, seed 1" without a checkpoint
  std::string dino;      // FileStamp of DINOv3's files; empty when there are none
  std::string identity;  // weights, DINOv3, configuration in effect, precision
};
// Loads it, and reads every weight once for the hash.
JudgedModel LoadJudged(const ModelSource& source);

// Masks of every view of a scene that take the place of estimated motion: true ones (oracle), or another
// program's. Nothing: no such masks.
class MaskSource {
 public:
  using Draw = std::function<std::vector<Planes>(const EvaluationScene& scene)>;
  using Identify = std::function<std::string(const EvaluationScene& scene)>;
  MaskSource() = default;
  // `identify`: see Method::Identity.
  MaskSource(Draw draw, Identify identify) : draw_(std::move(draw)), identify_(std::move(identify)) {}
  MaskSource(Draw draw, std::string identity)
      : draw_(std::move(draw)), identify_([identity](const EvaluationScene&) { return identity; }) {}

  explicit operator bool() const { return static_cast<bool>(draw_); }
  std::vector<Planes> operator()(const EvaluationScene& scene) const { return draw_(scene); }
  std::string Identity(const EvaluationScene& scene) const { return draw_ ? identify_(scene) : "none"; }

 private:
  Draw draw_;
  Identify identify_;
};

// Renders the targets from the inputs at cameras estimated from all views. Without `masks` the model's own
// motion estimate decides (nothing, for a model without one); with `masks` theirs does, and with
// `judge_masks` they are scored as the method's motion masks (pointless for true ones). A picture size other
// than the model's raises UsageError.
std::unique_ptr<Method> ModelMethod(const std::string& name, const std::string& title,
                                    const std::string& note, const JudgedModel& model, MaskSource masks = {},
                                    bool judge_masks = true);

// Co-segmentation masks of all views of the scene (labels/cosegmentation.h) from the features of `model`:
// DINOv3's if it has them, else its own. A picture size other than the model's raises UsageError.
MaskSource CoSegmentationMasks(const JudgedModel& model,
                               const LabelOptions& options = CoSegmentationOptions());

// Judged by its masks alone: renders nothing.
std::unique_ptr<Method> MaskMethod(const std::string& name, const std::string& title, const std::string& note,
                                   MaskSource masks);

// Floors of motion masks: one value, 0 or 1, everywhere.
MaskSource ConstantMasks(float value);

// The saliency of pseudo labels (labels/pseudo_labels.h) without clusters and refinement: a patch moves where
// its saliency is more than `threshold` standard deviations of its frame. Every view is rendered once from
// others of the scene. Raises UsageError for fewer than four views and for pictures not of the model's size.
MaskSource ThresholdedSaliency(const JudgedModel& model, double threshold = 1.0);

// The true masks of the scene; Error when a view has none.
MaskSource TrueMasks();

// MasksFromFolder.
MaskSource ExternalMasks(const std::filesystem::path& folder);

}  // namespace wildrayzer
