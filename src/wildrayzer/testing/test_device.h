// Where tests compute: WILDRAYZER_TEST_DEVICE (auto, cpu, cuda or cuda:N), without it the processor.
#pragma once

#include <cstdlib>

#include "wildrayzer/kernels/device.h"

namespace wildrayzer::testing {

inline torch::Device TestDevice() {
  const char* name = std::getenv("WILDRAYZER_TEST_DEVICE");
  return ChooseDevice(name != nullptr ? name : "cpu");
}

}  // namespace wildrayzer::testing
