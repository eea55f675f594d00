// Any bytes: a PyTorch checkpoint whose every tensor can be read, or a FileError. Covers zip, legacy stream
// and pickle.
#include "wildrayzer/io/tensor_checks.h"
#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  wildrayzer::PickleLimits limits;
  limits.expanded_bytes = 1 << 16;  // keeps single inputs fast
  try {
    const auto archive =
        wildrayzer::TorchArchive::Parse(wildrayzer::MappedFile::FromMemory("fuzz", bytes), limits);
    if (archive.root().Describe(1000).size() > 5000) __builtin_trap();
    const auto file = archive.StateDict();
    for (const wildrayzer::TensorEntry& entry : file.tensors()) wildrayzer::AllFinite(entry);
  } catch (const wildrayzer::FileError&) {
  }
  return 0;
}
