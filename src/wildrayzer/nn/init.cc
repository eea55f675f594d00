#include "wildrayzer/nn/init.h"

#include <cmath>

#include "wildrayzer/util/random.h"

namespace wildrayzer {

void FillNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name) {
  torch::NoGradGuard guard;
  torch::Tensor values = torch::empty(tensor.sizes());
  float* out = values.data_ptr<float>();
  Random random(seed, name);
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<float>(std * random.Normal());
  tensor.copy_(values);
}

void FillTruncatedNormal(torch::Tensor tensor, double std, uint64_t seed, std::string_view name) {
  torch::NoGradGuard guard;
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
  torch::NoGradGuard guard;
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
