// Folders and files of tests. Header only and free of LibTorch, so that the lowest modules may use it.
#pragma once

#include <errno.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace wildrayzer::testing {

// An empty folder of its own for one test, below the system's folder for temporary files; programs that run
// side by side do not meet.
inline std::filesystem::path FreshFolder(const std::string& name) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / "wildrayzer_tests" / program_invocation_short_name / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

// All bytes of a file that must be there.
inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace wildrayzer::testing
