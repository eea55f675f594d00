// What the commands and their options are, as the declarations behind --help tell it: for the manual page and
// for completion.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace wildrayzer {

struct OptionReference {
  std::vector<std::string> names;    // "-o", "--out"; none of a positional
  std::string positional;            // its name
  std::string value;                 // kind of the value: "FILE", "INT"; empty for a flag
  std::vector<std::string> choices;  // the only values, if there are such
  std::string range;                 // of numbers: "in [1 - 8]"; empty: any
  std::string description;
  std::string fallback;  // the default; empty: none is told
  bool required = false;
  bool repeated = false;

  bool is_number() const { return value == "INT" || value == "UINT" || value == "FLOAT"; }
};

struct CommandReference {
  std::string name;  // empty for the program itself
  std::string description;
  std::string footer;
  std::vector<OptionReference> options;
  std::vector<OptionReference> positionals;
};

struct ProgramReference {
  CommandReference program;
  std::vector<CommandReference> commands;  // those that --help lists
};

ProgramReference DescribeProgram(const CLI::App& app);

// The page wildrayzer(1), in the macros of man(7).
std::string ManualPage(const ProgramReference& reference, const std::string& version);

// Scripts that complete the program's commands, options and values; the user's shell sources them.
std::string BashCompletion(const ProgramReference& reference);
std::string ZshCompletion(const ProgramReference& reference);

}  // namespace wildrayzer
