// wildrayzer(1).

#include <algorithm>
#include <cctype>

#include "wildrayzer/cli/command_reference.h"
#include "wildrayzer/pipeline/default_model.h"

namespace wildrayzer {
namespace {

// Text as man(7) takes it: no backslash, quote or dash of ours means anything to it.
std::string Escape(const std::string& text) {
  std::string escaped;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) escaped += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '`':
        escaped += "\\`";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Bold(const std::string& text) { return "\\fB" + Escape(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Escape(text) + "\\fR"; }

std::string Value(const OptionReference& option) {
  if (option.choices.empty()) return Italic(option.value);
  std::string text;
  for (const std::string& choice : option.choices) text += (text.empty() ? "" : "|") + Bold(choice);
  return text;
}

std::string Sentence(std::string text) {
  if (!text.empty() && std::string(".!?").find(text.back()) == std::string::npos) text += '.';
  return text;
}

std::string Entry(const OptionReference& option) {
  std::string text = ".TP\n";
  for (size_t i = 0; i < option.names.size(); ++i) text += (i > 0 ? ", " : "") + Bold(option.names[i]);
  if (!option.positional.empty()) text += Italic(option.positional);
  if (!option.value.empty() && option.positional.empty()) text += " " + Value(option);
  if (!option.positional.empty() && !option.value.empty()) text += " (" + Value(option) + ")";
  text += "\n" + Escape(Sentence(option.description));
  if (!option.range.empty()) text += " A number " + Escape(option.range) + ".";
  if (!option.fallback.empty() && !option.value.empty()) text += " Default: " + Bold(option.fallback) + ".";
  if (option.required && !option.names.empty()) text += " Required.";
  if (option.repeated && !option.names.empty()) text += " May be given several times.";
  return text + "\n";
}

std::string Synopsis(const CommandReference& command) {
  std::string text = Bold("wildrayzer " + command.name);
  if (!command.options.empty()) text += " [" + Italic("OPTIONS") + "]";
  for (const OptionReference& positional : command.positionals) {
    const std::string name = Italic(positional.positional) + (positional.repeated ? " ..." : "");
    text += positional.required ? " " + name : " [" + name + "]";
  }
  return text;
}

// "Example:" and what follows, line for line.
std::string Footer(const std::string& footer) {
  if (footer.empty()) return "";
  return ".PP\n.nf\n" + Escape(footer) + "\n.fi\n";
}

std::string Entries(const CommandReference& command) {
  std::string text;
  for (const OptionReference& positional : command.positionals) text += Entry(positional);
  for (const OptionReference& option : command.options) text += Entry(option);
  return text;
}

std::string Section(const CommandReference& command) {
  return ".SS " + Escape("wildrayzer " + command.name) + "\n" + Escape(Sentence(command.description)) +
         "\n.PP\n" + Synopsis(command) + "\n" + Entries(command) + Footer(command.footer);
}

constexpr char kSurroundings[] = R"(.SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
The data, a file or the machine is at fault; one line on standard error says what is.
.TP
.B 2
The command line or the configuration asks for something impossible.
.TP
.B 130
Interrupted; nothing was left half written.
.SH ENVIRONMENT
.TP
.B OMP_NUM_THREADS
Threads, where
.B \-\-threads
does not say.
.TP
.B OPENBLAS_CORETYPE
Kernels of OpenBLAS. The program chooses better ones itself where the library does not know the processor.
)";

}  // namespace

std::string ManualPage(const ProgramReference& reference, const std::string& version) {
  std::string page = ".\\\" Made by the program itself, of what --help says.\n";
  page += ".TH WILDRAYZER 1 \"\" \"wildrayzer " + Escape(version) + "\" \"User Commands\"\n";
  page += ".SH NAME\nwildrayzer \\- clean novel views from a few photos of a place where things move\n";
  page += ".SH SYNOPSIS\n.B wildrayzer\n.I COMMAND\n[\\fIOPTIONS\\fR]\n";
  page += ".SH DESCRIPTION\n" + Escape(Sentence(reference.program.description)) +
          " Without a model of yours, commands use the small one that comes along.\n.PP\n";
  for (const CommandReference& command : reference.commands)
    page += ".TP\n" + Bold(command.name) + "\n" + Escape(Sentence(command.description)) + "\n";
  page += ".SH OPTIONS\nThey may stand before or after the command.\n" + Entries(reference.program);
  page += Footer(reference.program.footer);
  page += ".SH COMMANDS\n";
  for (const CommandReference& command : reference.commands) page += Section(command);
  page += kSurroundings;
  page += ".SH FILES\n.TP\n.I " + Escape(std::string("../share/wildrayzer/") + kDefaultModelName) +
          "\nSeen from the program's folder: the model that comes along. " + Bold("README.md") +
          " beside it says what it can and cannot do.\n";
  return page;
}

}  // namespace wildrayzer
