// Normal random numbers in bulk.
#pragma once

#include <cstdint>

namespace wildrayzer {

// out[i] = std * z_{first + i} for 0 <= i < count, where z_0, z_1, ... are the standard normal numbers of the
// stream of SplitMix64 that begins with `state`: two draws give two numbers (Box and Muller 1958). Any
// element can be computed without the ones before it. `first` must be even. The bits do not depend on the
// processor.
void FillNormalRange(float* out, int64_t first, int64_t count, double std, uint64_t state);

}  // namespace wildrayzer
