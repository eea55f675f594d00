// wildrayzer: clean novel views from a few photos of a place where things move.

#include <cstdio>
#include <new>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/rooms_command.h"
#include "wildrayzer/kernels/device_memory.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/version.h"

namespace {

// One line on stderr, whatever the message was made of (LibTorch appends stack traces to its own).
int Fail(const std::string& message, int exit_code) {
  std::fprintf(stderr, "wildrayzer: %s\n", message.substr(0, message.find('\n')).c_str());
  return exit_code;
}

int Run(int argc, char** argv) {
  CLI::App app{
      std::string(
          "Clean novel views, cameras and motion masks from two or more photos of a place where things "
          "move.") +
      wildrayzer::kBuildNote};
  app.set_version_flag("--version",
                       std::string("wildrayzer ") + wildrayzer::kVersion + wildrayzer::kBuildNote);
  app.require_subcommand(1);
  app.fallthrough();  // -q and -v may stand after the command, too
  app.footer(
      "Example:\n  wildrayzer render photos/ --model wildrayzer_2view.pt --dino dinov3-vit7b16/ --out "
      "result");
  int verbosity = 1;
  app.add_flag_callback(
      "-q,--quiet", [&] { verbosity = 0; }, "Only warnings and errors");
  app.add_flag_callback(
      "-v,--verbose", [&] { verbosity = 2; }, "Say more");
  app.parse_complete_callback([&] { wildrayzer::InitLogging(verbosity); });
  wildrayzer::AddRenderCommand(app);
  wildrayzer::AddServeCommand(app);
  wildrayzer::AddMasksCommand(app);
  wildrayzer::AddInspectCommand(app);
  wildrayzer::AddConvertCommand(app);
  wildrayzer::AddRoomsCommand(app);
  wildrayzer::AddEvalCommand(app);
  wildrayzer::AddTrainCommand(app);
  wildrayzer::AddLabelsCommand(app);
  wildrayzer::AddCheckCommand(app);
  wildrayzer::AddBenchCommand(app);
  wildrayzer::AddPackCommand(app);
  wildrayzer::AddWorldsCommand(app);
  wildrayzer::AddCompletionCommand(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Fail(std::string(error.what()) + " (see wildrayzer --help)", 2);
  }
}

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::RestartWithBetterBlasKernels(argv);
  wildrayzer::CatchInterrupts();
  try {
    return Run(argc, argv);
  } catch (const wildrayzer::Interrupted& error) {
    return Fail(error.what(), 130);
  } catch (const wildrayzer::UsageError& error) {
    return Fail(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return Fail("out of memory; use fewer or smaller photos, or --precision bf16", 1);
  } catch (const std::exception& error) {
    if (const auto full = wildrayzer::OutOfDeviceMemory(error)) return Fail(*full, 1);
    return Fail(error.what(), 1);
  }
}
