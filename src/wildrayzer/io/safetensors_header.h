// The JSON header of a safetensors file (internal to io/).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

struct HeaderTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  int64_t begin = 0;  // bytes from the start of the data buffer
  int64_t end = 0;    // exclusive
};

struct SafetensorsHeader {
  std::vector<HeaderTensor> tensors;  // in the order of the header
  std::map<std::string, std::string> metadata;
};

// Parses the header text: form, types and key uniqueness; ranges are checked by the caller. `path` is for
// messages.
SafetensorsHeader ParseSafetensorsHeader(const std::string& path, std::string_view text);

}  // namespace wildrayzer
