// Any bytes as the pickle inside a checkpoint: an inert tree within the limits, or a FileError.
#include "wildrayzer/io/pickle.h"
#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const auto dialect : {wildrayzer::PickleDialect::kZip, wildrayzer::PickleDialect::kLegacy}) {
    auto tree = std::make_shared<wildrayzer::PickleTree>();
    tree->file = wildrayzer::MappedFile::FromMemory("fuzz", bytes);
    try {
      if (wildrayzer::RunPickle(dialect, {}, bytes, tree.get()) > size) __builtin_trap();
      wildrayzer::TorchObject(tree, tree->root).Describe(1000);
    } catch (const wildrayzer::FileError&) {
    }
  }
  return 0;
}
