#include "wildrayzer/data/mixed_order.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "wildrayzer/data/shuffle.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr uint64_t kMillion = 1'000'000;

// floor(n * millionths / 10^6) without overflow.
uint64_t DynamicBefore(uint64_t n, uint64_t millionths) {
  return n / kMillion * millionths + n % kMillion * millionths / kMillion;
}

}  // namespace

MixedOrder::MixedOrder(size_t static_scenes, size_t dynamic_scenes, double dynamic_ratio, uint64_t seed)
    : sizes_{static_scenes, dynamic_scenes}, seed_(seed) {
  if (!(dynamic_ratio >= 0 && dynamic_ratio <= 1)) {
    throw UsageError(
        fmt::format("the share of dynamic scenes must lie within 0 to 1, not {}", dynamic_ratio));
  }
  millionths_ = static_cast<uint64_t>(std::llround(dynamic_ratio * kMillion));
  for (const bool dynamic : {false, true}) {
    const bool needed = dynamic ? millionths_ > 0 : millionths_ < kMillion;
    if (needed && sizes_[dynamic] == 0) {
      throw UsageError(fmt::format("there are no {} scenes, but the share of dynamic scenes is {}",
                                   dynamic ? "dynamic" : "static", dynamic_ratio));
    }
    if (sizes_[dynamic] > UINT32_MAX) throw UsageError("a set of more than 2^32 scenes");
  }
}

Draw MixedOrder::At(uint64_t n) const {
  const uint64_t dynamic_before = DynamicBefore(n, millionths_);
  Draw draw;
  draw.dynamic = DynamicBefore(n + 1, millionths_) > dynamic_before;
  const uint64_t turn = draw.dynamic ? dynamic_before : n - dynamic_before;
  const uint64_t size = sizes_[draw.dynamic];
  draw.pass = turn / size;
  draw.scene = (*PassOrder(draw.dynamic, draw.pass))[turn % size];
  return draw;
}

MixedOrder::Order MixedOrder::PassOrder(bool dynamic, uint64_t pass) const {
  constexpr size_t kKept = 4;  // threads work close to each other, so at most two passes are in use
  const std::lock_guard lock(mutex_);
  auto& known = orders_[dynamic];
  if (const auto found = known.find(pass); found != known.end()) return found->second;
  std::vector<uint32_t> order(sizes_[dynamic]);
  std::iota(order.begin(), order.end(), 0u);
  Random random(seed_, fmt::format("order/{}/{}", dynamic ? "dynamic" : "static", pass));
  Shuffle(order, random);
  if (known.size() >= kKept) known.erase(known.begin());
  return known.emplace(pass, std::make_shared<const std::vector<uint32_t>>(std::move(order))).first->second;
}

}  // namespace wildrayzer
