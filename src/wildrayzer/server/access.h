// Who may ask. The server listens on loopback, which every program and every web page on this machine can
// reach: a random token tells its user from them, and the names by which it is called tell it from other
// sites.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "wildrayzer/server/http.h"

namespace wildrayzer {

// From the system's generator: 256 bits in hexadecimal, and 12 characters of [a-z0-9].
std::string RandomToken();
std::string RandomId();

// Compares in a time that does not tell where two texts of one length differ.
bool SameSecret(std::string_view a, std::string_view b);

// The host of "host", "host:port", "[v6]:port" in lower case; nothing for what is none of them.
std::optional<std::string> HostWithoutPort(std::string_view authority);
bool IsIpAddress(const std::string& host);

class AccessRules {
 public:
  // bound_host: what --host says. Requests may call the server 127.0.0.1, localhost or ::1 with any port,
  // which is what tunnels lead to; bound to another address, also that, any other IP address (a page of
  // another site comes with that site's name) and this machine's name.
  AccessRules(std::string token, std::string bound_host);

  // Raises HttpError: 403 for a name that is not ours (DNS rebinding), for requests that another site's page
  // sends, and, of methods that change something, without our own Origin (a token in the Authorization
  // header, which no page of another site can send, will do); 401 without the token as cookie or "Bearer
  // TOKEN".
  void Check(const HttpRequest& request) const;
  // The first of these alone, for the address that brings the token.
  void CheckHost(const HttpRequest& request) const;

  // Whether the text is the token, or the key that OneTimeKey gave last and nobody has used since.
  bool MayLogIn(std::string_view text);
  // For the command line of a browser, which everybody on the machine can read: worth nothing once it was
  // used.
  std::string OneTimeKey();
  // Of this port, so that two servers on one machine do not overwrite each other's.
  void set_port(int port) { cookie_ = "wildrayzer_" + std::to_string(port); }
  // The value of Set-Cookie.
  std::string CookieLine() const;
  const std::string& token() const { return token_; }

 private:
  bool MayBeCalled(const std::string& host) const;
  bool IsToken(std::string_view text) const { return SameSecret(text, token_); }

  std::string token_;
  std::string bound_host_;
  std::string own_name_;
  std::string cookie_ = "wildrayzer";
  std::mutex mutex_;
  std::string key_;  // under the mutex; empty: there is none
};

// The value of a cookie in a Cookie header; empty when it is not there.
std::string CookieValue(std::string_view header, std::string_view name);

}  // namespace wildrayzer
