// wildrayzer rooms: synthetic indoor scenes with exact ground truth.
#pragma once

#include <CLI/CLI.hpp>

namespace wildrayzer {

void AddRoomsCommand(CLI::App& app);

}  // namespace wildrayzer
