// What `check` and `bench` time, and how they say it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "wildrayzer/check/timings.h"

namespace wildrayzer {

using TimingsJson = nlohmann::ordered_json;

// A line of the table. Raises Interrupted after Ctrl-C.
void PrintTiming(const Timing& timing);
TimingsJson ToJson(const Timing& timing);

// The published size, without motion: what is timed is RayZer.
ModelConfig FullSize();
// The architecture of the small model that comes with the program, or of the weights in `file`, without
// motion and matches, which the peer of bench/peer does not have.
ModelConfig SmallSize(const std::string& file);

// Random weights in the precision and on the device of `options`.
WildRayZer RandomModel(const ModelConfig& config, const TimingOptions& options);

}  // namespace wildrayzer
