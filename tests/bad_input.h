// A user's mistake or a damaged file, for the tests of what the program says then.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {

struct BadInput {
  std::string name;
  int exit_code;
  std::string message;  // part of the line
  // Prepares files in the folder and returns the program's arguments.
  std::function<std::vector<std::string>(const std::filesystem::path&)> arguments;
};

// Writes a file and returns its path.
inline std::string Write(const std::filesystem::path& path, const std::string& content) {
  WriteFileAtomically(path, content);
  return path;
}

// Of the eval command.
std::vector<BadInput> EvalBadInputs();

}  // namespace wildrayzer
