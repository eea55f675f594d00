#include "wildrayzer/server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace wildrayzer {
namespace {

using ::testing::MatchesRegex;

const std::string kToken(64, 'a');

HttpRequest Request(const std::string& method, std::multimap<std::string, std::string> headers) {
  HttpRequest request;
  request.method = method;
  request.path = "/api/state";
  request.headers = std::move(headers);
  return request;
}

// 0: let in.
int StatusOf(const AccessRules& rules, const HttpRequest& request) {
  try {
    rules.Check(request);
    return 0;
  } catch (const HttpError& error) {
    return error.status();
  }
}

TEST(Access, TokensAndIdsAreRandom) {
  EXPECT_THAT(RandomToken(), MatchesRegex("[0-9a-f]{64}"));
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    EXPECT_THAT(id, MatchesRegex("[a-z0-9]{12}"));
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_NE(RandomToken(), RandomToken());
}

TEST(Access, SecretsAreTheSameOrNot) {
  EXPECT_TRUE(SameSecret("abc", "abc"));
  EXPECT_FALSE(SameSecret("abc", "abd"));
  EXPECT_FALSE(SameSecret("abc", "ab"));
  EXPECT_FALSE(SameSecret("abc", ""));
}

TEST(Access, HostsAreReadWithoutTheirPort) {
  EXPECT_EQ(HostWithoutPort("LocalHost:8484"), "localhost");
  EXPECT_EQ(HostWithoutPort("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(HostWithoutPort("[::1]:80"), "::1");
  EXPECT_EQ(HostWithoutPort("[::1]"), "::1");
  for (const char* wrong :
       {"", ":80", "a:b", "a:", "a:80:80", "::1", "[::1", "[::1]x", "[a]", "a:123456", "a:8 "})
    EXPECT_EQ(HostWithoutPort(wrong), std::nullopt) << wrong;
}

TEST(Access, OnlyLoopbackNamesAreAnsweredTo) {
  AccessRules rules(kToken, "127.0.0.1");
  const auto status = [&](const std::string& host) {
    return StatusOf(rules, Request("GET", {{"host", host}, {"authorization", "Bearer " + kToken}}));
  };
  for (const char* host : {"127.0.0.1:8484", "localhost", "LOCALHOST:1", "[::1]:8484"})
    EXPECT_EQ(status(host), 0);
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8484",
                           "192.168.0.2", "localhost.", "0.0.0.0", "", "localhost@evil.example"})
    EXPECT_EQ(status(host), 403) << host;
  EXPECT_EQ(StatusOf(rules, Request("GET", {{"authorization", "Bearer " + kToken}})), 403);
  EXPECT_EQ(StatusOf(rules, Request("GET", {{"host", "localhost"},
                                            {"host", "evil.example"},
                                            {"authorization", "Bearer " + kToken}})),
            403);
}

TEST(Access, BoundToAnAddressItIsCalledByAddressesButNotByOtherNames) {
  AccessRules rules(kToken, "0.0.0.0");
  const auto status = [&](const std::string& host) {
    return StatusOf(rules, Request("GET", {{"host", host}, {"authorization", "Bearer " + kToken}}));
  };
  EXPECT_EQ(status("192.168.0.2:8484"), 0);
  EXPECT_EQ(status("[fe80::1]:8484"), 0);
  EXPECT_EQ(status("evil.example"), 403);
  AccessRules named(kToken, "studio.example");
  EXPECT_EQ(StatusOf(named, Request("GET", {{"host", "Studio.example:8484"},
                                            {"authorization", "Bearer " + kToken}})),
            0);
}

TEST(Access, TheTokenComesAsCookieOrBearer) {
  AccessRules rules(kToken, "127.0.0.1");
  rules.set_port(8484);
  const auto status = [&](const std::string& name, const std::string& value) {
    return StatusOf(rules, Request("GET", {{"host", "localhost"}, {name, value}}));
  };
  EXPECT_EQ(status("cookie", "a=b; wildrayzer_8484=" + kToken + "; c=d"), 0);
  EXPECT_EQ(status("authorization", "Bearer " + kToken), 0);
  EXPECT_EQ(status("cookie", "wildrayzer_8485=" + kToken), 401);
  EXPECT_EQ(status("cookie", "xwildrayzer_8484=" + kToken), 401);
  EXPECT_EQ(status("cookie", "wildrayzer_8484=" + kToken + "a"), 401);
  EXPECT_EQ(status("cookie", "wildrayzer_8484="), 401);
  EXPECT_EQ(status("authorization", kToken), 401);
  EXPECT_EQ(status("authorization", "Bearer "), 401);
  EXPECT_EQ(status("x", ""), 401);
  EXPECT_EQ(rules.CookieLine(), "wildrayzer_8484=" + kToken + "; Path=/; HttpOnly; SameSite=Strict");
}

TEST(Access, AKeyOpensOnce) {
  AccessRules rules(kToken, "127.0.0.1");
  EXPECT_FALSE(rules.MayLogIn(""));
  EXPECT_TRUE(rules.MayLogIn(kToken));
  const std::string key = rules.OneTimeKey();
  EXPECT_FALSE(rules.MayLogIn(key + "a"));
  EXPECT_TRUE(rules.MayLogIn(key));
  EXPECT_FALSE(rules.MayLogIn(key));
  EXPECT_FALSE(rules.MayLogIn(""));
  EXPECT_TRUE(rules.MayLogIn(kToken));
  EXPECT_EQ(StatusOf(rules, Request("GET", {{"host", "localhost"},
                                            {"authorization", "Bearer " + rules.OneTimeKey()}})),
            401);
}

TEST(Access, ChangesNeedOurOwnOrigin) {
  AccessRules rules(kToken, "127.0.0.1");
  rules.set_port(8484);
  const std::pair<std::string, std::string> host{"host", "localhost:9000"};
  const std::pair<std::string, std::string> cookie{"cookie", "wildrayzer_8484=" + kToken};
  const std::pair<std::string, std::string> bearer{"authorization", "Bearer " + kToken};
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    const auto origin = [&](const char* value) {
      return StatusOf(rules, Request(method, {host, cookie, {"origin", value}}));
    };
    EXPECT_EQ(origin("http://localhost:9000"), 0);
    EXPECT_EQ(origin("http://localhost:9001"), 403);
    EXPECT_EQ(origin("http://evil.example"), 403);
    EXPECT_EQ(origin("null"), 403);
    EXPECT_EQ(StatusOf(rules, Request(method, {host, cookie})), 403);
    EXPECT_EQ(StatusOf(rules, Request(method, {host, bearer})), 0);
    EXPECT_EQ(StatusOf(rules, Request(method, {host, bearer, {"origin", "http://evil.example"}})), 403);
  }
  EXPECT_EQ(StatusOf(rules, Request("GET", {host, cookie})), 0);
  EXPECT_EQ(StatusOf(rules, Request("GET", {host, cookie, {"sec-fetch-site", "same-site"}})), 403);
  EXPECT_EQ(StatusOf(rules, Request("GET", {host, cookie, {"sec-fetch-site", "same-origin"}})), 0);
}

}  // namespace
}  // namespace wildrayzer
