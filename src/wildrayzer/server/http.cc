#include "wildrayzer/server/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace wildrayzer {
namespace {

std::string FirstOf(const std::multimap<std::string, std::string>& values, const std::string& name) {
  const auto found = values.lower_bound(name);
  return found == values.end() || found->first != name ? std::string() : found->second;
}

// Digits alone; nothing for others and for numbers that do not fit.
std::optional<uint64_t> ToNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string HttpRequest::Header(const std::string& name) const { return FirstOf(headers, name); }
std::string HttpRequest::Query(const std::string& name) const { return FirstOf(query, name); }

HttpResponse ErrorResponse(int status, std::string_view line) {
  HttpResponse response;
  response.status = status;
  const nlohmann::json error = {{"error", std::string(line.substr(0, line.find('\n')))}};
  response.text = error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return response;
}

std::string ReadBody(HttpRequest& request, uint64_t most_bytes) {
  if (request.body_bytes > most_bytes)
    throw HttpError(
        413, fmt::format("the body has {} bytes; at most {} are taken", request.body_bytes, most_bytes));
  std::string text;
  request.read_body([&](std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return text;
}

RangeKind ParseRange(std::string_view header, uint64_t size, ByteRange& range) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return RangeKind::kWhole;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return RangeKind::kWhole;
  const std::string_view from = header.substr(0, dash), to = header.substr(dash + 1);
  const std::optional<uint64_t> first = ToNumber(from), last = ToNumber(to);
  if ((!from.empty() && !first) || (!to.empty() && !last) || (!first && !last)) return RangeKind::kWhole;
  if (!first) {  // the last so many
    if (*last == 0 || size == 0) return RangeKind::kUnsatisfiable;
    range.length = std::min(*last, size);
    range.first = size - range.length;
    return RangeKind::kPart;
  }
  if (last && *last < *first) return RangeKind::kWhole;
  if (*first >= size) return RangeKind::kUnsatisfiable;
  range.first = *first;
  range.length = std::min(last.value_or(size - 1), size - 1) - *first + 1;
  return RangeKind::kPart;
}

}  // namespace wildrayzer
