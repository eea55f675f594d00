// Which clusters of patches move (method.md section 5, point 5).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wildrayzer {

// A cluster moves if its mean saliency is among the highest `top_share` of all clusters, and it stands out in
// enough frames.
struct SelectionRule {
  double top_share = 0.05;       // mean saliency >= the (1 - top_share) quantile of all clusters' means
  double frame_quantile = 0.75;  // in a frame it stands out if its median saliency there reaches this
                                 // quantile of all saliencies
  int frames_needed = 4;         // it must stand out in so many frames
  int of_frames = 6;             // of so many; with F fewer frames in max(1, ceil(F needed / of))

  int FramesNeeded(int frames) const;
};

struct ClusterSelection {
  std::vector<float> mean_saliency;  // [clusters]; 0 for an empty cluster
  std::vector<float> frame_median;   // [clusters, frames]: lower median of the patches; 0 where it has none
  float rank_threshold = 0;          // the quantile of mean_saliency
  float frame_threshold = 0;         // the quantile of all saliencies
  std::vector<uint8_t> selected;     // [clusters], 1 = moves
};

// saliency and labels [frames, patches] row-major, labels in [0, clusters). A cluster never stands out in a
// frame where it has no patch. Raises Error for sizes or labels that do not fit.
ClusterSelection SelectClusters(std::span<const float> saliency, std::span<const int> labels, int frames,
                                int clusters, const SelectionRule& rule = {});

// The quantile with linear interpolation between order statistics (NumPy's and PyTorch's default). Raises
// Error for no values.
float Quantile(std::span<const float> values, double quantile);

}  // namespace wildrayzer
