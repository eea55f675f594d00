#include "wildrayzer/evaluation/aggregate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

std::vector<double> Finite(std::span<const double> values) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
               [](double v) { return !std::isnan(v); });
  return kept;
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Quantile of sorted values with linear interpolation between ranks.
double Quantile(const std::vector<double>& sorted, double q) {
  const double rank = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(rank);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (rank - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace

Estimate MeanOf(std::span<const double> values) {
  const std::vector<double> kept = Finite(values);
  Estimate estimate;
  estimate.counted = static_cast<int>(kept.size());
  estimate.skipped = static_cast<int>(values.size() - kept.size());
  estimate.mean = kept.empty() ? std::numeric_limits<double>::quiet_NaN() : Mean(kept);
  estimate.low = estimate.high = estimate.mean;
  return estimate;
}

Estimate MeanWithInterval(std::span<const double> values, uint64_t seed, int resamples) {
  if (resamples < 1) throw Error("a bootstrap needs at least one resample");
  Estimate estimate = MeanOf(values);
  if (estimate.counted < 2) return estimate;
  const std::vector<double> kept = Finite(values);
  Random random(seed, "bootstrap");
  std::vector<double> means(resamples);
  for (double& mean : means) {
    double sum = 0.0;
    for (size_t i = 0; i < kept.size(); ++i) sum += kept[random.Below(kept.size())];
    mean = sum / static_cast<double>(kept.size());
  }
  std::sort(means.begin(), means.end());
  estimate.low = Quantile(means, 0.025);
  estimate.high = Quantile(means, 0.975);
  return estimate;
}

}  // namespace wildrayzer
