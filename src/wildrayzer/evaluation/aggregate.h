// From images to scenes to a data set: means that say what they left out, and how sure they are.
#pragma once

#include <cstdint>
#include <span>

namespace wildrayzer {

// A mean and its 95 % bootstrap interval.
struct Estimate {
  double mean = 0.0;  // NaN when nothing was counted
  double low = 0.0;   // 2.5 and 97.5 percentiles of the means of the resampled sets; both the mean when only
  double high = 0.0;  // one value was counted
  int counted = 0;
  int skipped = 0;  // values that were NaN
};

// Mean of the values that are not NaN; `counted` and `skipped` say how many, the interval is left at the
// mean.
Estimate MeanOf(std::span<const double> values);

// The same with the percentile bootstrap (Efron 1979) over the values, which must be independent units, that
// is scenes. resamples >= 1; the same seed gives the same interval on every machine.
Estimate MeanWithInterval(std::span<const double> values, uint64_t seed, int resamples = 2000);

}  // namespace wildrayzer
