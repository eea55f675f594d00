#include "wildrayzer/util/duration.h"

#include <charconv>
#include <cmath>

namespace wildrayzer {

std::optional<double> ParseDuration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0) || !std::isfinite(number)) return std::nullopt;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty() || unit == "s") return number;
  if (unit == "min") return number * 60;
  if (unit == "h") return number * 3600;
  return std::nullopt;
}

}  // namespace wildrayzer
