#include "wildrayzer/nn/init.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/nn/normal_fill.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {

void FillNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name) {
  const torch::NoGradGuard guard;
  const bool direct =
      tensor.scalar_type() == torch::kFloat32 && tensor.is_contiguous() && tensor.device().is_cpu();
  const torch::Tensor values = direct ? tensor : torch::empty(tensor.sizes(), torch::kFloat32);
  float* out = values.data_ptr<float>();
  const uint64_t state = Random(seed, name).state();
  constexpr int64_t kChunk = 1 << 15;  // even, as FillNormalRange demands
  const int64_t count = values.numel();
  ParallelFor((count + kChunk - 1) / kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      FillNormalRange(out + i * kChunk, i * kChunk, std::min(kChunk, count - i * kChunk), std, state);
    }
  });
  if (!direct) tensor.copy_(values);
}

void FillTruncatedNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name) {
  const torch::NoGradGuard guard;
  torch::Tensor values = torch::empty(tensor.sizes());
  float* out = values.data_ptr<float>();
  Random random(seed, name);
  for (int64_t i = 0; i < values.numel(); ++i) {
    double value = random.Normal();
    while (std::abs(value) > 2.0) value = random.Normal();
    out[i] = static_cast<float>(std * value);
  }
  tensor.copy_(values);
}

void InitializeParameters(torch::nn::Module& module, double std, uint64_t seed, const std::string& prefix) {
  const torch::NoGradGuard guard;
  for (auto& item : module.named_parameters()) {
    torch::Tensor& parameter = item.value();
    const std::string& name = item.key();
    if (parameter.dim() >= 2) {
      FillNormal(parameter, std, seed, prefix + name);
    } else {
      const bool is_bias = name.size() >= 4 && name.compare(name.size() - 4, 4, "bias") == 0;
      parameter.fill_(is_bias ? 0.0 : 1.0);
    }
  }
}

double TransformerBlockStd(int64_t index) { return 0.02 / std::sqrt(2.0 * static_cast<double>(index + 1)); }

void InitializeTransformerBlock(Block block, double std, uint64_t seed, const std::string& prefix) {
  InitializeParameters(*block, std, seed, prefix);
}

}  // namespace wildrayzer
