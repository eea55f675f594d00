#include "wildrayzer/cli/command_reference.h"

#include <sstream>

namespace wildrayzer {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// CLI11 joins the kind of a value and what its checks say of themselves: "INT:INT in [1 - 8]",
// "TEXT:{auto,fp32}".
void SplitType(const std::string& type, OptionReference& option) {
  const size_t colon = type.find(':');
  option.value = type.substr(0, colon);
  if (colon == std::string::npos) return;
  const std::string check = type.substr(colon + 1);
  const size_t in = check.find("in [");
  if (check.starts_with("{") && check.ends_with("}")) {
    option.choices = Split(check.substr(1, check.size() - 2), ',');
  } else if (in != std::string::npos) {
    option.range = check.substr(in);
  } else if (check == "POSITIVE") {
    option.range = "at least 1";
  }
}

OptionReference DescribeOption(const CLI::Option& declared) {
  OptionReference option;
  for (const std::string& name : declared.get_snames()) option.names.push_back("-" + name);
  for (const std::string& name : declared.get_lnames()) option.names.push_back("--" + name);
  if (declared.get_positional()) option.positional = declared.get_name(/*positional=*/true);
  if (declared.get_items_expected_max() > 0) SplitType(declared.get_type_name(), option);
  option.description = declared.get_description();
  option.fallback = declared.get_default_str();
  option.required = declared.get_required();
  option.repeated = declared.get_expected_max() > 1;
  return option;
}

CommandReference DescribeCommand(const CLI::App& app) {
  CommandReference command{app.get_name(), app.get_description(), app.get_footer(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    OptionReference described = DescribeOption(*option);
    (described.positional.empty() ? command.options : command.positionals).push_back(std::move(described));
  }
  return command;
}

}  // namespace

ProgramReference DescribeProgram(const CLI::App& app) {
  ProgramReference reference;
  reference.program = DescribeCommand(app);
  reference.program.name.clear();
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const bool hidden = command->get_group().empty();
    if (!hidden) reference.commands.push_back(DescribeCommand(*command));
  }
  return reference;
}

}  // namespace wildrayzer
