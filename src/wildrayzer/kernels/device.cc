#include "wildrayzer/kernels/device.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "wildrayzer/kernels/device_memory.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"

#ifdef WILDRAYZER_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace wildrayzer {
namespace {

#ifdef WILDRAYZER_CUDA
// LibTorch's warnings, each of them once.
class LogOnce : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    const std::string line = warning.msg().substr(0, warning.msg().find('\n'));
    const std::lock_guard lock(mutex_);
    if (told_.insert(line).second) LogWarning("{}", line);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> told_;
};

int NumGpus() { return static_cast<int>(c10::cuda::device_count()); }
#else
int NumGpus() { return 0; }
#endif

torch::Device Gpu(int index) {
#ifdef WILDRAYZER_CUDA
  // Read by cuBLAS when it starts: without it products are not the same bits every time.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
  at::Context& context = at::globalContext();
  context.lazyInitDevice(c10::DeviceType::CUDA);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setBenchmarkCuDNN(false);
  // The same bits for the same seed. What has no such implementation says so and goes on.
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  static LogOnce log_once;
  c10::WarningUtils::set_warning_handler(&log_once);
#endif
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

torch::Device ChooseDevice(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  if (name == "auto") return NumGpus() > 0 ? Gpu(0) : torch::Device(torch::kCPU);
  const bool numbered = name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
                        name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (name != "cuda" && !numbered)
    throw UsageError("--device " + name + ": must be auto, cpu, cuda or cuda:N");
#ifndef WILDRAYZER_CUDA
  throw UsageError(
      "--device " + name +
      ": this build has no CUDA; build against a LibTorch that has it (scripts/build cuda, docs/gpu.md), "
      "or give --device cpu");
#endif
  const int index = numbered ? std::atoi(name.c_str() + 5) : 0;
  if (NumGpus() == 0)
    throw UsageError("--device " + name +
                     ": no GPU that CUDA can use was found (see nvidia-smi); give --device cpu");
  if (index >= NumGpus())
    throw UsageError("--device " + name + ": this machine has " + std::to_string(NumGpus()) +
                     " GPUs, counted from 0");
  return Gpu(index);
}

std::string DeviceText(torch::Device device) { return device.str(); }

std::string DeviceName(torch::Device device) {
#ifdef WILDRAYZER_CUDA
  if (device.is_cuda()) return at::cuda::getDeviceProperties(device.index())->name;
#endif
  return CpuName();
}

torch::Tensor Upload(const torch::Tensor& tensor, torch::Device device) {
  if (!device.is_cuda()) return tensor.to(device);
  // From ordinary memory a copy waits until the GPU has come to it.
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

bool HasFastBf16(torch::Device device) {
#ifdef WILDRAYZER_CUDA
  if (device.is_cuda()) return at::cuda::getDeviceProperties(device.index())->major >= 8;
#endif
  return CpuFeatures().find("bf16") != std::string::npos;
}

void AllowTf32Convolutions() {
#ifdef WILDRAYZER_CUDA
  at::globalContext().setAllowTF32CuDNN(true);
#endif
}

void Synchronize(torch::Device device) {
#ifdef WILDRAYZER_CUDA
  if (device.is_cuda()) c10::cuda::device_synchronize();
#endif
}

uint64_t PeakDeviceBytes(torch::Device device) {
#ifdef WILDRAYZER_CUDA
  if (device.is_cuda()) {
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
    return static_cast<uint64_t>(stats.allocated_bytes[0].peak);
  }
#endif
  return 0;
}

std::optional<std::string> OutOfDeviceMemory(const std::exception& error) {
  const std::string text = error.what();
  if (text.find("CUDA out of memory") == std::string::npos &&
      text.find("CUBLAS_STATUS_ALLOC_FAILED") == std::string::npos)
    return std::nullopt;
  // "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which ..."
  const size_t tried = text.find("Tried to allocate");
  const std::string wanted = tried == std::string::npos
                                 ? ""
                                 : " (" + text.substr(tried, text.find(" of which", tried) - tried) + ")";
  return "out of GPU memory" + wanted +
         "; it takes less with --precision bf16, fewer views at once or a smaller size; in training with "
         "training.batch_size_per_gpu smaller (and training.grad_accum_steps larger) or "
         "training.grad_checkpoint_every=1; --device cpu uses the machine's own memory";
}

NoWaiting::NoWaiting(torch::Device device) : active_(device.is_cuda()) {
#ifdef WILDRAYZER_CUDA
  if (active_) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
#endif
}

NoWaiting::~NoWaiting() {
#ifdef WILDRAYZER_CUDA
  if (active_) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
#endif
}

}  // namespace wildrayzer
