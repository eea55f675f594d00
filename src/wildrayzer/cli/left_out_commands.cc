// In place of rooms_command.cc and serve_command.cc in a build for GPU nodes: commands that say what is
// missing instead of "unknown command".

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/rooms_command.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// why: the rest of a line that begins with "NAME is not in this build for GPU nodes".
void AddLeftOut(CLI::App& app, const std::string& name, const std::string& why) {
  CLI::App* command = app.add_subcommand(name, "Not in this build for GPU nodes");
  command->group("");  // not listed by --help
  command->allow_extras();
  command->fallthrough(false);  // its options are nobody else's
  command->set_help_flag();
  command->callback(
      [line = "`" + name + "` is not in this build for GPU nodes" + why] { throw UsageError(line); });
}

}  // namespace

void AddRoomsCommand(CLI::App& app) {
  AddLeftOut(app, "rooms", ": make the rooms with a full build and bring them here packed");
}

void AddServeCommand(CLI::App& app) {
  AddLeftOut(app, "serve", ", which reads JPEG and PNG alone: use a full build, or `render`");
}

}  // namespace wildrayzer
