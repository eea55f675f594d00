#include "wildrayzer/training/config_values.h"

#include <optional>
#include <vector>

#include "wildrayzer/util/duration.h"

namespace wildrayzer {

Ramp ReadRamp(const Config& config, const std::string& key, double fallback, double low, double high) {
  const auto node = config.Get<YAML::Node>(key, {});
  if (!node.IsDefined() || !node.IsSequence())
    return Ramp::Constant(Bounded(config, key, fallback, low, high));
  std::vector<double> ends;
  try {
    ends = node.as<std::vector<double>>();
  } catch (const YAML::Exception&) {
    ends.clear();
  }
  if (ends.size() != 2) {
    throw UsageError(fmt::format(
        "{}: key '{}' takes a number, or two of them in a list: [at the start of the run, at its end]",
        config.name(), key));
  }
  for (const double end : ends) {
    if (!(end >= low && end <= high)) {
      throw UsageError(fmt::format("{}: key '{}' has {}, its numbers must lie between {} and {}",
                                   config.name(), key, end, low, high));
    }
  }
  return {ends[0], ends[1]};
}

double ReadDuration(const Config& config, const std::string& key) {
  if (!config.Has(key)) return 0;
  constexpr double kLongest = 366.0 * 24 * 3600;
  const auto text = config.Get<std::string>(key, "");
  const std::optional<double> seconds = ParseDuration(text);
  if (!seconds || *seconds < 1 || *seconds > kLongest) {
    throw UsageError(fmt::format(
        "{}: key '{}' is '{}', it must be a time such as 540, 90s, 9min or 3h, from a second to a year",
        config.name(), key, text));
  }
  return *seconds;
}

}  // namespace wildrayzer
