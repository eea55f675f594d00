#include "wildrayzer/kernels/linear.h"

namespace wildrayzer {

torch::Tensor LinearProduct(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  const torch::Tensor input = x.to(weight.scalar_type());
  if (bias.defined()) return torch::linear(input, weight, bias.to(weight.scalar_type()));
  return torch::linear(input, weight);
}

}  // namespace wildrayzer
