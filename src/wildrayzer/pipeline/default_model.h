// The small model that comes with the program, used when the user names none.
#pragma once

#include <filesystem>
#include <optional>

namespace wildrayzer {

// Its file name. Installed beside its model card; in the repository both lie in models/.
inline constexpr char kDefaultModelName[] = "small.safetensors";

// The model of the program that lies in `program_folder`: in the data folder of an installation
// (../share/wildrayzer, or wherever the build was told to install), else in share/wildrayzer below the
// program, where a build folder has a link to the sources. Nothing when it is in neither.
std::optional<std::filesystem::path> FindDefaultModel(const std::filesystem::path& program_folder);

// The same for the running program, symbolic links resolved.
std::optional<std::filesystem::path> FindDefaultModel();

}  // namespace wildrayzer
