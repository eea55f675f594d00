#include "wildrayzer/labels/kmeans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Squared distance. The lanes let the compiler use vectors, which a plain float sum forbids.
float Distance(const float* a, const float* b, int64_t channels) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  const int64_t whole = channels - channels % kLanes;
  for (int64_t c = 0; c < whole; c += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float difference = a[c + lane] - b[c + lane];
      lanes[lane] += difference * difference;
    }
  }
  for (int64_t c = whole; c < channels; ++c) lanes[c - whole] += (a[c] - b[c]) * (a[c] - b[c]);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

class Lloyd {
 public:
  Lloyd(std::span<const float> points, int64_t channels)
      : points_(points), channels_(channels), count_(static_cast<int64_t>(points.size()) / channels) {
    distances_.assign(count_, std::numeric_limits<float>::infinity());
    result_.labels.assign(count_, 0);
  }

  // k-means++: every next centre is a point drawn with probability proportional to its squared distance to
  // the nearest centre so far.
  void ChooseCentres(int clusters, Random& random) {
    int64_t next = static_cast<int64_t>(random.Below(static_cast<uint64_t>(count_)));
    for (int k = 0;; ++k) {
      result_.centres.insert(result_.centres.end(), Point(next), Point(next) + channels_);
      AssignTo(k);
      if (k + 1 == clusters) return;
      double total = 0;
      for (const float distance : distances_) total += distance;
      if (!(total > 0)) return;  // every point is a centre
      double remaining = random.Uniform() * total;
      next = -1;
      for (int64_t i = 0; i < count_; ++i) {
        if (distances_[i] <= 0) continue;
        next = i;
        remaining -= distances_[i];
        if (remaining < 0) break;
      }
    }
  }

  Clusters Run(int max_steps) {
    while (result_.steps < max_steps) {
      ++result_.steps;
      MoveCentres();
      if (!AssignAll()) break;
    }
    result_.inertia = 0;
    for (const float distance : distances_) result_.inertia += distance;
    return std::move(result_);
  }

 private:
  const float* Point(int64_t i) const { return points_.data() + i * channels_; }
  const float* Centre(int64_t k) const { return result_.centres.data() + k * channels_; }

  // Gives points that are nearer to centre k than to all before it to k.
  void AssignTo(int k) {
    ParallelFor(count_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float distance = Distance(Point(i), Centre(k), channels_);
        if (distance < distances_[i]) {
          distances_[i] = distance;
          result_.labels[i] = k;
        }
      }
    });
  }

  // Gives every point to its nearest centre; false when nothing changed.
  bool AssignAll() {
    const std::vector<int> before = result_.labels;
    const int found = result_.Found(channels_);
    ParallelFor(count_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        distances_[i] = std::numeric_limits<float>::infinity();
        for (int k = 0; k < found; ++k) {
          const float distance = Distance(Point(i), Centre(k), channels_);
          if (distance < distances_[i]) {
            distances_[i] = distance;
            result_.labels[i] = k;
          }
        }
      }
    });
    return result_.labels != before;
  }

  void MoveCentres() {
    std::vector<double> sums(result_.centres.size(), 0.0);
    std::vector<int64_t> sizes(result_.Found(channels_), 0);
    for (int64_t i = 0; i < count_; ++i) {  // in order, so that threads cannot change the sums
      double* sum = sums.data() + result_.labels[i] * channels_;
      for (int64_t c = 0; c < channels_; ++c) sum[c] += Point(i)[c];
      ++sizes[result_.labels[i]];
    }
    for (size_t k = 0; k < sizes.size(); ++k) {
      if (sizes[k] == 0) continue;
      for (int64_t c = 0; c < channels_; ++c) {
        result_.centres[k * channels_ + c] =
            static_cast<float>(sums[k * channels_ + c] / static_cast<double>(sizes[k]));
      }
    }
  }

  std::span<const float> points_;
  int64_t channels_, count_;
  std::vector<float> distances_;  // of every point to its centre, squared
  Clusters result_;
};

}  // namespace

Clusters KMeans(std::span<const float> points, int64_t channels, int clusters, int max_steps,
                Random& random) {
  if (channels < 1 || points.empty() || points.size() % channels != 0) {
    throw Error(fmt::format("K-means: {} values are no points of {} channels", points.size(), channels));
  }
  if (clusters < 1) throw Error("K-means: there must be at least one cluster");
  // The square must be finite too, or distances would not compare.
  constexpr float kLargest = 1e15f;
  if (!std::all_of(points.begin(), points.end(), [](float v) { return std::abs(v) < kLargest; })) {
    throw Error("K-means: the features hold values that are not finite");
  }
  Lloyd lloyd(points, channels);
  lloyd.ChooseCentres(clusters, random);
  return lloyd.Run(max_steps);
}

}  // namespace wildrayzer
