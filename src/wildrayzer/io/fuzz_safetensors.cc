// Any bytes: a valid set of tensors whose every byte can be read, or a FileError.
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/tensor_checks.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto file = wildrayzer::ParseSafetensors(wildrayzer::MappedFile::FromMemory("fuzz", bytes));
    for (const wildrayzer::TensorEntry& entry : file.tensors()) {
      if (file.Find(entry.name) != &entry) __builtin_trap();
      wildrayzer::AllFinite(entry);
    }
  } catch (const wildrayzer::FileError&) {
  }
  return 0;
}
