// Choices that depend on the machine.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

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
#include "wildrayzer/util/tensor.h"

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

TEST(Machine, OpenBlasIsToldOfProcessorsThatItDoesNotKnow) {
  const std::string old =
      "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY USE_OPENMP Prescott MAX_THREADS=64";
  const std::string fitting =
      "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY USE_OPENMP SkylakeX MAX_THREADS=64";
  EXPECT_EQ(BetterBlasKernels(old, "fma avx2 avx512f avx512_vnni"), "SKYLAKEX");
  EXPECT_EQ(BetterBlasKernels(old, "fma avx2"), "HASWELL");
  EXPECT_EQ(BetterBlasKernels(old, ""), "") << "a processor for which these are the right ones";
  EXPECT_EQ(BetterBlasKernels(fitting, "fma avx2 avx512f"), "");
  EXPECT_EQ(BetterBlasKernels("Intel MKL", "fma avx2 avx512f"), "");
  // This program has been started anew where that was needed (testing/main.cc).
  EXPECT_EQ(BetterBlasKernels(BlasName(), CpuFeatures()), "") << BlasName();
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

TEST(RunTogether, RunsTasksAtTheSameTimeOnOneThreadEach) {
  const int before = torch::get_num_threads();
  torch::set_num_threads(2);
  std::set<std::thread::id> threads;
  std::vector<int> inside(3);
  std::mutex mutex;
  std::condition_variable met;
  RunTogether(3, [&](int64_t i) {
    torch::zeros({100, 1000}).add_(1);  // whatever ATen sets up at first use
    inside[static_cast<size_t>(i)] = torch::get_num_threads();
    std::unique_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
    met.notify_all();
    met.wait_for(lock, std::chrono::seconds(60), [&] { return threads.size() == 3; });
  });
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_EQ(inside, std::vector<int>(3, 1));
  EXPECT_EQ(torch::get_num_threads(), 2);
  RunTogether(1, [&](int64_t) { inside[0] = torch::get_num_threads(); });
  EXPECT_EQ(inside[0], 2);
  const auto fail = [](int64_t i) {
    if (i > 0) throw std::runtime_error("task " + std::to_string(i));
  };
  try {
    RunTogether(3, fail);
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "task 1");
  }
  torch::set_num_threads(before);
}

// Convolutions for all threads on one: they must neither wait for each other nor change their result.
TEST(RunTogether, ConvolutionsAndTheirGradientsAreThoseOfTheCaller) {
  const int before = torch::get_num_threads();
  torch::set_num_threads(2);
  torch::manual_seed(2);
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor x = torch::randn({12, 32, 16, 16}).to(type);
    const torch::Tensor weight = torch::randn({16, 32, 3, 3}).to(type).set_requires_grad(true);
    const auto gradient = [&] {
      const torch::Tensor y = torch::conv2d(x, weight, {}, 1, 1);
      return torch::autograd::grad({y.to(torch::kFloat32).square().mean()}, {weight})[0];
    };
    const torch::Tensor expected = gradient().to(torch::kFloat32);
    std::vector<torch::Tensor> got(4);
    RunTogether(4, [&](int64_t i) { got[static_cast<size_t>(i)] = gradient(); });
    const double tolerance = type == torch::kFloat32 ? 1e-5 : 1e-2;  // sums are cut differently
    for (const torch::Tensor& one : got) {
      const torch::Tensor difference = one.to(torch::kFloat32) - expected;
      EXPECT_LT((difference.norm() / expected.norm()).item<double>(), tolerance);
    }
  }
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
