// What packages are made with, as a user's shell and `man` take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <regex>
#include <set>
#include <string>

namespace wildrayzer {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a command of the shell prints, both streams; empty `failed` where it ends with 0.
std::string Shell(const std::string& command, bool* failed = nullptr) {
  std::string printed;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  char buffer[4096];
  for (size_t size; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) printed.append(buffer, size);
  const bool ended_well = ::pclose(pipe) == 0;
  if (failed != nullptr) {
    *failed = !ended_well;
  } else {
    EXPECT_TRUE(ended_well) << command << ": " << printed;
  }
  return printed;
}

std::string Wildrayzer(const std::string& arguments) {
  return Shell(std::string(WILDRAYZER_PROGRAM) + " " + arguments);
}

// All matches of the pattern's first group.
std::set<std::string> Find(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern, std::regex::multiline);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.insert((*match)[1]);
  return found;
}

std::set<std::string> Commands() {
  std::string help = Wildrayzer("--help");
  help = help.substr(help.find("Subcommands:"));
  return Find(help.substr(0, help.find("\n\n")), "^  ([a-z]+)");
}

bool Has(const std::string& program) {
  bool missing = false;
  Shell("command -v " + program, &missing);
  return !missing;
}

// What bash offers where the last of these words is being typed.
std::string Completed(const std::string& words) {
  static const std::string script = [] {
    const std::string file = ::testing::TempDir() + "wildrayzer_completion.bash";
    Wildrayzer("completion bash >" + file);
    return file;
  }();
  return Shell("bash -c 'source " + script + "; COMP_WORDS=(" + words +
               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _wildrayzer; echo \"${COMPREPLY[*]}\"'");
}

TEST(Completion, BashKnowsCommandsOptionsAndValues) {
  EXPECT_EQ(Completed("wildrayzer ren"), "render\n");
  EXPECT_EQ(Completed("wildrayzer -q mas"), "masks\n");
  EXPECT_EQ(Completed("wildrayzer render --prec"), "--precision\n");
  EXPECT_EQ(Completed("wildrayzer render holiday --verb"), "--verbose\n");
  EXPECT_EQ(Completed("wildrayzer render --precision b"), "bf16\n");
  EXPECT_EQ(Completed("wildrayzer render --precision = f"), "fp32\n");
  EXPECT_EQ(Completed("wildrayzer render --frames 1"), "\n");
  EXPECT_EQ(Completed("wildrayzer inspect --prec"), "\n") << "an option of another command";
}

TEST(Completion, AndTheManualKnowAllThatHelpTells) {
  const std::string bash = Wildrayzer("completion bash"), zsh = Wildrayzer("completion zsh");
  std::string manual = Wildrayzer("manual");
  manual = std::regex_replace(manual, std::regex("\\\\-"), "-");
  const std::set<std::string> commands = Commands();
  EXPECT_GE(commands.size(), 12u);
  for (const std::string& command : commands) {
    const std::string help = Wildrayzer(command + " --help");
    EXPECT_THAT(manual, HasSubstr("\n.SS wildrayzer " + command + "\n"));
    const std::set<std::string> options = Find(help, "^  (?:-[a-z],)?(--[a-z0-9-]+)");
    EXPECT_TRUE(options.contains("--help")) << command;
    const size_t begin = manual.find("\n.SS wildrayzer " + command + "\n");
    const std::string section = manual.substr(begin, manual.find("\n.SS ", begin + 1) - begin);
    const std::string offered = *Find(bash, "^    " + command + "\\) words='([^']*)'").begin() + " ";
    for (const std::string& option : options) {
      EXPECT_THAT(section, HasSubstr("\\fB" + option + "\\fR")) << command;
      EXPECT_THAT(offered, HasSubstr(option + " ")) << command;
      EXPECT_THAT(zsh, HasSubstr(option + "[")) << command;
    }
  }
}

TEST(Completion, TheManualIsAPageWithoutMistakes) {
  if (!Has("groff")) GTEST_SKIP() << "groff is not installed (Debian's groff-base)";
  const std::string page = std::string(WILDRAYZER_PROGRAM) + " manual | groff -man -Tutf8 -K utf8 -ww -z";
  EXPECT_THAT(Shell(page), IsEmpty());
}

TEST(Completion, ZshReadsIts) {
  if (!Has("zsh")) GTEST_SKIP() << "zsh is not installed";
  // Completing needs a terminal; defining the functions finds what cannot be parsed.
  EXPECT_THAT(Shell("zsh -fc 'autoload -U compinit; compinit -D -u; source <(" +
                    std::string(WILDRAYZER_PROGRAM) + " completion zsh)'"),
              IsEmpty());
}

TEST(Completion, OtherShellsAreRefused) {
  bool failed = false;
  EXPECT_THAT(Shell(std::string(WILDRAYZER_PROGRAM) + " completion tcsh", &failed), HasSubstr("bash"));
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace wildrayzer
