// Motion masks from features alone: co-segmentation, the baseline of method.md section 7 ("features + K-means
// as in section 5, no rendering residual").
//
// Patches are clustered and clusters chosen exactly as for pseudo labels, but with another saliency, which
// needs no rendering: how badly a patch is explained by the other views of the scene. For every pair of views
// the mutually nearest patches (cosine of features) are matches; the similarity transform that most of them
// agree with (RANSAC) is the motion of the camera. It predicts where a patch of one view is seen in the
// other; there, among the 3 x 3 patches around, which leaves room for parallax, the most similar one is
// sought. What stands still is found, what moves is not.
#pragma once

#include <span>
#include <vector>

#include "wildrayzer/labels/pseudo_labels.h"

namespace wildrayzer {

// 1 - cosine of every patch and its best counterpart, mean over the other views in which it should be seen;
// the mean of its view for a patch that no other view sees. One grid [rows * columns] a view; only `features`
// is used. Zeros for a single view. Deterministic. Raises Error like MakePseudoLabels.
std::vector<std::vector<float>> CrossViewDissimilarity(std::span<const LabelFrame> views,
                                                       const LabelShape& shape);

// The settings of the baseline. Those of the labels choose next to nothing by this weaker saliency; these,
// 20 % of the clusters and 2 of 6 frames, did best on rooms (docs/labels.md), so that the baseline is not
// handicapped.
inline LabelOptions CoSegmentationOptions() {
  LabelOptions options;
  options.selection.top_share = 0.2;
  options.selection.frames_needed = 2;
  return options;
}

// Masks of all views of one scene (at least two, UsageError); `image` and `features` of the views are used.
// psnr, ssim_weight, ssim_map and ssim of the result are empty. Options about PSNR and SSIM have no effect.
PseudoLabels CoSegment(std::span<const LabelFrame> views, const LabelShape& shape,
                       const LabelOptions& options = CoSegmentationOptions());

}  // namespace wildrayzer
