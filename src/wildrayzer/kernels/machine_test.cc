// Choices that depend on the machine.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <set>
#include <string>

#include "wildrayzer/kernels/attention_kernels.h"
#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

TEST(Machine, ThreadsAreTheAvailableCores) {
  torch::set_num_threads(1);
  SetThreadsFromMachine();
  EXPECT_EQ(torch::get_num_threads(), AvailableCores());
}

TEST(Machine, FastMatrixProducts) {
  // The whole project is built against OpenBLAS; the reference BLAS in its place would make everything 80
  // times slower.
  EXPECT_FALSE(BlasIsSlow()) << BlasName();
}

TEST(Machine, KernelsFitTheProcessor) {
  const SimdLevel level = AvailableSimd();
  const std::string features = CpuFeatures();
  EXPECT_TRUE(level < SimdLevel::kAvx2 || features.find("avx2") != std::string::npos) << features;
  EXPECT_TRUE(level < SimdLevel::kAvx512 || features.find("avx512f") != std::string::npos) << features;
  EXPECT_TRUE(level < SimdLevel::kAvx512Bf16 || features.find("avx512_bf16") != std::string::npos)
      << features;
  EXPECT_EQ(std::string(SelectAttentionForward(true).name), SimdName(level));
  const std::set<std::string> names = {SimdName(SimdLevel::kPortable), SimdName(SimdLevel::kAvx2),
                                       SimdName(SimdLevel::kAvx512), SimdName(SimdLevel::kAvx512Bf16)};
  EXPECT_EQ(names.size(), 4U);
}

TEST(LinearProduct, IsDifferentiableAndKeepsTheShape) {
  torch::manual_seed(1);
  torch::Tensor x = torch::randn({2, 5, 7}).set_requires_grad(true);
  torch::Tensor weight = torch::randn({3, 7}).set_requires_grad(true);
  const torch::Tensor bias = torch::randn({3});
  const torch::Tensor y = LinearProduct(x, weight, bias);
  EXPECT_TRUE(torch::allclose(y, torch::matmul(x, weight.t()) + bias, 1e-5, 1e-6));
  y.sum().backward();
  EXPECT_TRUE(torch::allclose(x.grad(), weight.sum(0).expand({2, 5, 7}), 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(weight.grad(), x.flatten(0, 1).sum(0).expand({3, 7}), 1e-5, 1e-5));
  EXPECT_EQ(LinearProduct(x, weight.to(torch::kBFloat16)).scalar_type(), torch::kBFloat16);
}

}  // namespace
}  // namespace wildrayzer
