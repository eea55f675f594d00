// `wildrayzer serve` against those who mean it no good, and those who are only clumsy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "serve_program.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::string Head(const ServeProgram& server, const std::string& line, const std::string& headers = "") {
  return line + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + server.token() + "\r\n" + headers +
         "\r\n";
}

// "HTTP/1.1 404 Not Found..." gives 404; 0 for no answer.
int StatusOf(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}

bool Answers(const ServeProgram& server) { return server.State().contains("queue"); }

TEST(ServeAccess, NobodyGetsInWithoutTheToken) {
  ServeProgram server("access");
  const auto status = [&](const std::string& line, const std::string& headers) {
    return StatusOf(server.Say(line + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n"));
  };
  const std::string host = "Host: 127.0.0.1\r\n";
  for (const char* line :
       {"GET /", "GET /page/three.module.js", "GET /api/state", "POST /api/scenes", "GET /nothing"})
    EXPECT_EQ(status(line, host), 401) << line;
  EXPECT_EQ(status("GET /?token=" + std::string(64, 'a'), host), 401);
  EXPECT_EQ(status("GET /?token=", host), 401);
  // With the token, a cookie that then serves for all.
  const std::string login =
      server.Say("GET /?token=" + server.token() + " HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
  EXPECT_EQ(StatusOf(login), 303);
  const std::string cookie = "wildrayzer_" + std::to_string(server.port()) + "=" + server.token();
  EXPECT_THAT(login, HasSubstr("Set-Cookie: " + cookie + "; Path=/; HttpOnly; SameSite=Strict"));
  EXPECT_THAT(login, HasSubstr("Location: /\r\n"));
  EXPECT_EQ(status("GET /", host + "Cookie: " + cookie + "\r\n"), 200);
  // Other names (DNS rebinding) and other sites.
  EXPECT_EQ(status("GET /?token=" + server.token(), "Host: evil.example\r\n"), 403);
  EXPECT_EQ(status("GET /api/state", "Host: evil.example:8484\r\nCookie: " + cookie + "\r\n"), 403);
  EXPECT_EQ(status("GET /api/state", "Cookie: " + cookie + "\r\n"), 403);
  EXPECT_EQ(status("POST /api/scenes",
                   host + "Cookie: " + cookie + "\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n"),
            403);
  EXPECT_EQ(status("POST /api/scenes", host + "Cookie: " + cookie + "\r\nContent-Length: 0\r\n"), 403);
  EXPECT_EQ(status("POST /api/scenes",
                   host + "Cookie: " + cookie + "\r\nOrigin: http://127.0.0.1\r\nContent-Length: 0\r\n"),
            201);
  EXPECT_EQ(status("GET /api/state", host + "Cookie: " + cookie + "\r\nSec-Fetch-Site: cross-site\r\n"), 403);
}

TEST(ServeAccess, EveryAnswerForbidsWhatAPageDoesNotNeed) {
  ServeProgram server("headers");
  for (const char* line : {"GET /", "GET /page/index.html", "GET /api/state", "GET /nothing", "OPTIONS /"}) {
    const std::string answer = server.Say(Head(server, line, "Connection: close\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'self'")) << line;
    EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff")) << line;
    EXPECT_THAT(answer, HasSubstr("Referrer-Policy: no-referrer")) << line;
    EXPECT_THAT(answer, Not(HasSubstr("Access-Control-Allow"))) << line;
  }
  EXPECT_THAT(server.Say(Head(server, "GET /api/state", "Connection: close\r\n")),
              HasSubstr("Cache-Control: no-store"));
  // The page is asked for again and comes but once.
  const std::string page = server.Say(
      Head(server, "GET /page/three.module.js", "Accept-Encoding: gzip, br\r\nConnection: close\r\n"));
  EXPECT_THAT(page, Not(HasSubstr("Content-Encoding")));
  const size_t tag = page.find("ETag: ");
  ASSERT_NE(tag, std::string::npos);
  const std::string value = page.substr(tag + 6, page.find('\r', tag) - tag - 6);
  EXPECT_EQ(StatusOf(server.Say(Head(server, "GET /page/three.module.js",
                                     "If-None-Match: " + value + "\r\nConnection: close\r\n"))),
            304);
}

TEST(ServeHostile, NoPathLeadsToTheFileSystem) {
  ServeProgram server("paths");
  const std::string id = server.NewScene(2);
  server.WaitUntilReady(id);
  for (const std::string evil : {"..",
                                 "../..",
                                 "%2e%2e",
                                 "..%2f..%2f..%2fetc%2fpasswd",
                                 "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                                 "....//....//etc/passwd",
                                 "%00",
                                 "0%00",
                                 "0/..",
                                 "..\\..",
                                 "%5c..",
                                 "given0",
                                 "-1",
                                 "0x0",
                                 "0.0",
                                 "00000000000000000000",
                                 "99999999999999999999",
                                 "%C0%AE%C0%AE",
                                 "\xff",
                                 "~root",
                                 "//",
                                 "%0a",
                                 "%0d%0aX:1"}) {
    for (const std::string& place :
         {"/" + evil, "/page/" + evil, "/api/" + evil, "/api/scenes/" + evil,
          "/api/scenes/" + id + "/" + evil, "/api/scenes/" + evil + "/photos/0",
          "/api/scenes/" + id + "/photos/" + evil, "/api/scenes/" + id + "/masks/" + evil,
          "/api/scenes/" + id + "/clean/" + evil, "/api/scenes/" + id + "/paths/" + evil,
          "/api/scenes/" + id + "/photos/0/" + evil}) {
      for (const char* method : {"GET ", "DELETE "}) {
        const std::string answer = server.Say(Head(server, method + place, "Connection: close\r\n"));
        const int status = StatusOf(answer);
        EXPECT_TRUE(status == 400 || status == 404 || (place == "///" && status == 404))
            << method << place << " " << status;
        EXPECT_THAT(answer, Not(HasSubstr("root:")));
        EXPECT_THAT(answer, Not(HasSubstr("\r\nX:1")));
      }
    }
  }
  for (const char* size : {"../../etc/passwd", "-1", "1e3", "99999999999", "full/.."})
    EXPECT_EQ(StatusOf(server.Say(
                  Head(server, "GET /api/scenes/" + id + "/photos/0?size=" + size, "Connection: close\r\n"))),
              400);
  EXPECT_EQ(server.Scene(id)["state"], "ready");
}

TEST(ServeHostile, NamesAreTextAndNoMore) {
  ServeProgram server("names");
  const std::string id = server.EmptyScene();
  const std::string bytes = PictureBytes(40, 30, 1);
  for (const std::string& name :
       {std::string("../../../tmp/evil.png"), std::string("<img src=x onerror=alert(1)>.png"),
        std::string(7000, 'x'), std::string("a\0b.png", 7), std::string("\xff\xfe.png"),
        std::string("\"},{\"a.png"), std::string("C:\\evil.png"), std::string("\r\nX: 1.png")}) {
    const httplib::Result sent = server.Send(id, name, bytes);
    ASSERT_TRUE(sent) << name;
    ASSERT_EQ(sent->status, 201) << sent->body;
    const std::string shown = json::parse(sent->body)["name"];
    EXPECT_LE(shown.size(), 100u);
    EXPECT_EQ(shown.find_first_of("/\\\r\n"), std::string::npos);
  }
  // 10 kB do not fit an address.
  EXPECT_EQ(server.Send(id, std::string(10000, 'x'), bytes)->status, 414);
  server.Client().Post("/api/scenes/" + id + "/start", "{}", "application/json");
  ASSERT_EQ(server.WaitUntilReady(id)["state"], "ready");
  const httplib::Result zip = server.Client().Get("/api/scenes/" + id + "/result.zip");
  ASSERT_EQ(zip->status, 200);
  EXPECT_EQ(zip->body.find("clean/.."), std::string::npos);
  EXPECT_FALSE(fs::exists("/tmp/evil.png"));
  for (const std::string& file : server.Files()) EXPECT_EQ(file.find("evil"), std::string::npos) << file;
}

TEST(ServeHostile, BodiesAreWhatTheirLengthSays) {
  ServeProgram server("bodies");
  const std::string id = server.EmptyScene();
  const std::string files = "POST /api/scenes/" + id + "/files?name=a.png";
  const std::string png = PictureBytes(40, 30, 1);
  const auto status = [&](const std::string& headers, const std::string& body) {
    return StatusOf(server.Say(Head(server, files, headers + "Connection: close\r\n") + body));
  };
  EXPECT_EQ(status("Content-Length: " + std::to_string(png.size()) + "\r\n", png), 201);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), 411);
  EXPECT_EQ(status("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), 411);
  EXPECT_EQ(status("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 411);
  EXPECT_EQ(status("Content-Length: 20\r\nContent-Encoding: gzip\r\n", std::string(20, 'x')), 411);
  EXPECT_EQ(status("", ""), 400);
  EXPECT_EQ(status("Content-Length: -5\r\n", "hello"), 411);
  EXPECT_EQ(status("Content-Length: 99999999999999999999999\r\n", "hello"), 411);
  EXPECT_EQ(status("Content-Length: 999999999999\r\n", "hello"), 413);
  EXPECT_EQ(status("Content-Length: 1\r\nExpect: 100-continue\r\n", "x") / 100 * 100, 100);
  // What is behind a refused body is no request.
  const std::string smuggled = Head(server, "DELETE /api/scenes/" + id);
  for (const char* length : {"Content-Length: 999999999999\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const std::string answers = server.Say(Head(server, files, length) + smuggled, 2);
    EXPECT_GE(StatusOf(answers), 411);
    EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos) << answers;
  }
  EXPECT_EQ(server.Scene(id)["photos"].size(), 1u);
  // JSON of any kind.
  const auto view = [&](const std::string& body) {
    return server.Client().Post("/api/scenes/" + id + "/start", body, "application/json")->status;
  };
  for (const std::string& body :
       {std::string("["), std::string("[]"), std::string("\"x\""), std::string(100000, '['),
        std::string("{\"inputs\": \"many\"}"), std::string("{\"inputs\": 1e300}"), std::string("\xff")})
    EXPECT_EQ(view(body), 400) << body.substr(0, 20);
  EXPECT_EQ(view(std::string(3 << 20, ' ')), 413);
  EXPECT_TRUE(Answers(server));
}

TEST(ServeHostile, GarbageIsNotUnderstood) {
  ServeProgram server("garbage");
  for (const std::string& garbage :
       {std::string("\r\n\r\n"), std::string(100, '\0'), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("BREW / HTTP/1.1\r\n\r\n"),
        "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n",
        Head(server, "GET /", "X: " + std::string(9000, 'x') + "\r\n"), std::string(1 << 20, 'x'),
        Head(server, "GET /", "Range: bytes=0-99999999999999999999999\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00")}) {
    const int status = StatusOf(server.Say(garbage, 0.5));
    EXPECT_TRUE(status == 0 || status >= 400) << status;
  }
  std::string many = "Range: bytes=0-1";
  for (int i = 0; i < 1000; ++i) many += ",0-1";
  EXPECT_EQ(StatusOf(server.Say(Head(server, "GET /page/index.html", many + "\r\nConnection: close\r\n"))),
            200);
  std::string headers;
  for (int i = 0; i < 5000; ++i) headers += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_NE(StatusOf(server.Say(Head(server, "GET /api/state", headers), 2)), 200);
  EXPECT_TRUE(Answers(server));
}

TEST(ServeHostile, AClientThatGoesAwayLeavesNothing) {
  ServeProgram server("gone");
  const std::string id = server.EmptyScene();
  for (int i = 0; i < 20; ++i) {  // more than may upload at a time
    const int descriptor = server.Connect();
    const std::string text =
        Head(server, "POST /api/scenes/" + id + "/files?name=a.png", "Content-Length: 1000000\r\n") +
        std::string(10000, 'x');
    ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    ::close(descriptor);
  }
  for (int i = 0; i < 200 && server.CountFiles("given") > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(server.CountFiles("given"), 0u);
  EXPECT_EQ(server.Send(id, "a.png", PictureBytes(40, 30, 1))->status, 201);

  const std::string ready = server.NewScene(2);
  server.WaitUntilReady(ready);
  for (int i = 0; i < 50; ++i) {
    const int descriptor = server.Connect();
    const std::string body = ViewRequest(false);
    const std::string text = Head(server, "POST /api/scenes/" + ready + "/view",
                                  "Content-Length: " + std::to_string(body.size()) + "\r\n") +
                             body;
    ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    ::close(descriptor);
  }
  EXPECT_EQ(server.Client().Post("/api/scenes/" + ready + "/view", ViewRequest(), "application/json")->status,
            200);
}

TEST(ServeHostile, ASceneMayBeDeletedWhileItIsWorkedOn) {
  ServeProgram server("deleted");
  for (int i = 0; i < 6; ++i) {
    const std::string id = server.NewScene(6, 600, 400);
    std::this_thread::sleep_for(std::chrono::milliseconds(15 * i));
    std::thread zip([&] { server.Client().Get("/api/scenes/" + id + "/result.zip"); });
    EXPECT_EQ(server.Client().Delete("/api/scenes/" + id)->status, 204);
    EXPECT_EQ(server.Client().Get("/api/scenes/" + id)->status, 404);
    zip.join();
  }
  const std::string id = server.NewScene(2);
  EXPECT_EQ(server.WaitUntilReady(id)["state"], "ready");
  for (int i = 0; i < 100 && server.CountFiles("given") > 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(server.CountFiles("given"), 2u);
  EXPECT_EQ(server.State()["scenes"].size(), 1u);
}

// One that says a byte now and then, for as long as it is let.
void Dawdle(const ServeProgram& server, const std::atomic<bool>& enough) {
  const std::string text = Head(server, "POST /api/scenes", "Content-Length: 1000\r\n");
  while (!enough) {
    const int descriptor = server.Connect();
    for (size_t i = 0; i < text.size() && !enough; ++i) {
      if (::send(descriptor, &text[i], 1, MSG_NOSIGNAL) != 1) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ::close(descriptor);
  }
}

// One that goes away in the middle of things.
void Break(const ServeProgram& server, const std::string& id, const std::atomic<bool>& enough) {
  for (int i = 0; !enough; ++i) {
    const int descriptor = server.Connect();
    const std::string text = i % 2 == 0 ? std::string("\x01\x02 nonsense\r\n\r\n")
                                        : Head(server, "GET /api/scenes/" + id + "/photos/0?size=full");
    ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
    ::close(descriptor);
  }
}

TEST(ServeHostile, TwentyClientsAtOnceSlowAndBrokenOnesAmongThem) {
  ServeProgram server("crowd");
  const std::string id = server.NewScene(3);
  server.WaitUntilReady(id);
  std::atomic<bool> enough = false;
  std::atomic<int> right = 0, wrong = 0;
  std::vector<std::thread> others, good;
  for (int i = 0; i < 5; ++i) others.emplace_back([&] { Dawdle(server, enough); });
  for (int i = 0; i < 5; ++i) others.emplace_back([&] { Break(server, id, enough); });
  for (int i = 0; i < 10; ++i) {
    good.emplace_back([&, i] {
      httplib::Client client = server.Client();
      client.set_keep_alive(i % 2 == 0);
      for (int k = 0; k < 10; ++k) {
        const httplib::Result view =
            client.Post("/api/scenes/" + id + "/view", ViewRequest(k % 5 != 0), "application/json");
        const httplib::Result photo =
            client.Get("/api/scenes/" + id + "/photos/0?size=" + std::to_string(20 + k));
        const httplib::Result state = client.Get("/api/state");
        for (const httplib::Result* result : {&view, &photo, &state}) {
          const bool fine = *result && (*result)->status == 200;
          fine ? ++right : ++wrong;
          if (!fine) ADD_FAILURE() << (*result ? (*result)->body : httplib::to_string(result->error()));
        }
      }
    });
  }
  for (std::thread& thread : good) thread.join();
  enough = true;
  for (std::thread& thread : others) thread.join();
  EXPECT_EQ(right, 300);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(server.State()["queue"]["length"], 0);
}

// More silent connections than there may be do not keep anybody out.
TEST(ServeHostile, SilentConnectionsMakeRoom) {
  ServeProgram server("silent");
  std::vector<int> silent;
  for (int i = 0; i < 300; ++i) silent.push_back(server.Connect());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Answers(server));
  for (const int descriptor : silent) ::close(descriptor);
}

}  // namespace
}  // namespace wildrayzer
