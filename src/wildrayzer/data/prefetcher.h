// Items made by several threads ahead of time and handed out in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace wildrayzer {

// Makes items first, first + 1, ... end - 1 with `make(index)`, which is called from `threads` threads at
// once (0: in Next() itself). At most `capacity` items are finished or in the making beyond the one to be
// handed out next, so memory is bounded. The order and the content of the items do not depend on the number
// of threads.
template <typename T>
class Prefetcher {
 public:
  Prefetcher(std::function<T(uint64_t)> make, uint64_t first, uint64_t end, int threads, int capacity)
      : make_(std::move(make)),
        end_(end),
        capacity_(capacity < 1 ? 1 : capacity),
        to_start_(first),
        to_deliver_(first) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }

  // Waits for the items in the making, then drops everything.
  ~Prefetcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The next item, nothing after the last. What `make` raised for it is raised here; the call after that
  // gives the item that follows. To be called from one thread.
  std::optional<T> Next() {
    if (to_deliver_ >= end_) return std::nullopt;
    if (threads_.empty()) return make_(to_deliver_++);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_.contains(to_deliver_); });
    auto item = done_.extract(to_deliver_++);
    lock.unlock();
    changed_.notify_all();
    if (item.mapped().error) std::rethrow_exception(item.mapped().error);
    return std::move(item.mapped().value);
  }

 private:
  struct Outcome {
    std::optional<T> value;
    std::exception_ptr error;
  };

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] {
        return stopping_ || to_start_ >= end_ || to_start_ < to_deliver_ + static_cast<uint64_t>(capacity_);
      });
      if (stopping_ || to_start_ >= end_) return;
      const uint64_t index = to_start_++;
      lock.unlock();
      Outcome outcome;
      try {
        outcome.value = make_(index);
      } catch (...) {
        outcome.error = std::current_exception();
      }
      lock.lock();
      done_.emplace(index, std::move(outcome));
      changed_.notify_all();
    }
  }

  const std::function<T(uint64_t)> make_;
  const uint64_t end_;
  const int capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Outcome> done_;
  uint64_t to_start_;
  uint64_t to_deliver_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace wildrayzer
