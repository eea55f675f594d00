#include "wildrayzer/labels/cosegmentation.h"

#include <algorithm>
#include <cmath>
#include <opencv2/calib3d.hpp>
#include <optional>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/labels/dissimilarity.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// In patches: how far a match may be from where the camera's motion puts it.
constexpr double kMatchTolerance = 1.5;
constexpr size_t kFewestMatches = 4;

using UnitFeatures = std::vector<float>;  // [patches, channels], every patch of length 1

// Cosines of all patches of view a with all of view b, [patches, patches].
std::vector<float> Cosines(const UnitFeatures& a, const UnitFeatures& b, size_t patches, int64_t channels) {
  std::vector<float> cosines(patches * patches);
  for (size_t i = 0; i < patches; ++i) {
    for (size_t j = 0; j < patches; ++j) {
      constexpr int64_t kLanes = 16;
      float lanes[kLanes] = {};
      const float* p = a.data() + i * channels;
      const float* q = b.data() + j * channels;
      int64_t c = 0;
      for (; c + kLanes <= channels; c += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += p[c + lane] * q[c + lane];
      }
      float sum = 0;
      for (; c < channels; ++c) sum += p[c] * q[c];
      for (const float lane : lanes) sum += lane;
      cosines[i * patches + j] = sum;
    }
  }
  return cosines;
}

std::vector<float> Transposed(const std::vector<float>& square, size_t n) {
  std::vector<float> out(square.size());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) out[j * n + i] = square[i * n + j];
  }
  return out;
}

std::vector<size_t> BestOfRows(const std::vector<float>& square, size_t n) {
  std::vector<size_t> best(n);
  for (size_t i = 0; i < n; ++i) {
    const auto row = square.begin() + static_cast<std::ptrdiff_t>(i * n);
    best[i] = static_cast<size_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(n)) - row);
  }
  return best;
}

cv::Point2f Centre(size_t patch, const LabelShape& shape) {
  const auto columns = static_cast<size_t>(shape.columns);
  return {static_cast<float>(patch % columns), static_cast<float>(patch / columns)};
}

// Where the camera's motion carries positions of one view (in patches) in another; nothing changes when there
// are too few matches to tell.
cv::Matx23d DominantMotion(const std::vector<float>& cosines, const LabelShape& shape) {
  const size_t n = shape.patches();
  const std::vector<size_t> forward = BestOfRows(cosines, n),
                            backward = BestOfRows(Transposed(cosines, n), n);
  std::vector<cv::Point2f> from, to;
  for (size_t i = 0; i < n; ++i) {
    if (backward[forward[i]] != i) continue;
    from.push_back(Centre(i, shape));
    to.push_back(Centre(forward[i], shape));
  }
  if (from.size() >= kFewestMatches) {
    const cv::Mat motion = cv::estimateAffinePartial2D(from, to, cv::noArray(), cv::RANSAC, kMatchTolerance);
    if (!motion.empty()) return cv::Matx23d(motion);
  }
  return {1, 0, 0, 0, 1, 0};
}

// 1 - the best cosine among the 3 x 3 patches around where patch i should be seen; nothing when that is
// outside.
std::optional<double> Unexplained(size_t i, const std::vector<float>& cosines, const cv::Matx23d& motion,
                                  const LabelShape& shape) {
  const cv::Point2f at = Centre(i, shape);
  const cv::Vec2d seen = motion * cv::Vec3d(at.x, at.y, 1.0);
  if (!(seen[0] > -0.5 && seen[0] < shape.columns - 0.5 && seen[1] > -0.5 && seen[1] < shape.rows - 0.5)) {
    return std::nullopt;
  }
  const int column = static_cast<int>(std::lround(seen[0])), row = static_cast<int>(std::lround(seen[1]));
  double best = -1.0;
  for (int r = std::max(row - 1, 0); r <= std::min(row + 1, shape.rows - 1); ++r) {
    for (int c = std::max(column - 1, 0); c <= std::min(column + 1, shape.columns - 1); ++c) {
      best =
          std::max<double>(best, cosines[i * shape.patches() + static_cast<size_t>(r) * shape.columns + c]);
    }
  }
  return 1.0 - best;
}

// The dissimilarity of one view from its sums over other views.
std::vector<float> Means(const std::vector<double>& sums, const std::vector<int>& counts) {
  double total = 0;
  int seen = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (counts[i] == 0) continue;
    total += sums[i] / counts[i];
    ++seen;
  }
  std::vector<float> means(sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    means[i] = static_cast<float>(counts[i] > 0 ? sums[i] / counts[i] : seen > 0 ? total / seen : 0.0);
  }
  return means;
}

}  // namespace

std::vector<std::vector<float>> CrossViewDissimilarity(std::span<const LabelFrame> views,
                                                       const LabelShape& shape) {
  const size_t n = shape.patches(), count = views.size();
  std::vector<UnitFeatures> unit;
  for (const LabelFrame& view : views) unit.push_back(UnitLength(view.features, shape));
  std::vector<std::vector<float>> result(count);
  ParallelFor(static_cast<int64_t>(count), [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      std::vector<double> sums(n, 0.0);
      std::vector<int> counts(n, 0);
      for (size_t other = 0; other < count; ++other) {
        if (other == static_cast<size_t>(v)) continue;
        const std::vector<float> cosines = Cosines(unit[v], unit[other], n, shape.channels);
        const cv::Matx23d motion = DominantMotion(cosines, shape);
        for (size_t i = 0; i < n; ++i) {
          if (const auto unexplained = Unexplained(i, cosines, motion, shape)) {
            sums[i] += *unexplained;
            ++counts[i];
          }
        }
      }
      result[v] = Means(sums, counts);
    }
  });
  return result;
}

PseudoLabels CoSegment(std::span<const LabelFrame> views, const LabelShape& shape,
                       const LabelOptions& options) {
  if (views.size() < 2) throw UsageError("co-segmentation needs at least two views");
  options.Validate();
  PseudoLabels labels;
  for (std::vector<float>& dissimilarity : CrossViewDissimilarity(views, shape)) {
    FrameLabels& frame = labels.frames.emplace_back();
    frame.saliency = ZScores(dissimilarity);
    frame.features = std::move(dissimilarity);
  }
  ClusterPatches(views, shape, options, labels);
  LabelClusters(views, shape, options, labels);
  return labels;
}

}  // namespace wildrayzer
