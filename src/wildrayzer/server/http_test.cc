#include "wildrayzer/server/http.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "wildrayzer/server/guarded_socket.h"

namespace wildrayzer {
namespace {

using std::chrono::milliseconds;

TEST(Http, RangesAreOfTheFile) {
  const auto range = [](const char* header, uint64_t size) {
    ByteRange part;
    const RangeKind kind = ParseRange(header, size, part);
    return kind == RangeKind::kWhole  ? std::string("whole")
           : kind == RangeKind::kPart ? std::to_string(part.first) + "+" + std::to_string(part.length)
                                      : std::string("none");
  };
  EXPECT_EQ(range("bytes=0-99", 1000), "0+100");
  EXPECT_EQ(range("bytes=900-", 1000), "900+100");
  EXPECT_EQ(range("bytes=-100", 1000), "900+100");
  EXPECT_EQ(range("bytes=-5000", 1000), "0+1000");
  EXPECT_EQ(range("bytes=999-5000", 1000), "999+1");
  EXPECT_EQ(range("bytes=0-18446744073709551615", 1000), "0+1000");
  EXPECT_EQ(range("bytes=1000-", 1000), "none");
  EXPECT_EQ(range("bytes=-0", 1000), "none");
  EXPECT_EQ(range("bytes=0-", 0), "none");
  for (const char* ignored : {"", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "bytes=a-b",
                              "bytes=-1-2", "bytes=99999999999999999999-", "lines=0-1", "bytes=0- 5"})
    EXPECT_EQ(range(ignored, 1000), "whole") << ignored;
}

TEST(Http, ErrorsAreOneLineOfJson) {
  const HttpResponse response = ErrorResponse(415, "\"a\": is no photo \xff\nsecond line");
  EXPECT_EQ(response.status, 415);
  EXPECT_EQ(nlohmann::json::parse(response.text)["error"].get<std::string>().substr(0, 18),
            "\"a\": is no photo \xef");
  EXPECT_EQ(response.text.find("second"), std::string::npos);
}

// The two ends of a connection.
struct Pair {
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0); }
  ~Pair() {
    for (const int end : ends) ::close(end);
  }
  void Say(const std::string& text) const {
    EXPECT_EQ(::send(ends[1], text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  std::array<int, 2> ends{};
};

SocketLimits Short() {
  SocketLimits limits;
  limits.idle = milliseconds(100);
  limits.head = milliseconds(200);
  limits.head_bytes = 100;
  limits.grace = milliseconds(200);
  limits.slowest = 10000;
  return limits;
}

bool Never() { return false; }

// Reads to the limit or the end; the number of bytes.
int64_t ReadAll(GuardedSocket& socket, int64_t& last) {
  std::array<char, 64> piece;
  int64_t sum = 0;
  while ((last = socket.Read(piece.data(), piece.size())) > 0) sum += last;
  return sum;
}

TEST(GuardedSocket, WaitsForARequestAndNoLonger) {
  Pair pair;
  GuardedSocket socket(pair.ends[0], Short());
  EXPECT_FALSE(socket.WaitForRequest(Never));
  EXPECT_GE(socket.IdleFor(), Short().idle);
  EXPECT_FALSE(socket.WaitForRequest([] { return true; }));
  pair.Say("x");
  EXPECT_TRUE(socket.WaitForRequest(Never));
}

TEST(GuardedSocket, AHeadIsBoundedInBytesAndTime) {
  {
    Pair pair;
    GuardedSocket socket(pair.ends[0], Short());
    pair.Say(std::string(1000, 'x'));
    ASSERT_TRUE(socket.WaitForRequest(Never));
    int64_t last = 0;
    EXPECT_LE(ReadAll(socket, last), 100);
    EXPECT_EQ(last, -1);
    EXPECT_FALSE(socket.WaitForRequest(Never));  // what is left is no request
  }
  // A byte now and then does not help: the time is for all of it.
  Pair pair;
  GuardedSocket socket(pair.ends[0], Short());
  pair.Say("x");
  ASSERT_TRUE(socket.WaitForRequest(Never));
  std::atomic<int> said = 0;
  std::atomic<bool> enough = false;
  constexpr int kMost = 90;
  std::thread slow([&] {
    for (; said < kMost && !enough; ++said) {
      std::this_thread::sleep_for(milliseconds(50));
      pair.Say("x");
    }
  });
  int64_t last = 0;
  ReadAll(socket, last);
  enough = true;
  slow.join();
  EXPECT_EQ(last, -1);
  EXPECT_LT(said, kMost);
}

TEST(GuardedSocket, ABodyMayBeLongButNotSlow) {
  Pair pair;
  SocketLimits limits = Short();
  limits.grace = milliseconds(1000);
  GuardedSocket socket(pair.ends[0], limits);
  pair.Say("head");
  ASSERT_TRUE(socket.WaitForRequest(Never));
  std::array<char, 4> head;
  EXPECT_EQ(socket.Read(head.data(), head.size()), 4);
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_GE(socket.IdleFor(), milliseconds(5));
  socket.BeginBody();
  EXPECT_EQ(socket.IdleFor(), milliseconds(0));
  std::thread sender([&] {  // for longer than the grace
    for (int i = 0; i < 15; ++i) {
      pair.Say(std::string(1000, 'x'));
      std::this_thread::sleep_for(milliseconds(100));
    }
  });
  int64_t last = 0;
  EXPECT_EQ(ReadAll(socket, last), 15000);  // then it was silent for too long
  EXPECT_EQ(last, -1);
  EXPECT_EQ(socket.body_bytes(), 15000u);
  sender.join();
}

TEST(GuardedSocket, WritesAllOrGivesUpOnWhoDoesNotRead) {
  const std::string much(8 << 20, 'x');
  Pair pair;
  SocketLimits patient = Short();
  patient.grace = milliseconds(20000);
  GuardedSocket socket(pair.ends[0], patient);
  std::thread reader([&] {
    std::string piece(1 << 16, ' ');
    for (size_t sum = 0; sum < much.size();) {
      const ssize_t got = ::recv(pair.ends[1], piece.data(), piece.size(), 0);
      if (got <= 0) return;
      sum += static_cast<size_t>(got);
    }
  });
  EXPECT_EQ(socket.Write(much.data(), much.size()), static_cast<int64_t>(much.size()));
  ::shutdown(pair.ends[0], SHUT_RDWR);
  reader.join();
  Pair silent;
  SocketLimits limits = Short();
  limits.slowest = 100 << 20;
  GuardedSocket blocked(silent.ends[0], limits);
  EXPECT_EQ(blocked.Write(much.data(), much.size()), -1);
  char byte = 0;
  EXPECT_EQ(blocked.Read(&byte, 1), -1);
}

TEST(GuardedSocket, KnowsThatTheOtherSideIsGone) {
  Pair pair;
  const GuardedSocket socket(pair.ends[0], Short());
  EXPECT_FALSE(socket.PeerIsGone());
  pair.Say("x");
  EXPECT_FALSE(socket.PeerIsGone());
  ::shutdown(pair.ends[1], SHUT_RDWR);
  EXPECT_TRUE(socket.PeerIsGone());
}

}  // namespace
}  // namespace wildrayzer
