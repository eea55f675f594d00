// Small JSON files as trees, and the checks that every reader of them needs; for .cc files only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wildrayzer {

// Raises FileError for a file that is missing, larger than 256 MiB or not JSON.
nlohmann::json ReadJsonFile(const std::filesystem::path& path);

// The member `key` of an object as text / as `count` finite numbers; raises FileError naming `path` and
// `where`.
std::string TextMember(const nlohmann::json& object, const std::string& key,
                       const std::filesystem::path& path, const std::string& where);
std::vector<double> FiniteNumbers(const nlohmann::json& value, size_t count,
                                  const std::filesystem::path& path, const std::string& where);

}  // namespace wildrayzer
