// The JSON parts of a packed file (packed_file.h): parsing, which trusts nothing, and writing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/data/packed_file.h"

namespace wildrayzer {

// Raises FileError: the packed file `path` is damaged in this way, and what to do.
[[noreturn]] void FailPacked(const std::string& path, const std::string& damage);

// The metadata. Raises FileError for other versions, impossible sizes and unknown ways to store pictures.
PackedLayout ParsePackedLayout(const std::string& text, const std::string& path);
std::string DescribePackedLayout(const PackedLayout& layout);

// The scenes in order, at least one, each with at least one frame. Raises FileError for names that are empty
// or not unique, and views that a scene does not have.
std::vector<PackedScene> ParsePackedScenes(std::string_view text, const std::string& path);
// Names must be UTF-8.
std::string DescribePackedScenes(const std::vector<PackedScene>& scenes);

}  // namespace wildrayzer
