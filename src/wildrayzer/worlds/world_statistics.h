// How what was measured of many worlds is distributed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "wildrayzer/worlds/world_facts.h"

namespace wildrayzer {

// Counts, and for every number its mean, least, greatest, quantiles, accepted range and the share within
// that. Views are all but the first of each world; covers and what is nearest also count that, and covers
// only worlds in which something moves.
nlohmann::ordered_json WorldStatistics(const std::vector<MeasuredWorld>& worlds, const WorldOptions& options);

// The same as histograms, one SVG picture.
std::string WorldHistograms(const std::vector<MeasuredWorld>& worlds, const WorldOptions& options);

}  // namespace wildrayzer
