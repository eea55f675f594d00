#include "wildrayzer/pipeline/default_model.h"

namespace wildrayzer {

namespace fs = std::filesystem;

std::optional<fs::path> FindDefaultModel(const fs::path& program_folder) {
  for (const char* folder : {WILDRAYZER_DATA_FROM_PROGRAM, "share/wildrayzer"}) {
    const fs::path path = (program_folder / folder / kDefaultModelName).lexically_normal();
    std::error_code unreadable;  // then it is no model to offer
    if (fs::is_regular_file(path, unreadable)) return path;
  }
  return std::nullopt;
}

std::optional<fs::path> FindDefaultModel() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return std::nullopt;
  return FindDefaultModel(program.parent_path());
}

}  // namespace wildrayzer
