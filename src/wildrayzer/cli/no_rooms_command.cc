// In place of rooms_command.cc in a build for GPU nodes: says what is missing instead of "unknown command".

#include "wildrayzer/cli/rooms_command.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

void AddRoomsCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("rooms", "Not in this build for GPU nodes");
  command->group("");  // not listed by --help
  command->allow_extras();
  command->fallthrough(false);  // its options are nobody else's
  command->set_help_flag();
  command->callback([] {
    throw UsageError(
        "`rooms` is not in this build for GPU nodes: make the rooms with a full build and bring them here "
        "packed");
  });
}

}  // namespace wildrayzer
