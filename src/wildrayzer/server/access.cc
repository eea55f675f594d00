#include "wildrayzer/server/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

namespace wildrayzer {
namespace {

template <size_t kSize>
std::array<uint8_t, kSize> RandomBytes() {
  static_assert(kSize <= 256, "getrandom gives so much at once");
  std::array<uint8_t, kSize> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Error("the system gives no random numbers");
  return bytes;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool IsLoopback(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}

std::string OwnName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? Lower(name.data()) : std::string();
}

bool ChangesSomething(const std::string& method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

std::string_view BearerToken(const std::string& header) {
  constexpr std::string_view kScheme = "Bearer ";
  return header.starts_with(kScheme) ? std::string_view(header).substr(kScheme.size()) : std::string_view();
}

}  // namespace

std::string RandomToken() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token;
  for (const uint8_t byte : RandomBytes<32>()) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

std::string RandomId() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuv";  // 32 of them: no bias
  std::string id;
  for (const uint8_t byte : RandomBytes<12>()) id += kLetters[byte % kLetters.size()];
  return id;
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::string> HostWithoutPort(std::string_view authority) {
  std::string_view host = authority, rest;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (const size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    rest = authority.substr(colon);
  }
  if (!rest.empty() && (rest[0] != ':' || !IsPort(rest.substr(1)))) return std::nullopt;
  if (host.empty()) return std::nullopt;
  return Lower(host);
}

bool IsIpAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

AccessRules::AccessRules(std::string token, std::string bound_host)
    : token_(std::move(token)), bound_host_(Lower(bound_host)), own_name_(OwnName()) {}

bool AccessRules::MayBeCalled(const std::string& host) const {
  if (IsLoopback(host)) return true;
  if (IsLoopback(bound_host_)) return false;
  return host == bound_host_ || host == own_name_ || IsIpAddress(host);
}

void AccessRules::CheckHost(const HttpRequest& request) const {
  const std::optional<std::string> host = HostWithoutPort(request.Header("host"));
  if (request.headers.count("host") != 1 || !host || !MayBeCalled(*host))
    throw HttpError(403, "this server is not called by that name; open the address that it printed");
}

void AccessRules::Check(const HttpRequest& request) const {
  CheckHost(request);
  const bool bearer = IsToken(BearerToken(request.Header("authorization")));
  if (!bearer && !IsToken(CookieValue(request.Header("cookie"), cookie_)))
    throw HttpError(
        401,
        "open the address that `wildrayzer serve` printed, it brings the token; scripts send it as "
        "\"Authorization: Bearer TOKEN\"");
  const std::string site = request.Header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none")
    throw HttpError(403, "another site's page may not use this server");
  if (!ChangesSomething(request.method)) return;
  const std::string origin = request.Header("origin"), host = Lower(request.Header("host"));
  if (origin.empty() && bearer) return;
  if (origin != "http://" + host && origin != "https://" + host)
    throw HttpError(403, "the Origin of the request is not this server; open the address that it printed");
}

bool AccessRules::MayLogIn(std::string_view text) {
  if (IsToken(text)) return true;
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool is_key = !key_.empty() && SameSecret(text, key_);
  if (is_key) key_.clear();
  return is_key;
}

std::string AccessRules::OneTimeKey() {
  const std::lock_guard<std::mutex> lock(mutex_);
  key_ = RandomToken();
  return key_;
}

std::string AccessRules::CookieLine() const {
  return cookie_ + "=" + token_ + "; Path=/; HttpOnly; SameSite=Strict";
}

std::string CookieValue(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return std::string(pair.substr(name.size() + 1));
  }
  return "";
}

}  // namespace wildrayzer
