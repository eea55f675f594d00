#include "wildrayzer/evaluation/lpips_maps.h"

#include <limits>
#include <numeric>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr double kNoWeight = 1e-8;

double Mean(const Planes& map) {
  return std::accumulate(map.values.begin(), map.values.end(), 0.0) / static_cast<double>(map.values.size());
}

double WeightedMean(const Planes& map, const Planes& mask) {
  const Planes weights = mask.SameSize(map) ? mask : ResizeArea(mask, map.height, map.width);
  double sum = 0.0, total = 0.0;
  for (size_t i = 0; i < map.values.size(); ++i) {
    sum += static_cast<double>(weights.values[i]) * map.values[i];
    total += weights.values[i];
  }
  return sum / total;
}

bool Empty(const Planes& mask) {
  if (mask.channels != 1) throw Error("a mask must have 1 channel, got " + mask.SizeText());
  return std::accumulate(mask.values.begin(), mask.values.end(), 0.0) < kNoWeight;
}

}  // namespace

std::array<double, kLpipsLayers> LpipsPerLayer(const LpipsMaps& maps) {
  std::array<double, kLpipsLayers> means;
  for (int k = 0; k < kLpipsLayers; ++k) means[k] = Mean(maps[k]);
  return means;
}

double LpipsDistance(const LpipsMaps& maps) {
  const auto means = LpipsPerLayer(maps);
  return std::accumulate(means.begin(), means.end(), 0.0);
}

Planes LpipsSpatial(const LpipsMaps& maps, int height, int width) {
  Planes sum(1, height, width);
  for (const Planes& map : maps) {
    const Planes enlarged = ResizeBilinear(map, height, width);
    for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += enlarged.values[i];
  }
  return sum;
}

double MaskedLpips(const LpipsMaps& maps, const Planes& mask) {
  if (Empty(mask)) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (const Planes& map : maps) sum += WeightedMean(map, mask);
  return sum;
}

double ReleasedMaskedLpips(const LpipsMaps& maps, const Planes& mask, bool spatial) {
  if (Empty(mask)) return std::numeric_limits<double>::quiet_NaN();
  if (!spatial) return LpipsDistance(maps) + Mean(maps[0]);
  const Planes first = ResizeBilinear(maps[0], mask.height, mask.width);
  return WeightedMean(LpipsSpatial(maps, mask.height, mask.width), mask) + WeightedMean(first, mask);
}

}  // namespace wildrayzer
