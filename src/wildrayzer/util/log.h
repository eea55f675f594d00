// Logging to stderr, and the list of warnings that goes into every metadata.json.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace wildrayzer {

// Sets up the process-wide logger (stderr, plain lines). verbosity: 0 = warnings, 1 = information, 2 =
// debugging.
void InitLogging(int verbosity);

// True when information, and so progress, is wanted.
bool IsVerbose();

void LogInfo(const std::string& message);
void LogDebug(const std::string& message);

// Prints the warning once per distinct text and remembers it for Warnings().
void LogWarning(const std::string& message);

// All distinct warnings of this process so far, in order of first appearance.
std::vector<std::string> Warnings();

template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) requires(sizeof...(Args) > 0) {
  LogInfo(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) requires(sizeof...(Args) > 0) {
  LogWarning(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace wildrayzer
