// K-means: k-means++ start (Arthur and Vassilvitskii 2007), then Lloyd's steps. The result depends on the
// points and the random stream alone, not on the number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wildrayzer/util/random.h"

namespace wildrayzer {

struct Clusters {
  std::vector<int> labels;     // of every point, in [0, clusters); the nearest centre, the first of equals
  std::vector<float> centres;  // [found, channels]: no more than there are distinct points
  int steps = 0;               // Lloyd steps taken
  double inertia = 0;          // sum of squared distances to the nearest centre

  int Found(int64_t channels) const { return static_cast<int>(centres.size() / channels); }
};

// points [N, channels] row-major. With fewer distinct points than `clusters` every distinct point becomes a
// centre, and the other clusters stay empty. A cluster that loses all its points keeps its centre. Stops
// before `max_steps` when no label changes. Raises Error for no points and for values that are not finite.
Clusters KMeans(std::span<const float> points, int64_t channels, int clusters, int max_steps, Random& random);

}  // namespace wildrayzer
