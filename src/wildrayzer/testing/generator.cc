#include "wildrayzer/testing/generator.h"

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::testing {
namespace {

constexpr uint64_t kIncrement = 0x9E3779B97F4A7C15;

double ValueAt(uint64_t seed, uint64_t index) {
  const uint64_t bits = SplitMix64(seed + index * kIncrement);
  return static_cast<double>(bits >> 11) * 0x1p-53 * 2.0 - 1.0;
}

torch::Tensor Upsample(const torch::Tensor& grid, int64_t height, int64_t width) {
  return torch::upsample_bilinear2d(grid, {height, width}, /*align_corners=*/false);
}

}  // namespace

double GeneratorValue(std::string_view key, uint64_t index) { return ValueAt(Fnv1a64(key), index); }

torch::Tensor GeneratedTensor(std::string_view key, const std::vector<int64_t>& shape, double scale,
                              double offset) {
  const torch::Tensor tensor = torch::empty(shape, torch::kFloat32);
  float* out = tensor.data_ptr<float>();
  const uint64_t seed = Fnv1a64(key);
  ParallelFor(tensor.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      // Two roundings in double, as documented: a fused multiply-add would round once.
      const volatile double product = ValueAt(seed, static_cast<uint64_t>(i)) * scale;
      out[i] = static_cast<float>(product + offset);
    }
  });
  return tensor;
}

torch::Tensor NoiseImage(std::string_view key, const std::vector<int64_t>& shape) {
  return GeneratedTensor(key, shape, 0.5, 0.5);
}

torch::Tensor SmoothImage(const std::string& key, int64_t views, int64_t height, int64_t width) {
  const torch::Tensor low = GeneratedTensor(key + "/lo", {views, 3, 8, 8});
  const torch::Tensor mid = GeneratedTensor(key + "/mid", {views, 3, 32, 32});
  const torch::Tensor high = GeneratedTensor(key + "/hi", {views, 3, height, width});
  return 0.5 + 0.35 * Upsample(low, height, width) + 0.1 * Upsample(mid, height, width) + 0.02 * high;
}

torch::Tensor GeneratedField(std::string_view key, int64_t n, int64_t g, int64_t size) {
  return Upsample(GeneratedTensor(key, {n, 1, g, g}), size, size);
}

}  // namespace wildrayzer::testing
