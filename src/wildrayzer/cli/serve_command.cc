// wildrayzer serve: a page in the browser to drop photos on and fly through what they show.

#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/default_model_option.h"
#include "wildrayzer/server/serve.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): unistd.h has it only for GNU

namespace wildrayzer {
namespace {

struct ServeCommand {
  ModelOptions model;
  ServeOptions serve;
  std::string keep;
  bool no_browser = false;
};

void AddServeOptions(CLI::App& command, ServeCommand& options) {
  command.add_option("--port", options.serve.port, "Port to listen on (0: any that is free)")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      .add_option(
          "--host", options.serve.host,
          "Address to listen on; other machines reach any but 127.0.0.1, over a connection that anybody "
          "on the way can read")
      ->capture_default_str();
  command
      .add_option("--keep", options.keep, "Folder for the results; without it they go when the server ends")
      ->type_name("FOLDER");
  command.add_flag("--no-browser", options.no_browser, "Do not open the page");
  options.model.AddTo(command);
  command.footer(
      "Without --model the small model that comes with the program is used. Ctrl-C ends the server.\n"
      "Example:\n  wildrayzer serve\n"
      "  wildrayzer serve --model wildrayzer_2view.pt --dino dinov3-vit7b16/ --device cuda --keep results");
}

bool HasScreen() {
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return true;
  }
  return false;
}

// What xdg-open makes of it is its own business; its lines are not ours.
void OpenBrowser(const std::string& url) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int descriptor : {1, 2})
    posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", 1, 0);
  std::string program = "xdg-open", argument = url;
  char* const argv[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, "xdg-open", &actions, nullptr, argv, environ) == 0)
    std::thread([child] { ::waitpid(child, nullptr, 0); }).detach();
  posix_spawn_file_actions_destroy(&actions);
}

bool IsLoopbackHost(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}

void Announce(const ServeCommand& options, const ServeAddress& address) {
  std::printf("%s\n", address.url.c_str());
  std::fflush(stdout);
  LogInfo("open the address above; from another machine, after: ssh -L {}:127.0.0.1:{} USER@THIS_MACHINE",
          address.port, address.port);
  LogInfo("Ctrl-C ends the server{}",
          options.keep.empty() ? " and deletes its scenes (--keep FOLDER keeps the results)" : "");
  if (!options.no_browser && HasScreen()) OpenBrowser(address.once);
}

// The facts that do not change are gathered once: the hash reads all weights.
MetadataFunction Metadata(const ModelSource& model, const Reconstructor& reconstructor) {
  const auto known = std::make_shared<std::optional<nlohmann::ordered_json>>();
  return [known, model, &reconstructor] {
    if (!*known) *known = RunMetadata("serve", model, reconstructor, Progress(/*enabled=*/false));
    return **known;
  };
}

void RunServe(const ServeCommand& options) {
  if (!IsLoopbackHost(options.serve.host)) {
    LogWarning(
        "--host {}: other machines can reach this server; whoever can read the network in between sees the "
        "token "
        "and your photos. An SSH tunnel to 127.0.0.1 is safe",
        options.serve.host);
  }
  const ModelSource model = options.model.Resolve();
  Progress progress(IsVerbose());
  const Reconstructor reconstructor(model, ReportTo(progress));
  progress.Finish();
  ServeOptions serve = options.serve;
  serve.keep = options.keep;
  serve.model_name = model.weights.empty() ? "random weights" : model.weights.filename().string();
  Serve(reconstructor, serve, Metadata(model, reconstructor),
        [&](const ServeAddress& address) { Announce(options, address); });
}

}  // namespace

void AddServeCommand(CLI::App& app) {
  auto options = std::make_shared<ServeCommand>();
  CLI::App* command =
      app.add_subcommand("serve", "A page in the browser: drop photos, look around, download");
  AddServeOptions(*command, *options);
  command->callback([options] {
    UseDefaultModel(options->model);
    RunServe(*options);
  });
}

}  // namespace wildrayzer
