// The safetensors container: u64 length, JSON header, raw little-endian data.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// Opens and validates a safetensors file with every rule of the format: header of at most 100,000,000 bytes
// inside the file, UTF-8, JSON of the prescribed form (white space around it allowed), no duplicate key at
// any level, integers only, dimensions below 2^48, rank at most 16, ranges that cover the data buffer without
// holes, overlap or trailing bytes, and range sizes that equal shape x dtype in checked arithmetic. FileError
// names what is wrong. The reading cost is the header; no tensor data is touched.
TensorFile OpenSafetensors(const std::filesystem::path& path);
TensorFile ParseSafetensors(std::shared_ptr<const MappedFile> file);

// Writes the tensors, largest element type first and then by name (the order of the reference writer), with a
// header padded to 8 bytes so that all data is aligned. Streams one tensor at a time; the file appears only
// when it is complete. Error on duplicate names or when a source delivers a wrong number of bytes; FileError
// when the disk is full.
void WriteSafetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace wildrayzer
