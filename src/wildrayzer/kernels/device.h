// Where tensors live and are computed: the processor, or a GPU of NVIDIA's when both the build and the
// machine have one.
#pragma once

#include <cstdint>
#include <string>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N" (N counts from 0). UsageError for anything else,
// for a GPU that the machine does not have, and when this build knows none. Makes the GPU the calling
// thread's current one, and fp32 products exact (TF32 off).
torch::Device ChooseDevice(const std::string& name);

// "cpu" or "cuda:0".
std::string DeviceText(torch::Device device);
// The card's or the processor's own name.
std::string DeviceName(torch::Device device);

// A copy there of a tensor of the processor; returns before a GPU has it, and does not wait for what it does
// now.
torch::Tensor Upload(const torch::Tensor& tensor, torch::Device device);

// Whether matrix products in bfloat16 run in hardware there.
bool HasFastBf16(torch::Device device);

// From now on GPUs round what they convolve to TF32 (11 bits): for work whose products are in bfloat16
// anyway, and whose mask decoder's kernels are not.
void AllowTf32Convolutions();

// Returns when the device has done all that it was given.
void Synchronize(torch::Device device);
// The most memory that tensors have taken there, in bytes; 0 for the processor.
uint64_t PeakDeviceBytes(torch::Device device);

// From construction to destruction an operation that makes the calling thread wait for the GPU raises an
// error; nothing on the processor.
class NoWaiting {
 public:
  explicit NoWaiting(torch::Device device);
  ~NoWaiting();
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;

 private:
  bool active_;
};

}  // namespace wildrayzer
