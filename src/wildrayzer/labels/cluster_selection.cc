#include "wildrayzer/labels/cluster_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

void CheckSizes(std::span<const float> saliency, std::span<const int> labels, int frames, int clusters) {
  if (frames < 1 || clusters < 1 || saliency.empty() || saliency.size() != labels.size() ||
      saliency.size() % frames != 0) {
    throw Error(fmt::format("{} saliencies and {} labels do not belong to {} frames", saliency.size(),
                            labels.size(), frames));
  }
  for (const int label : labels) {
    if (label < 0 || label >= clusters) {
      throw Error(fmt::format("cluster {} is none of {} clusters", label, clusters));
    }
  }
}

float LowerMedian(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

int SelectionRule::FramesNeeded(int frames) const {
  if (frames >= of_frames) return frames_needed;
  return std::max(1, (frames * frames_needed + of_frames - 1) / of_frames);
}

float Quantile(std::span<const float> values, double quantile) {
  if (values.empty()) throw Error("there is no quantile of no values");
  std::vector<float> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double weight = rank - static_cast<double>(below);
  return static_cast<float>(sorted[below] + weight * (static_cast<double>(sorted[above]) - sorted[below]));
}

ClusterSelection SelectClusters(std::span<const float> saliency, std::span<const int> labels, int frames,
                                int clusters, const SelectionRule& rule) {
  CheckSizes(saliency, labels, frames, clusters);
  const size_t patches = saliency.size() / frames;
  std::vector<std::vector<float>> members(static_cast<size_t>(clusters) * frames);
  std::vector<double> sums(clusters, 0.0);
  std::vector<int64_t> sizes(clusters, 0);
  for (size_t i = 0; i < saliency.size(); ++i) {
    members[labels[i] * static_cast<size_t>(frames) + i / patches].push_back(saliency[i]);
    sums[labels[i]] += saliency[i];
    ++sizes[labels[i]];
  }

  ClusterSelection selection;
  selection.mean_saliency.resize(clusters);
  for (int k = 0; k < clusters; ++k) {
    selection.mean_saliency[k] =
        sizes[k] > 0 ? static_cast<float>(sums[k] / static_cast<double>(sizes[k])) : 0.0f;
  }
  selection.rank_threshold = Quantile(selection.mean_saliency, 1.0 - rule.top_share);
  selection.frame_threshold = Quantile(saliency, rule.frame_quantile);
  selection.frame_median.assign(members.size(), 0.0f);
  selection.selected.assign(clusters, 0);
  const int needed = rule.FramesNeeded(frames);
  for (int k = 0; k < clusters; ++k) {
    int standing_out = 0;
    for (int frame = 0; frame < frames; ++frame) {
      const size_t i = static_cast<size_t>(k) * frames + frame;
      if (members[i].empty()) continue;
      selection.frame_median[i] = LowerMedian(members[i]);
      standing_out += selection.frame_median[i] >= selection.frame_threshold;
    }
    selection.selected[k] =
        sizes[k] > 0 && selection.mean_saliency[k] >= selection.rank_threshold && standing_out >= needed;
  }
  return selection;
}

}  // namespace wildrayzer
