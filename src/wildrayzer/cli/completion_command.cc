// wildrayzer completion, and wildrayzer manual, which packages are made with.

#include <cstdio>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/cli/command_reference.h"
#include "wildrayzer/version.h"

namespace wildrayzer {

void AddCompletionCommand(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      app.add_subcommand("completion", "Completion of commands, options and files for a shell");
  completion->add_option("shell", *shell, "The shell")->required()->check(CLI::IsMember({"bash", "zsh"}));
  completion->footer(
      "A Debian package puts it where shells look; else:\n"
      "Example:\n  wildrayzer completion bash > ~/.local/share/bash-completion/completions/wildrayzer\n"
      "  source <(wildrayzer completion zsh)        # in ~/.zshrc, after compinit");
  completion->callback([shell, &app] {
    const ProgramReference reference = DescribeProgram(app);
    std::fputs((*shell == "bash" ? BashCompletion(reference) : ZshCompletion(reference)).c_str(), stdout);
  });

  CLI::App* manual = app.add_subcommand("manual", "The manual page, in the macros of man(7)");
  manual->group("");  // not listed by --help: a package has it for `man wildrayzer`
  manual->callback([&app] { std::fputs(ManualPage(DescribeProgram(app), kVersion).c_str(), stdout); });
}

}  // namespace wildrayzer
