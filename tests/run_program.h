// Runs the executable under test and prepares small inputs for it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/testing/files.h"

namespace wildrayzer {

using testing::FreshFolder;
using testing::ReadText;

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

// Runs `wildrayzer ARGUMENTS...` without a shell. `file_size_limit` > 0 bounds every file it writes, which
// fails the way a full disk does.
ProgramResult RunProgram(const std::vector<std::string>& arguments, uint64_t file_size_limit = 0);

// A picture with structure everywhere; different seeds look different.
Image TestPicture(int width, int height, int seed);

// `count` pictures photo0.png, ... of the given size in `folder`.
void WritePhotos(const std::filesystem::path& folder, int count, int width = 80, int height = 60);

// The arguments of a model so small that a test takes a second: 64 x 64 pixels, width 64, one layer each,
// random weights.
std::vector<std::string> TinyModel();

// Names of everything below `folder`, relative and sorted.
std::vector<std::string> Tree(const std::filesystem::path& folder);

}  // namespace wildrayzer
