// What --model defaults to.
#pragma once

#include "wildrayzer/cli/command.h"

namespace wildrayzer {

// For commands that do without --model: takes the model that comes with the program
// (pipeline/default_model.h) when nothing on the command line asks for another, and says so. Raises
// UsageError when it is not there.
void UseDefaultModel(ModelOptions& options);

}  // namespace wildrayzer
