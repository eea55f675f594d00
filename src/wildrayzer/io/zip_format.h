// Numbers of the zip format that reader and writer share (APPNOTE 6.3).
#pragma once

#include <cstdint>

namespace wildrayzer {

constexpr uint64_t kLocalBytes = 30;  // a local header before name and extra field
// In place of a number that stands in the Zip64 field.
constexpr uint16_t kMax16 = 0xFFFF;
constexpr uint32_t kMax32 = 0xFFFFFFFF;

}  // namespace wildrayzer
