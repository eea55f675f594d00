// NumPy's .npy files: motion masks and the like.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

struct NpyArray {
  DType dtype = DType::kU8;
  std::vector<int64_t> shape;   // empty for a scalar
  std::vector<std::byte> data;  // row-major, little-endian, numel * DTypeSize bytes; bools are 0 or 1
};

// Reads header versions 1 to 3 with one little-endian number type (bool, 8 to 64 bit integers, 16 to 64 bit
// floats); arrays in Fortran order are transposed. FileError for everything else, by name: object and
// structured arrays, big-endian data, damaged headers, data that is shorter or longer than the shape says.
NpyArray ReadNpy(const std::filesystem::path& path);
NpyArray ParseNpy(const std::shared_ptr<const MappedFile>& file);

// Writes a version 1 file, complete or not at all. `data` is row-major and must have numel(shape) * DTypeSize
// bytes (Error).
void WriteNpy(const std::filesystem::path& path, DType dtype, const std::vector<int64_t>& shape,
              std::span<const std::byte> data);

}  // namespace wildrayzer
