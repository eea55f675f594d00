// Any bytes: an array of the announced size, or a FileError.
#include "wildrayzer/io/npy.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto array = wildrayzer::ParseNpy(wildrayzer::MappedFile::FromMemory("fuzz", bytes));
    const auto count = wildrayzer::CheckedNumel(array.shape);
    if (!count || static_cast<size_t>(*count * wildrayzer::DTypeSize(array.dtype)) != array.data.size())
      __builtin_trap();
  } catch (const wildrayzer::FileError&) {
  }
  return 0;
}
