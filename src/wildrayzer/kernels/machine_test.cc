// Choices that depend on the machine.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "wildrayzer/kernels/attention_kernels.h"
#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/linear.h"
#include "wildrayzer/kernels/parallel.h"
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

TEST(ParallelFor, CoversEverythingOnce) {
  const int before = torch::get_num_threads();
  torch::set_num_threads(3);
  for (const int64_t count : {0, 1, 2, 25, 1000}) {
    std::vector<int> visits(count);
    ParallelFor(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[i];
    });
    EXPECT_EQ(visits, std::vector<int>(count, 1));
  }
  EXPECT_THROW(ParallelFor(100, [](int64_t, int64_t) { throw std::runtime_error("piece"); }),
               std::runtime_error);
  torch::set_num_threads(before);
}

TEST(ParallelFor, UsesSeveralThreads) {
  const int before = torch::get_num_threads();
  torch::set_num_threads(2);
  std::set<std::thread::id> threads;
  std::mutex mutex;
  std::condition_variable met;
  ParallelFor(2, [&](int64_t, int64_t) {
    ParallelFor(2, [](int64_t, int64_t) {});  // nested: serial, on this thread
    std::unique_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
    met.notify_all();
    // Holds this thread until another one has come; on a machine that is very busy that takes a while.
    met.wait_for(lock, std::chrono::seconds(60), [&] { return threads.size() == 2; });
  });
  EXPECT_EQ(threads.size(), 2U);
  torch::set_num_threads(before);
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
