// The counter-based generator of all golden weights and inputs (golden README, section 1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer::testing {

// Element `index` of the stream `key`: uniform in [-1, 1), 53 bits.
double GeneratorValue(std::string_view key, uint64_t index);

// float32(value(key, i) * scale + offset) in row-major order; computed with all cores, the result does not
// depend on them.
torch::Tensor GeneratedTensor(std::string_view key, const std::vector<int64_t>& shape, double scale = 1.0,
                              double offset = 0.0);

// GeneratedTensor(key, shape, 0.5, 0.5): uniform in [0, 1).
torch::Tensor NoiseImage(std::string_view key, const std::vector<int64_t>& shape);

// Images [views, 3, height, width] with values in (0.03, 0.97): an 8 x 8 and a 32 x 32 grid, bilinearly
// upsampled, plus noise.
torch::Tensor SmoothImage(const std::string& key, int64_t views, int64_t height, int64_t width);

// A g x g grid upsampled to [n, 1, size, size], values in [-1, 1); thresholded it gives blob masks.
torch::Tensor GeneratedField(std::string_view key, int64_t n, int64_t g, int64_t size);

}  // namespace wildrayzer::testing
