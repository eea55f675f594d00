// Text out of untrusted files.
#pragma once

#include <string>
#include <string_view>

namespace wildrayzer {

// True for well-formed UTF-8 (no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

// The text cut to 200 bytes, with control characters replaced by '?', so that it cannot break or fake a line
// of output.
std::string Printable(std::string_view text);

}  // namespace wildrayzer
