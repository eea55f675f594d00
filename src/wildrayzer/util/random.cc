#include "wildrayzer/util/random.h"

#include <cmath>
#include <numbers>

namespace wildrayzer {
namespace {
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ULL;
}

uint64_t Fnv1a64(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

uint64_t SplitMix64(uint64_t z) {
  z += kGolden;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Random::Random(uint64_t seed, std::string_view stream) : state_(SplitMix64(seed ^ Fnv1a64(stream))) {}

uint64_t Random::Next() {
  const uint64_t value = SplitMix64(state_);
  state_ += kGolden;
  return value;
}

double Random::Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

double Random::Uniform(double low, double high) { return low + (high - low) * Uniform(); }

uint64_t Random::Below(uint64_t n) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;  // reject the incomplete last stretch
  uint64_t value = Next();
  while (value >= limit) value = Next();
  return value % n;
}

double Random::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * Uniform());
}

}  // namespace wildrayzer
