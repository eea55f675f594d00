// LPIPS after the network: from the maps of weighted feature differences to distances (weights.md 3.3
// and 6.5).
#pragma once

#include <array>

#include "wildrayzer/evaluation/planes.h"

namespace wildrayzer {

inline constexpr int kLpipsLayers = 5;

// The weighted feature difference m_k at each of the five layers: 1 channel, H / 2^k x W / 2^k.
using LpipsMaps = std::array<Planes, kLpipsLayers>;

// LPIPS proper: the sum over layers of the mean of each map. Lower is more alike.
double LpipsDistance(const LpipsMaps& maps);
// The five means.
std::array<double, kLpipsLayers> LpipsPerLayer(const LpipsMaps& maps);
// Each map enlarged bilinearly to height x width, summed: LPIPS's spatial mode, for error maps.
Planes LpipsSpatial(const LpipsMaps& maps, int height, int width);

// The masked distance as the paper words it: at each layer the mean of the map weighted by the mask
// (area-resized to the layer), summed over layers. mask: 1 channel. NaN where the mask sums to less than
// 1e-8.
double MaskedLpips(const LpipsMaps& maps, const Planes& mask);

// What the release's script prints as masked LPIPS (weights.md 6.5), for comparison with published numbers
// only: the distance plus its first layer. The mask has no influence, except that an empty one gives NaN.
// With a network in spatial mode
// (`spatial`) the same script averages those two enlarged maps over the mask.
double ReleasedMaskedLpips(const LpipsMaps& maps, const Planes& mask, bool spatial = false);

}  // namespace wildrayzer
