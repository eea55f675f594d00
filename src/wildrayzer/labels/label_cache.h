// Files of cached labels: masks and PSNRs of one scene's targets, with a checksum.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "wildrayzer/labels/label_maker.h"

namespace wildrayzer {

// FOLDER/xx/HASH.safetensors, named by SHA-256 of the key.
std::filesystem::path LabelCachePath(const std::filesystem::path& folder, const std::string& key);

// Complete or not at all. Raises FileError.
void WriteCachedLabels(const std::filesystem::path& path, const std::string& key, const TargetLabels& labels);

// Nothing when there is no such file. Raises FileError when it is damaged, belongs to another key or holds
// masks of another size than [targets, 1, height, width].
std::optional<TargetLabels> ReadCachedLabels(const std::filesystem::path& path, const std::string& key,
                                             at::IntArrayRef mask_shape);

}  // namespace wildrayzer
