// A connection whose other side may be slow, silent, endless or gone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace wildrayzer {

struct SocketLimits {
  std::chrono::milliseconds idle{5000};   // between two requests
  std::chrono::milliseconds head{10000};  // for the request line and all headers together
  size_t head_bytes = 32 << 10;
  // A body, in or out, may take `grace` and the time that `slowest` bytes a second need.
  std::chrono::milliseconds grace{15000};
  uint64_t slowest = 1000;
};

// Reads and writes with deadlines. It does not own the descriptor.
class GuardedSocket {
 public:
  GuardedSocket(int descriptor, const SocketLimits& limits);

  // Waits for the first byte of a request; its head begins then. False: none came in time, the other side has
  // closed, or `give_up` (asked every now and then) says so.
  bool WaitForRequest(const std::function<bool()>& give_up);
  // The head is over, a body of any size follows, and a response.
  void BeginBody();

  // As recv: 0 when the other side has closed, -1 when a limit or the connection is broken; then nothing more
  // is read.
  int64_t Read(char* data, size_t size);
  // All of it, or -1.
  int64_t Write(const char* data, size_t size);

  // For how long there has been nothing of a request but, at most, a part of its head; 0 while one is worked
  // on. May be asked on any thread.
  std::chrono::milliseconds IdleFor() const;
  // Bytes of the body that were read.
  uint64_t body_bytes() const { return body_bytes_; }
  bool IsReadable() const;
  bool IsWritable() const;
  // Whether the other side has closed the connection or half of it.
  bool PeerIsGone() const;
  // Ends the response so that the other side can read it, even if it is still sending: waits shortly for it
  // to stop and throws away what it sends.
  void Linger();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kBusy = Clock::time_point::max();
  // Waits for `events`; false at the deadline or when the socket is broken.
  bool WaitFor(short events, Clock::time_point deadline) const;
  Clock::time_point DeadlineAfter(uint64_t bytes) const;
  int64_t Break();

  int descriptor_;
  SocketLimits limits_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what is in the buffer
  bool in_head_ = true;
  bool broken_ = false;
  std::atomic<Clock::time_point> idle_since_ = Clock::now();  // kBusy while a request is worked on
  Clock::time_point start_;                                   // of the head, then of the body
  uint64_t head_bytes_ = 0, body_bytes_ = 0, written_ = 0;
};

}  // namespace wildrayzer
