// Folders and files of tests. Header only and free of LibTorch, so that the lowest modules may use it.
#pragma once

#include <errno.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace wildrayzer::testing {

// Of this process, below the system's folder for temporary files: programs that run side by side do not meet.
// The tests' main function removes it.
inline std::filesystem::path ProcessFolder() {
  return std::filesystem::temp_directory_path() / "wildrayzer_tests" /
         (std::string(program_invocation_short_name) + "-" + std::to_string(::getpid()));
}

// An empty folder of its own for one test.
inline std::filesystem::path FreshFolder(const std::string& name) {
  const std::filesystem::path folder = ProcessFolder() / name;
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
