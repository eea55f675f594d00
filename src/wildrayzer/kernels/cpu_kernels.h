// Which tensors take the processor's ways, and which those of GPUs.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// While one lives, tensors of the processor are computed as those of a GPU would be, by the same operations
// of LibTorch: so that these can be tested where there is no GPU. Not for speed; not from several threads.
class AsOnGpu {
 public:
  explicit AsOnGpu(bool active = true) : before_(flag_) { flag_ = active; }
  ~AsOnGpu() { flag_ = before_; }
  AsOnGpu(const AsOnGpu&) = delete;
  AsOnGpu& operator=(const AsOnGpu&) = delete;
  static bool active() { return flag_; }

 private:
  static inline bool flag_ = false;
  bool before_;
};

// Whether work there is done by the processor's ways: its memory may be read at once and by pointer.
inline bool OnCpu(torch::Device device) { return device.is_cpu() && !AsOnGpu::active(); }
inline bool OnCpu(const torch::Tensor& x) { return OnCpu(x.device()); }

// Which tensors take our kernels; all others are for LibTorch's operations.
inline bool HasCpuKernels(const torch::Tensor& x) {
  return OnCpu(x) && (x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kBFloat16);
}

}  // namespace wildrayzer
