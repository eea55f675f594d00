// What to tell a user whose GPU is full; free of LibTorch.
#pragma once

#include <exception>
#include <optional>
#include <string>

namespace wildrayzer {

// One line with remedies when an exception means that the GPU's memory is used up.
std::optional<std::string> OutOfDeviceMemory(const std::exception& error);

}  // namespace wildrayzer
