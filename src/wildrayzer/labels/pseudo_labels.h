// Pseudo motion labels by analysis and synthesis (method.md section 5): what a static rendering of a scene
// cannot explain, and what belongs together by its features, moves. No label is used.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/labels/cluster_selection.h"

namespace wildrayzer {

// How much of a frame's saliency is structural dissimilarity; the rest is feature dissimilarity.
enum class SaliencyWeights {
  kAdaptive,  // grows with the PSNR of the rendering (paper)
  kFixed,     // release
};

struct LabelOptions {
  SaliencyWeights weights = SaliencyWeights::kAdaptive;
  double fixed_ssim_weight = 0.4;
  // kAdaptive: linear between (low_psnr, low_ssim_weight) and (high_psnr, high_ssim_weight), constant
  // outside.
  double low_psnr = 15.0, high_psnr = 25.0;
  double low_ssim_weight = 0.2, high_ssim_weight = 0.6;
  int clusters = 64;
  int kmeans_steps = 20;  // at most
  SelectionRule selection;
  double min_area = 0.0025;  // of the picture: smaller components are dropped
  bool grabcut = true;
  int grabcut_iterations = 5;
  uint64_t seed = 0;

  // Raises UsageError unless every value is in its range.
  void Validate() const;
  // Every value, one "name=value" after another: equal texts make equal labels.
  std::string Text() const;
  // Weight of the structural dissimilarity in a frame whose rendering has this PSNR in dB.
  double SsimWeight(double psnr) const;
};

// What is known of one frame. Pictures are planes [3, height, width] RGB in [0, 1]; features [rows * columns,
// channels], of any length.
struct LabelFrame {
  std::span<const float> image;
  std::span<const float> rendering;
  std::span<const float> features;           // of the image
  std::span<const float> rendered_features;  // of the rendering
};

// Sizes shared by all frames. rows and columns divide height and width.
struct LabelShape {
  int height = 0, width = 0;
  int rows = 0, columns = 0;
  int64_t channels = 0;

  size_t patches() const { return static_cast<size_t>(rows) * columns; }
};

// Everything that was found out about one frame, in the order of its making. Grids are [rows * columns].
struct FrameLabels {
  double psnr = 0;                    // of the rendering, dB
  double ssim_weight = 0;             // of the structural dissimilarity in the saliency
  std::vector<float> ssim_map;        // [height * width], 1 - SSIM
  std::vector<float> ssim, features;  // dissimilarities
  std::vector<float> saliency;
  std::vector<int> clusters;      // the cluster of every patch
  std::vector<uint8_t> selected;  // 1 = its cluster moves
  GrayImage unrefined;            // cleaned by morphology, components dropped; 255 = moves
  GrayImage mask;                 // after GrabCut: the label; 255 = moves
};

struct PseudoLabels {
  ClusterSelection selection;
  std::vector<FrameLabels> frames;
};

// Labels of the frames of one scene, which are clustered together. Deterministic. Raises Error for sizes that
// do not fit and for features that are not finite.
PseudoLabels MakePseudoLabels(std::span<const LabelFrame> frames, const LabelShape& shape,
                              const LabelOptions& options = {});

// Features [rows * columns, channels] with every patch scaled to length 1 (zeros stay zeros). Raises Error
// for another size and for values that are not finite.
std::vector<float> UnitLength(std::span<const float> features, const LabelShape& shape);

// The parts. First: psnr, ssim_weight, dissimilarities and saliency of every frame.
PseudoLabels MeasureSaliency(std::span<const LabelFrame> frames, const LabelShape& shape,
                             const LabelOptions& options);
// K-means on the features of all frames, scaled to length 1: FrameLabels::clusters.
void ClusterPatches(std::span<const LabelFrame> frames, const LabelShape& shape, const LabelOptions& options,
                    PseudoLabels& labels);
// From saliency and clusters to masks. Only the images of `frames` are used.
void LabelClusters(std::span<const LabelFrame> frames, const LabelShape& shape, const LabelOptions& options,
                   PseudoLabels& labels);

}  // namespace wildrayzer
