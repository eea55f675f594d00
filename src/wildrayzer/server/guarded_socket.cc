#include "wildrayzer/server/guarded_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace wildrayzer {
namespace {

constexpr size_t kBufferBytes = 64 << 10;

int Milliseconds(std::chrono::steady_clock::duration duration) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<int64_t>(count, 0, 1'000'000));
}

}  // namespace

GuardedSocket::GuardedSocket(int descriptor, const SocketLimits& limits)
    : descriptor_(descriptor), limits_(limits), buffer_(kBufferBytes), start_(Clock::now()) {}

bool GuardedSocket::WaitForRequest(const std::function<bool()>& give_up) {
  if (broken_) return false;
  constexpr std::chrono::milliseconds kStep{50};
  idle_since_ = Clock::now();
  const Clock::time_point deadline = Clock::now() + limits_.idle;
  while (begin_ == end_) {
    if (give_up()) return false;
    const Clock::time_point step = std::min(deadline, Clock::now() + kStep);
    if (WaitFor(POLLIN, step)) break;
    if (Clock::now() >= deadline) return false;
  }
  in_head_ = true;
  head_bytes_ = body_bytes_ = written_ = 0;
  start_ = Clock::now();
  return true;
}

void GuardedSocket::BeginBody() {
  in_head_ = false;
  idle_since_ = kBusy;
  start_ = Clock::now();
}

std::chrono::milliseconds GuardedSocket::IdleFor() const {
  const Clock::time_point since = idle_since_;
  return since == kBusy ? std::chrono::milliseconds(0)
                        : std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
}

bool GuardedSocket::WaitFor(short events, Clock::time_point deadline) const {
  for (;;) {
    const Clock::time_point now = Clock::now();
    pollfd wanted{descriptor_, events, 0};
    const int ready = ::poll(&wanted, 1, now < deadline ? Milliseconds(deadline - now) : 0);
    if (ready > 0) return true;  // an error shows when it is read or written
    if (ready == 0 && Clock::now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

GuardedSocket::Clock::time_point GuardedSocket::DeadlineAfter(uint64_t bytes) const {
  return start_ + limits_.grace + std::chrono::milliseconds(bytes * 1000 / limits_.slowest);
}

int64_t GuardedSocket::Break() {
  broken_ = true;
  begin_ = end_;
  return -1;
}

int64_t GuardedSocket::Read(char* data, size_t size) {
  if (broken_) return -1;
  if (size == 0) return 0;
  if (begin_ == end_) {
    if (!WaitFor(POLLIN, in_head_ ? start_ + limits_.head : DeadlineAfter(body_bytes_))) return Break();
    const ssize_t got = ::recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return got == 0 ? 0 : Break();
    begin_ = 0;
    end_ = static_cast<size_t>(got);
  }
  const size_t count = std::min(size, end_ - begin_);
  if (in_head_ && (head_bytes_ += count) > limits_.head_bytes) return Break();
  if (!in_head_) body_bytes_ += count;
  std::memcpy(data, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<int64_t>(count);
}

int64_t GuardedSocket::Write(const char* data, size_t size) {
  if (written_ == 0) start_ = Clock::now();  // what was computed meanwhile is not the other side's fault
  for (size_t done = 0; done < size;) {
    if (broken_ || !WaitFor(POLLOUT, DeadlineAfter(written_))) return Break();
    const ssize_t sent = ::send(descriptor_, data + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Break();
    done += static_cast<size_t>(std::max<ssize_t>(sent, 0));
    written_ += static_cast<uint64_t>(std::max<ssize_t>(sent, 0));
  }
  return static_cast<int64_t>(size);
}

bool GuardedSocket::IsReadable() const { return begin_ != end_ || WaitFor(POLLIN, Clock::now()); }
bool GuardedSocket::IsWritable() const { return !broken_ && WaitFor(POLLOUT, DeadlineAfter(written_)); }

bool GuardedSocket::PeerIsGone() const {
  pollfd wanted{descriptor_, POLLRDHUP, 0};
  return ::poll(&wanted, 1, 0) > 0 && (wanted.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void GuardedSocket::Linger() {
  constexpr std::chrono::milliseconds kMost{2000};
  constexpr uint64_t kMostBytes = 64 << 20;
  idle_since_ = Clock::now();
  ::shutdown(descriptor_, SHUT_WR);
  const Clock::time_point deadline = Clock::now() + kMost;
  for (uint64_t thrown_away = 0; thrown_away < kMostBytes && WaitFor(POLLIN, deadline);) {
    const ssize_t got = ::recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    thrown_away += static_cast<uint64_t>(got);
  }
}

}  // namespace wildrayzer
