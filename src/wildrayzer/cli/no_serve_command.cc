// In place of serve_command.cc in a build for GPU nodes: says what is missing instead of "unknown command".

#include "wildrayzer/cli/command.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

void AddServeCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Not in this build for GPU nodes");
  command->group("");  // not listed by --help
  command->allow_extras();
  command->fallthrough(false);  // its options are nobody else's
  command->set_help_flag();
  command->callback([] {
    throw UsageError(
        "`serve` is not in this build for GPU nodes, which reads JPEG and PNG alone: use a full build, or "
        "`render`");
  });
}

}  // namespace wildrayzer
