#pragma once

#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {

// Uniform in [low, high).
inline float Draw(Random& random, float low, float high) {
  return static_cast<float>(random.Uniform(low, high));
}

}  // namespace wildrayzer::synth
