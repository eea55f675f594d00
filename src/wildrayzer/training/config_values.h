// Values of a configuration that must lie between bounds.
#pragma once

#include <fmt/format.h>

#include <string>

#include "wildrayzer/training/schedule.h"
#include "wildrayzer/util/config.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

// UsageError naming the key unless low <= value <= high.
template <typename T>
T Bounded(const Config& config, const std::string& key, T fallback, T low, T high) {
  const T value = config.Get<T>(key, fallback);
  if (!(value >= low && value <= high)) {
    throw UsageError(fmt::format("{}: key '{}' is {}, it must lie between {} and {}", config.name(), key,
                                 value, low, high));
  }
  return value;
}

// A number, or a list of two: at the start of the run and at its end.
Ramp ReadRamp(const Config& config, const std::string& key, double fallback, double low, double high);

// A time in seconds; 0 where the key is absent.
double ReadDuration(const Config& config, const std::string& key);

}  // namespace wildrayzer
