#include "wildrayzer/labels/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

std::vector<float> Points(size_t count, int64_t channels, uint64_t seed) {
  Random random(seed);
  std::vector<float> points(count * channels);
  for (float& v : points) v = static_cast<float>(random.Normal());
  return points;
}

Clusters Clustered(std::span<const float> points, int64_t channels, int clusters, uint64_t seed,
                   int steps = 20) {
  Random random(seed);
  return KMeans(points, channels, clusters, steps, random);
}

double SquaredDistance(const float* a, const float* b, int64_t channels) {
  double sum = 0;
  for (int64_t c = 0; c < channels; ++c) sum += (double{a[c]} - b[c]) * (double{a[c]} - b[c]);
  return sum;
}

// Least sum of squares of sorted numbers in `clusters` groups; the groups of the best answer are intervals.
double BestInertia(const std::vector<float>& sorted, size_t begin, int clusters) {
  const auto cost = [&](size_t from, size_t to) {
    double mean = 0, sum = 0;
    for (size_t i = from; i < to; ++i) mean += sorted[i] / static_cast<double>(to - from);
    for (size_t i = from; i < to; ++i) sum += (sorted[i] - mean) * (sorted[i] - mean);
    return sum;
  };
  if (clusters == 1) return cost(begin, sorted.size());
  double best = std::numeric_limits<double>::infinity();
  for (size_t end = begin + 1; end + clusters - 1 <= sorted.size(); ++end) {
    best = std::min(best, cost(begin, end) + BestInertia(sorted, end, clusters - 1));
  }
  return best;
}

TEST(KMeans, ReachesTheBestPartitionOfNumbers) {
  std::vector<float> numbers = Points(12, 1, 5);
  std::sort(numbers.begin(), numbers.end());
  for (int clusters = 1; clusters <= 4; ++clusters) {
    const double best = BestInertia(numbers, 0, clusters);
    double found = std::numeric_limits<double>::infinity();
    for (uint64_t seed = 0; seed < 30; ++seed) {
      const double inertia = Clustered(numbers, 1, clusters, seed).inertia;
      EXPECT_GE(inertia, best * (1 - 1e-5));  // float distances
      found = std::min(found, inertia);
    }
    EXPECT_NEAR(found, best, 1e-5 * best) << clusters;  // one of 30 starts leads there
  }
}

// Every answer that converged is a fixed point, checked in double and without any code in common.
TEST(KMeans, LabelsAreNearestAndCentresAreMeans) {
  for (const int64_t channels : {1, 3, 16, 37}) {
    const size_t count = 200;
    const auto points = Points(count, channels, 7 + channels);
    const int clusters = 9;
    const Clusters result = Clustered(points, channels, clusters, 1, 1000);
    ASSERT_LT(result.steps, 1000);
    ASSERT_EQ(result.Found(channels), clusters);
    std::vector<double> sums(clusters * channels, 0.0);
    std::vector<int> sizes(clusters, 0);
    double inertia = 0;
    for (size_t i = 0; i < count; ++i) {
      const float* point = points.data() + i * channels;
      const int label = result.labels[i];
      const double own = SquaredDistance(point, result.centres.data() + label * channels, channels);
      for (int k = 0; k < clusters; ++k) {
        EXPECT_LE(own, SquaredDistance(point, result.centres.data() + k * channels, channels) * (1 + 1e-5));
      }
      inertia += own;
      for (int64_t c = 0; c < channels; ++c) sums[label * channels + c] += point[c];
      ++sizes[label];
    }
    EXPECT_NEAR(result.inertia, inertia, 1e-5 * inertia);
    for (int k = 0; k < clusters; ++k) {
      ASSERT_GT(sizes[k], 0);
      for (int64_t c = 0; c < channels; ++c) {
        EXPECT_NEAR(result.centres[k * channels + c], sums[k * channels + c] / sizes[k], 1e-5);
      }
    }
  }
}

TEST(KMeans, StepsNeverMakeItWorseAndAreBounded) {
  const auto points = Points(500, 8, 3);
  double before = std::numeric_limits<double>::infinity();
  for (int steps = 0; steps <= 20; ++steps) {
    const Clusters result = Clustered(points, 8, 32, 2, steps);
    EXPECT_LE(result.steps, steps);
    EXPECT_LE(result.inertia, before * (1 + 1e-6));
    before = result.inertia;
  }
}

// Of the points 0, 1 and 3 the second centre is drawn in proportion to the squared distance to the first.
TEST(KMeans, StartsFollowKMeansPlusPlus) {
  const std::vector<float> points = {0, 1, 3};
  std::map<std::pair<float, float>, int> seen;
  constexpr int kRuns = 6000;
  for (int seed = 0; seed < kRuns; ++seed) {
    const Clusters result = Clustered(points, 1, 2, seed, 0);
    ++seen[{result.centres.at(0), result.centres.at(1)}];
  }
  const auto squared = [](float a, float b) { return double{a - b} * double{a - b}; };
  for (const float first : points) {
    double total = 0;
    for (const float other : points) total += squared(first, other);
    for (const float second : points) {
      const double p = squared(first, second) / total / 3;
      const double deviation = std::sqrt(p * (1 - p) / kRuns);
      // Four standard deviations: nine draws stay inside with probability 0.9994, and the seeds are fixed.
      EXPECT_NEAR((seen[{first, second}] / double{kRuns}), p, 4 * deviation) << first << " " << second;
    }
  }
}

TEST(KMeans, FewerPointsThanClusters) {
  const std::vector<float> points = {1, 2, 1, 2, 5, 5, 1, 2};  // two distinct points of two channels
  const Clusters result = Clustered(points, 2, 64, 9);
  EXPECT_EQ(result.Found(2), 2);
  EXPECT_EQ(result.inertia, 0);
  EXPECT_EQ(result.labels[0], result.labels[1]);
  EXPECT_EQ(result.labels[0], result.labels[3]);
  EXPECT_NE(result.labels[0], result.labels[2]);
  EXPECT_EQ(Clustered(std::vector<float>{3}, 1, 64, 9).labels, std::vector<int>{0});
}

TEST(KMeans, IsTheSameOnAnyNumberOfThreads) {
  const auto points = Points(1536, 48, 11);
  const int before = NumThreads();
  SetThreads(1);
  const Clusters one = Clustered(points, 48, 64, 4);
  SetThreads(3);
  const Clusters three = Clustered(points, 48, 64, 4);
  SetThreads(before);
  EXPECT_EQ(one.labels, three.labels);
  EXPECT_EQ(one.centres, three.centres);
  EXPECT_EQ(one.inertia, three.inertia);
  EXPECT_NE(Clustered(points, 48, 64, 5).labels, one.labels);  // the seed matters
}

TEST(KMeans, RefusesWhatIsNoPointSet) {
  EXPECT_THROW(Clustered({}, 2, 4, 0), Error);
  EXPECT_THROW(Clustered(std::vector<float>(7), 2, 4, 0), Error);
  EXPECT_THROW(Clustered(std::vector<float>(8), 2, 0, 0), Error);
  EXPECT_THROW(Clustered(std::vector<float>{1, NAN}, 1, 2, 0), Error);
  EXPECT_THROW(Clustered(std::vector<float>{1, INFINITY}, 1, 2, 0), Error);
}

}  // namespace
}  // namespace wildrayzer
