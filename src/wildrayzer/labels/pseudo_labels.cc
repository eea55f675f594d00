#include "wildrayzer/labels/pseudo_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/labels/dissimilarity.h"
#include "wildrayzer/labels/kmeans.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kCleaningSize = 3;
constexpr int kCleaningIterations = 1;

void CheckShape(const LabelShape& shape) {
  if (shape.height < 1 || shape.width < 1 || shape.rows < 1 || shape.columns < 1 ||
      shape.height % shape.rows != 0 || shape.width % shape.columns != 0) {
    throw Error(fmt::format("a grid of {} x {} features does not divide pictures of {} x {} pixels",
                            shape.rows, shape.columns, shape.height, shape.width));
  }
}

void CheckRange(const char* what, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw UsageError(fmt::format("{} is {}, but must lie between {} and {}", what, value, low, high));
  }
}

FrameLabels Measure(const LabelFrame& frame, const LabelShape& shape, const LabelOptions& options) {
  FrameLabels labels;
  labels.psnr = PicturePsnr(frame.image, frame.rendering);
  labels.ssim_weight = options.SsimWeight(labels.psnr);
  labels.ssim_map = SsimDissimilarity(frame.image, frame.rendering, shape.height, shape.width);
  labels.ssim = PoolToGrid(labels.ssim_map, shape.height, shape.width, shape.rows, shape.columns);
  labels.features = FeatureDissimilarity(UnitLength(frame.features, shape),
                                         UnitLength(frame.rendered_features, shape), shape.channels);
  const std::vector<float> ssim = ZScores(labels.ssim), features = ZScores(labels.features);
  labels.saliency.resize(shape.patches());
  for (size_t i = 0; i < labels.saliency.size(); ++i) {
    labels.saliency[i] =
        static_cast<float>(labels.ssim_weight * ssim[i] + (1.0 - labels.ssim_weight) * features[i]);
  }
  return labels;
}

template <typename T>
std::vector<T> Concatenated(const std::vector<FrameLabels>& frames, std::vector<T> FrameLabels::*part) {
  std::vector<T> all;
  for (const FrameLabels& frame : frames) all.insert(all.end(), (frame.*part).begin(), (frame.*part).end());
  return all;
}

void DrawMask(const LabelFrame& frame, const LabelShape& shape, const LabelOptions& options,
              FrameLabels& labels) {
  const GrayImage patches =
      PatchesToPixels(labels.selected, shape.rows, shape.columns, shape.height, shape.width);
  const GrayImage closed = CloseMask(patches, kCleaningSize, kCleaningIterations);
  const GrayImage cleaned = OpenMask(closed, kCleaningSize, kCleaningIterations);
  labels.unrefined =
      LargeComponents(cleaned, static_cast<int>(options.min_area * shape.height * shape.width));
  labels.mask = labels.unrefined;
  if (!options.grabcut) return;
  labels.mask = GrabCutMask(FromPlanes(frame.image, shape.width, shape.height), labels.unrefined,
                            options.grabcut_iterations, static_cast<int>(options.seed));
}

}  // namespace

void LabelOptions::Validate() const {
  CheckRange("the weight of SSIM", fixed_ssim_weight, 0, 1);
  CheckRange("the weight of SSIM at the lower PSNR", low_ssim_weight, 0, 1);
  CheckRange("the weight of SSIM at the higher PSNR", high_ssim_weight, 0, 1);
  CheckRange("the lower PSNR", low_psnr, 0, 100);
  CheckRange("the higher PSNR", high_psnr, low_psnr, 100);
  CheckRange("the number of clusters", clusters, 1, 65536);
  CheckRange("the number of K-means steps", kmeans_steps, 0, 10000);
  CheckRange("the share of clusters that may move", selection.top_share, 0, 1);
  CheckRange("the quantile of saliency in a frame", selection.frame_quantile, 0, 1);
  CheckRange("the number of frames", selection.of_frames, 1, 100000);
  CheckRange("the number of frames needed", selection.frames_needed, 1, selection.of_frames);
  CheckRange("the smallest area", min_area, 0, 1);
  CheckRange("the number of GrabCut iterations", grabcut_iterations, 1, 1000);
}

std::string LabelOptions::Text() const {
  return fmt::format(
      "weights={} fixed_ssim_weight={} psnr={}..{} ssim_weight={}..{} clusters={} kmeans_steps={} "
      "top_share={} frame_quantile={} frames={}/{} min_area={} grabcut={} grabcut_iterations={} seed={}",
      weights == SaliencyWeights::kAdaptive ? "adaptive" : "fixed", fixed_ssim_weight, low_psnr, high_psnr,
      low_ssim_weight, high_ssim_weight, clusters, kmeans_steps, selection.top_share,
      selection.frame_quantile, selection.frames_needed, selection.of_frames, min_area, grabcut,
      grabcut_iterations, seed);
}

double LabelOptions::SsimWeight(double psnr) const {
  if (weights == SaliencyWeights::kFixed) return fixed_ssim_weight;
  if (psnr >= high_psnr) return high_ssim_weight;
  if (psnr <= low_psnr) return low_ssim_weight;
  const double t = (psnr - low_psnr) / (high_psnr - low_psnr);
  return low_ssim_weight + t * (high_ssim_weight - low_ssim_weight);
}

std::vector<float> UnitLength(std::span<const float> features, const LabelShape& shape) {
  if (shape.channels < 1 || features.size() != shape.patches() * shape.channels) {
    throw Error(fmt::format("{} features are no grid of {} x {} with {} channels", features.size(),
                            shape.rows, shape.columns, shape.channels));
  }
  std::vector<float> unit(features.size());
  for (size_t start = 0; start < features.size(); start += shape.channels) {
    const auto patch = features.subspan(start, shape.channels);
    double squares = 0;
    for (const float v : patch) squares += static_cast<double>(v) * v;
    if (!std::isfinite(squares)) throw Error("the features hold values that are not finite");
    const double scale = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (size_t c = 0; c < patch.size(); ++c) unit[start + c] = static_cast<float>(patch[c] * scale);
  }
  return unit;
}

PseudoLabels MeasureSaliency(std::span<const LabelFrame> frames, const LabelShape& shape,
                             const LabelOptions& options) {
  if (frames.empty()) throw Error("there are no frames to label");
  CheckShape(shape);
  PseudoLabels labels;
  labels.frames.resize(frames.size());
  ParallelFor(static_cast<int64_t>(frames.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) labels.frames[i] = Measure(frames[i], shape, options);
  });
  return labels;
}

void ClusterPatches(std::span<const LabelFrame> frames, const LabelShape& shape, const LabelOptions& options,
                    PseudoLabels& labels) {
  std::vector<float> points;
  points.reserve(frames.size() * shape.patches() * shape.channels);
  for (const LabelFrame& frame : frames) {
    const std::vector<float> unit = UnitLength(frame.features, shape);
    points.insert(points.end(), unit.begin(), unit.end());
  }
  Random random(options.seed, "k-means");
  const Clusters clusters = KMeans(points, shape.channels, options.clusters, options.kmeans_steps, random);
  const auto patches = static_cast<std::ptrdiff_t>(shape.patches());
  auto label = clusters.labels.begin();
  for (FrameLabels& frame : labels.frames) {
    frame.clusters.assign(label, label + patches);
    label += patches;
  }
}

void LabelClusters(std::span<const LabelFrame> frames, const LabelShape& shape, const LabelOptions& options,
                   PseudoLabels& labels) {
  labels.selection = SelectClusters(Concatenated(labels.frames, &FrameLabels::saliency),
                                    Concatenated(labels.frames, &FrameLabels::clusters),
                                    static_cast<int>(frames.size()), options.clusters, options.selection);
  for (FrameLabels& frame : labels.frames) {
    frame.selected.clear();
    for (const int cluster : frame.clusters) frame.selected.push_back(labels.selection.selected[cluster]);
  }
  ParallelFor(static_cast<int64_t>(frames.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) DrawMask(frames[i], shape, options, labels.frames[i]);
  });
}

PseudoLabels MakePseudoLabels(std::span<const LabelFrame> frames, const LabelShape& shape,
                              const LabelOptions& options) {
  options.Validate();
  PseudoLabels labels = MeasureSaliency(frames, shape, options);
  ClusterPatches(frames, shape, options, labels);
  LabelClusters(frames, shape, options, labels);
  return labels;
}

}  // namespace wildrayzer
