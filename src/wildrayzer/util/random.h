// Seeded randomness that gives the same numbers on every platform (the standard distributions do not).
#pragma once

#include <cstdint>
#include <string_view>

namespace wildrayzer {

// 64-bit FNV-1a of the bytes of `text`; names random streams.
uint64_t Fnv1a64(std::string_view text);

// The mixing function of SplitMix64 (Steele, Lea, Flood 2014), increment included.
uint64_t SplitMix64(uint64_t z);

// SplitMix64 stream. Streams made from the same seed and different names are independent, so the order in
// which things are drawn does not matter.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  Random(uint64_t seed, std::string_view stream);

  uint64_t Next();
  // Uniform in [0, 1) with 53 bits.
  double Uniform();
  double Uniform(double low, double high);
  // Uniform integer in [0, n), n >= 1, unbiased.
  uint64_t Below(uint64_t n);
  // Standard normal (Box-Muller, two uniforms a draw).
  double Normal();

  // For checkpoints: a stream continues exactly where it was.
  uint64_t state() const { return state_; }
  void set_state(uint64_t state) { state_ = state; }

 private:
  uint64_t state_;
};

}  // namespace wildrayzer
