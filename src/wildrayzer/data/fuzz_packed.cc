// Any bytes: packed scenes whose every frame can be asked for, or a FileError.
#include "wildrayzer/data/packed_file.h"
#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using wildrayzer::FileError;
  try {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto file = wildrayzer::PackedFile::Parse(wildrayzer::MappedFile::FromMemory("fuzz", bytes));
    if (file->frames() > 64) return 0;  // tables alone: nothing new
    for (int64_t i = 0; i < file->frames(); ++i) {
      file->FramingOf(i);
      try {
        file->Intrinsics(i);
        file->WorldToCamera(i);
        file->Mask(i);
        file->Picture(i);
        file->CleanPicture(i);
      } catch (const FileError&) {
      }
    }
  } catch (const FileError&) {
  }
  return 0;
}
