#include "wildrayzer/data/view_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>

#include "wildrayzer/data/mixed_order.h"
#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;

ViewSampling Sampling(SpanLimits span, int inputs, int targets) {
  ViewSampling sampling;
  sampling.span = span;
  sampling.inputs = inputs;
  sampling.targets = targets;
  return sampling;
}

TEST(SelectViews, EndsAreInputsAndAllViewsAreDistinctAndSorted) {
  for (int inputs = 2; inputs <= 4; ++inputs) {
    std::set<int> distances;
    for (int epoch = 0; epoch < 500; ++epoch) {
      const auto list = SelectViews(14, Sampling(kDynamicSpan, inputs, 5), "scene", epoch, 1);
      ASSERT_TRUE(list.has_value());
      ASSERT_EQ(list->inputs.size(), static_cast<size_t>(inputs));
      ASSERT_EQ(list->targets.size(), 5u);
      EXPECT_TRUE(std::is_sorted(list->inputs.begin(), list->inputs.end()));
      EXPECT_TRUE(std::is_sorted(list->targets.begin(), list->targets.end()));
      std::set<int> all(list->inputs.begin(), list->inputs.end());
      all.insert(list->targets.begin(), list->targets.end());
      EXPECT_EQ(all.size(), static_cast<size_t>(inputs + 5));
      EXPECT_EQ(*all.begin(), list->inputs.front());
      EXPECT_EQ(*all.rbegin(), list->inputs.back());
      EXPECT_GE(*all.begin(), 0);
      EXPECT_LT(*all.rbegin(), 14);
      distances.insert(list->inputs.back() - list->inputs.front());
    }
    EXPECT_THAT(distances, ElementsAre(8, 9, 10, 11, 12));  // every distance within the limits occurs
  }
}

TEST(SelectViews, DependsOnSceneEpochAndSeedOnly) {
  const ViewSampling sampling = Sampling(kStaticSpan, 3, 6);
  const auto list = SelectViews(200, sampling, "a", 3, 9);
  EXPECT_EQ(list, SelectViews(200, sampling, "a", 3, 9));
  EXPECT_NE(list, SelectViews(200, sampling, "b", 3, 9));
  EXPECT_NE(list, SelectViews(200, sampling, "a", 4, 9));
  EXPECT_NE(list, SelectViews(200, sampling, "a", 3, 10));
}

TEST(SelectViews, InnerFramesAreUniform) {
  // Exactly one possible span (0 .. 10), 9 inner frames, 3 of them chosen: each with probability 1/3.
  std::map<int, int> seen;
  constexpr int kDraws = 9000;
  for (int epoch = 0; epoch < kDraws; ++epoch) {
    const auto list = SelectViews(11, Sampling({10, 10}, 2, 3), "scene", epoch, 5);
    for (const int target : list->targets) ++seen[target];
  }
  ASSERT_EQ(seen.size(), 9u);
  for (const auto& [frame, count] : seen) {
    EXPECT_NEAR(count, kDraws / 3.0, 5 * std::sqrt(kDraws * 2.0 / 9)) << frame;  // 5 standard deviations
  }
}

TEST(SelectViews, ShortScenesGiveNothing) {
  EXPECT_FALSE(SelectViews(25, Sampling({25, 192}, 2, 6), "s", 0, 0));
  EXPECT_TRUE(SelectViews(26, Sampling({25, 192}, 2, 6), "s", 0, 0));
  EXPECT_FALSE(SelectViews(7, Sampling({1, 192}, 2, 6), "s", 0, 0));  // 8 distinct views need 8 frames
  EXPECT_EQ(SelectViews(8, Sampling({1, 192}, 2, 6), "s", 0, 0)->targets.size(), 6u);
  EXPECT_FALSE(SelectViews(0, Sampling({1, 5}, 2, 1), "s", 0, 0));
}

TEST(SelectViews, ImpossibleNumbersAreRefused) {
  EXPECT_THROW(SelectViews(50, Sampling({25, 20}, 2, 6), "s", 0, 0), UsageError);
  EXPECT_THROW(SelectViews(50, Sampling({0, 20}, 2, 6), "s", 0, 0), UsageError);
  EXPECT_THROW(SelectViews(50, Sampling({1, 20}, 1, 6), "s", 0, 0), UsageError);
  EXPECT_THROW(SelectViews(50, Sampling({1, 20}, 2, 0), "s", 0, 0), UsageError);
}

TEST(SpanSchedule, WidensTheSpanLinearly) {
  EXPECT_EQ((SpanSchedule{{1, 2}, {20, 100}, 0}.At(0)), (SpanLimits{20, 100}));
  const SpanSchedule schedule{{10, 20}, {20, 100}, 1000};
  EXPECT_EQ(schedule.At(0), (SpanLimits{10, 20}));
  EXPECT_EQ(schedule.At(500), (SpanLimits{15, 60}));
  EXPECT_EQ(schedule.At(1000), (SpanLimits{20, 100}));
  EXPECT_EQ(schedule.At(1'000'000), (SpanLimits{20, 100}));
}

TEST(SpreadViews, InputsAreTheEndsAndTargetsTheMiddlesBetween) {
  EXPECT_EQ(SpreadViews(16, 2, 6), (ViewList{{0, 15}, {2, 4, 6, 9, 11, 13}}));
  EXPECT_EQ(SpreadViews(16, 3, 6), (ViewList{{0, 8, 15}, {2, 4, 6, 9, 11, 13}}));
  EXPECT_EQ(SpreadViews(9, 3, 2), (ViewList{{0, 4, 8}, {2, 6}}));
  EXPECT_EQ(SpreadViews(9, 2, 1), (ViewList{{0, 8}, {4}}));
  EXPECT_THAT(SpreadViews(8, 2, 6).targets, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(SpreadViews(5, 1, 0), (ViewList{{2}, {}}));
  EXPECT_THROW(SpreadViews(7, 2, 6), UsageError);
  EXPECT_THROW(SpreadViews(0, 1, 0), UsageError);
}

// The closed form, in real numbers: input i at i (F - 1) / (K - 1) to the nearest; target t is number
// (t + 1/2) (F - K) / T of the frames that are left, rounded down.
TEST(SpreadViews, FollowsTheClosedForm) {
  for (int frames = 8; frames < 60; ++frames) {
    for (int inputs = 2; inputs <= 4; ++inputs) {
      for (int targets = 1; targets <= frames - inputs; ++targets) {
        const ViewList list = SpreadViews(frames, inputs, targets);
        ASSERT_EQ(list.inputs.size(), static_cast<size_t>(inputs));
        ASSERT_EQ(list.targets.size(), static_cast<size_t>(targets));
        for (int i = 0; i < inputs; ++i) {
          ASSERT_NEAR(list.inputs[i], i * (frames - 1.0) / (inputs - 1), 0.5) << frames << " " << inputs;
        }
        std::vector<int> rest;
        for (int f = 0; f < frames; ++f) {
          if (std::count(list.inputs.begin(), list.inputs.end(), f) == 0) rest.push_back(f);
        }
        ASSERT_EQ(rest.size(), static_cast<size_t>(frames - inputs));
        for (int t = 0; t < targets; ++t) {
          // A hair more: exact products must not be rounded down by an ulp.
          const double place = (t + 0.5) * (frames - inputs) / targets + 1e-9;
          ASSERT_EQ(list.targets[t], rest[static_cast<size_t>(place)]) << frames << " " << inputs;
        }
      }
    }
  }
}

TEST(MixedOrder, EveryPassTakesEverySceneOnceAndTheRatioIsExact) {
  const MixedOrder order(7, 5, 0.25, 42);
  std::map<std::pair<bool, uint64_t>, std::vector<size_t>> passes;
  int dynamic = 0;
  for (uint64_t n = 0; n < 4000; ++n) {
    const Draw draw = order.At(n);
    dynamic += draw.dynamic ? 1 : 0;
    ASSERT_EQ(dynamic, static_cast<int>((n + 1) / 4));
    passes[{draw.dynamic, draw.pass}].push_back(draw.scene);
  }
  std::set<std::vector<size_t>> orders;
  for (auto& [key, scenes] : passes) {
    orders.insert(scenes);
    if (scenes.size() < (key.first ? 5u : 7u)) continue;  // the last pass is not complete
    std::sort(scenes.begin(), scenes.end());
    for (size_t i = 0; i < scenes.size(); ++i) EXPECT_EQ(scenes[i], i);
  }
  EXPECT_GT(orders.size(), passes.size() / 2);  // passes are shuffled anew
}

TEST(MixedOrder, AnyDrawIsFoundWithoutTheOnesBefore) {
  const MixedOrder forward(30, 20, 1.0 / 3, 1), backward(30, 20, 1.0 / 3, 1);
  std::vector<Draw> draws;
  for (uint64_t n = 0; n < 1000; ++n) draws.push_back(forward.At(n));
  for (uint64_t n = 1000; n-- > 0;) {
    const Draw draw = backward.At(n);
    ASSERT_EQ(draw.dynamic, draws[n].dynamic);
    ASSERT_EQ(draw.scene, draws[n].scene);
    ASSERT_EQ(draw.pass, draws[n].pass);
  }
}

TEST(MixedOrder, AShareWithoutScenesIsRefused) {
  EXPECT_THROW(MixedOrder(0, 5, 0.5, 0), UsageError);
  EXPECT_THROW(MixedOrder(5, 0, 0.5, 0), UsageError);
  EXPECT_THROW(MixedOrder(5, 5, 1.5, 0), UsageError);
  EXPECT_TRUE(MixedOrder(0, 5, 1.0, 0).At(3).dynamic);
  EXPECT_FALSE(MixedOrder(5, 0, 0.0, 0).At(3).dynamic);
}

TEST(Prefetcher, DeliversInOrderWithBoundedWork) {
  for (const int threads : {0, 1, 4}) {
    std::atomic<uint64_t> started = 10;
    uint64_t delivered = 10;
    Prefetcher<uint64_t> prefetcher(
        [&](uint64_t index) {
          ++started;
          std::this_thread::sleep_for(std::chrono::microseconds((index * 7919) % 300));
          return index * index;
        },
        10, 200, threads, 6);
    while (const std::optional<uint64_t> item = prefetcher.Next()) {
      ASSERT_EQ(*item, delivered * delivered);
      ++delivered;
      ASSERT_LE(started.load(), delivered + 6);
    }
    EXPECT_EQ(delivered, 200u);
    EXPECT_FALSE(prefetcher.Next().has_value());
  }
}

TEST(Prefetcher, ErrorsArriveInOrderAndTheRestFollows) {
  for (const int threads : {0, 3}) {
    Prefetcher<int> prefetcher(
        [](uint64_t index) {
          if (index == 5) throw Error("five");
          return static_cast<int>(index);
        },
        0, 8, threads, 4);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(prefetcher.Next(), i);
    EXPECT_THROW(prefetcher.Next(), Error);
    EXPECT_EQ(prefetcher.Next(), 6);
  }  // items in the making are waited for
}

}  // namespace
}  // namespace wildrayzer
