// Lengths of time as people write them.
#pragma once

#include <optional>
#include <string_view>

namespace wildrayzer {

// Seconds of "540", "90s", "9min", "3h", "1.5 h": a number, and s (the default), min or h. Nothing for
// other texts, negative numbers and such that are not finite.
std::optional<double> ParseDuration(std::string_view text);

}  // namespace wildrayzer
