// Which scene comes when: shuffled passes through a static and a dynamic set, mixed by a ratio.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace wildrayzer {

// Draw n of an endless sequence.
struct Draw {
  bool dynamic = false;
  size_t scene = 0;   // index in its set
  uint64_t pass = 0;  // how many times the whole set was gone through before
};

// Every draw is a pure function of (sizes, ratio, seed, n), so a sequence continues anywhere and needs no
// state. Among the first n draws floor(n * ratio) are dynamic; every pass through a set takes each of its
// scenes once in a fresh order. Thread-safe.
class MixedOrder {
 public:
  // A set may be empty if its share is 0 (ratio 0 or 1); otherwise UsageError. The ratio is used to six
  // decimals.
  MixedOrder(size_t static_scenes, size_t dynamic_scenes, double dynamic_ratio, uint64_t seed);

  Draw At(uint64_t n) const;

 private:
  using Order = std::shared_ptr<const std::vector<uint32_t>>;
  Order PassOrder(bool dynamic, uint64_t pass) const;

  size_t sizes_[2];  // static, dynamic
  uint64_t millionths_;
  uint64_t seed_;
  mutable std::mutex mutex_;
  mutable std::map<uint64_t, Order> orders_[2];  // by pass; the latest few
};

}  // namespace wildrayzer
