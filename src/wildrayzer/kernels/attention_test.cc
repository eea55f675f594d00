#include "wildrayzer/kernels/attention.h"

#include <gtest/gtest.h>

namespace wildrayzer {
namespace {
TEST(Attention, Smoke) {
  torch::manual_seed(1);
  auto q = torch::randn({1, 2, 100, 64}), k = torch::randn({1, 2, 211, 64}),
       v = torch::randn({1, 2, 211, 64});
  auto ref = torch::matmul(
      torch::softmax(torch::matmul(q.to(torch::kFloat64), k.to(torch::kFloat64).transpose(2, 3)) * 0.125, -1),
      v.to(torch::kFloat64));
  auto out = Attention(q, k, v, 0.125);
  std::cout << ((out - ref).norm() / ref.norm()).item<double>() << "\n";
  auto o2 = Attention(q.to(torch::kBFloat16), k.to(torch::kBFloat16), v.to(torch::kBFloat16), 0.125);
  std::cout << ((o2 - ref).norm() / ref.norm()).item<double>() << "\n";
}
}  // namespace
}  // namespace wildrayzer
