// Completion for bash and zsh.

#include <fmt/format.h>

#include "wildrayzer/cli/command_reference.h"

namespace wildrayzer {
namespace {

std::string Join(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::vector<std::string> NamesOf(const CommandReference& command) {
  std::vector<std::string> names;
  for (const OptionReference& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// What may follow an option of this command: a line of a bash `case` over "COMMAND OPTION".
std::string BashValues(const CommandReference& command) {
  std::string text;
  for (const OptionReference& option : command.options) {
    if (option.value.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names)
      patterns.push_back(fmt::format("'{} {}'", command.name, name));
    std::string action = "compopt -o default";
    if (!option.choices.empty()) {
      action = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\"))", Join(option.choices, " "));
    } else if (option.is_number() || option.value == "KEY=VALUE") {
      action = ":";
    }
    text += fmt::format("    {}) {}; return ;;\n", Join(patterns, " | "), action);
  }
  return text;
}

// Text within single quotes of a shell.
std::string Quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + quoted + "'";
}

// `text` where zsh's _arguments gives a meaning to colons and brackets.
std::string ZshText(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string ZshValue(const OptionReference& option) {
  if (option.value.empty()) return "";
  const std::string message =
      ZshText(option.range.empty() ? option.value : option.value + " " + option.range);
  std::string action = "_files";
  if (!option.choices.empty()) {
    action = "(" + Join(option.choices, " ") + ")";
  } else if (option.is_number() || option.value == "KEY=VALUE") {
    action = "";
  }
  return ":" + message + ":" + action;
}

// The arguments of _arguments for a command's options.
std::string ZshOptions(const CommandReference& command) {
  std::string text;
  for (const OptionReference& option : command.options) {
    const std::string rest = "[" + ZshText(option.description) + "]" + ZshValue(option);
    for (const std::string& name : option.names) {
      std::string start = "*";
      if (!option.repeated) start = "(" + Join(option.names, " ") + ")";
      text += " \\\n        " + Quoted(start + name + rest);
    }
  }
  return text;
}

}  // namespace

std::string BashCompletion(const ProgramReference& reference) {
  std::vector<std::string> commands;
  std::string values, options;
  const std::string common = Join(NamesOf(reference.program), " ");
  for (const CommandReference& command : reference.commands) {
    commands.push_back(command.name);
    values += BashValues(command);
    options += fmt::format("    {}) words='{} {}' ;;\n", command.name, Join(NamesOf(command), " "), common);
  }
  return fmt::format(R"(# bash completion for wildrayzer, made by `wildrayzer completion bash`
_wildrayzer() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= words i
  COMPREPLY=()
  # --option=value is three words
  if [[ $word == = ]]; then
    word=
  elif [[ $before == = ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in
      {}) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case "$command $before" in
{}  esac
  case $command in
    '') words='{} {}' ;;
{}  esac
  if [[ $word == -* || -z $command ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    compopt -o default
  fi
}}
complete -F _wildrayzer wildrayzer
)",
                     Join(commands, " | "), values, Join(commands, " "), common, options);
}

std::string ZshCompletion(const ProgramReference& reference) {
  std::string commands, options;
  for (const CommandReference& command : reference.commands) {
    commands += "        " + Quoted(ZshText(command.name) + ":" + ZshText(command.description)) + "\n";
    std::string positionals;
    for (const OptionReference& positional : command.positionals) {
      positionals += " \\\n        " + Quoted(std::string(positional.repeated ? "*" : "") + ":" +
                                              ZshText(positional.positional) + ":_files");
    }
    options += fmt::format("    {}) _arguments -s{}{} ;;\n", command.name, ZshOptions(command), positionals);
  }
  return fmt::format(R"(#compdef wildrayzer
# zsh completion for wildrayzer, made by `wildrayzer completion zsh`
_wildrayzer() {{
  local context state state_descr line
  typeset -A opt_args
  _arguments -C -s{} \
        '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
{}      )
      _describe command commands
      return ;;
    argument) ;;
    *) return ;;
  esac
  case $line[1] in
{}  esac
}}
if [[ $funcstack[1] == _wildrayzer ]]; then
  _wildrayzer "$@"
else
  compdef _wildrayzer wildrayzer
fi
)",
                     ZshOptions(reference.program), commands, options);
}

}  // namespace wildrayzer
