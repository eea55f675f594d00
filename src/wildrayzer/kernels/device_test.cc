#include "wildrayzer/kernels/device.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/device_memory.h"
#include "wildrayzer/kernels/replay.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Refusal(const std::string& name) {
  try {
    return "accepted: " + ChooseDevice(name).str();
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST(ChooseDevice, TakesWhatThereIs) {
  EXPECT_TRUE(ChooseDevice("cpu").is_cpu());
  EXPECT_TRUE(ChooseDevice("auto").is_cpu() || ChooseDevice("auto").is_cuda());
  EXPECT_EQ(DeviceText(ChooseDevice("cpu")), "cpu");
  EXPECT_FALSE(DeviceName(ChooseDevice("cpu")).empty());
  EXPECT_EQ(PeakDeviceBytes(torch::kCPU), 0U);
}

TEST(ChooseDevice, SaysWhatIsWrongInOneLine) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "cuda:99999", "mps"}) {
    EXPECT_THAT(Refusal(name), AllOf(HasSubstr("auto, cpu, cuda or cuda:N"), Not(HasSubstr("\n")))) << name;
  }
  if (ChooseDevice("auto").is_cuda()) {
    EXPECT_THAT(Refusal("cuda:999"), AllOf(HasSubstr("GPUs, counted from 0"), Not(HasSubstr("\n"))));
  } else {
    // In a build that knows CUDA there is no GPU, in another one no CUDA.
    EXPECT_THAT(Refusal("cuda"), AllOf(HasSubstr("--device cpu"), Not(HasSubstr("\n"))));
    EXPECT_THAT(Refusal("cuda:3"), AllOf(HasSubstr("cuda:3"), HasSubstr("--device cpu")));
  }
}

// Else a program would compute on the processor wherever it is told to choose.
TEST(ChooseDevice, KnowsCudaWhereLibTorchDoes) {
  if (!at::detail::getCUDAHooks().hasCUDART()) GTEST_SKIP() << "this LibTorch has no CUDA";
  EXPECT_THAT(Refusal("cuda"), Not(HasSubstr("this build has no CUDA")));
}

TEST(OutOfDeviceMemory, IsToldInOneLineWithRemedies) {
  const std::runtime_error full(
      "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.2 "
      "GiB "
      "is free.\nException raised from malloc");
  const auto line = OutOfDeviceMemory(full);
  ASSERT_TRUE(line);
  EXPECT_THAT(*line,
              AllOf(HasSubstr("Tried to allocate 20.00 GiB"), HasSubstr("79.11 GiB"), HasSubstr("bf16"),
                    HasSubstr("fewer views"), Not(HasSubstr("\n")), Not(HasSubstr("Exception"))));
  EXPECT_FALSE(OutOfDeviceMemory(std::runtime_error("out of memory; use fewer photos")));
}

TEST(AsOnGpu, LastsAsLongAsItLives) {
  const torch::Tensor x = torch::zeros({2});
  EXPECT_TRUE(HasCpuKernels(x));
  {
    const AsOnGpu on_gpu;
    EXPECT_FALSE(HasCpuKernels(x));
    const AsOnGpu and_not(false);
    EXPECT_TRUE(OnCpu(x));
  }
  EXPECT_TRUE(HasCpuKernels(x));
}

TEST(Replay, OnTheProcessorIsTheFunction) {
  int calls = 0;
  Replay replay([&](const std::vector<torch::Tensor>& inputs) {
    ++calls;
    return inputs[0] + inputs[1];
  });
  for (int i = 0; i < 4; ++i) {
    const torch::Tensor sum = replay({torch::full({2}, i), torch::full({2}, 10)});
    EXPECT_TRUE(torch::equal(sum, torch::full({2}, 10 + i)));
  }
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace wildrayzer
