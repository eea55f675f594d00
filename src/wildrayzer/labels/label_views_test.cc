#include "wildrayzer/labels/label_views.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

TEST(GroupsOfViews, MakeEveryFrameATargetOnce) {
  for (const auto& [frames, inputs, targets] :
       {std::tuple{16, 2, 6}, {16, 4, 6}, {4, 2, 6}, {5, 2, 1}, {8, 4, 3}, {37, 3, 8}}) {
    SCOPED_TRACE(std::to_string(frames) + " " + std::to_string(inputs) + " " + std::to_string(targets));
    std::vector<int> labelled;
    for (const ViewList& group : GroupsOfViews(frames, inputs, targets)) {
      EXPECT_EQ(std::set<int>(group.inputs.begin(), group.inputs.end()).size(), static_cast<size_t>(inputs));
      EXPECT_TRUE(std::is_sorted(group.inputs.begin(), group.inputs.end()));
      ASSERT_FALSE(group.targets.empty());
      EXPECT_LE(group.targets.size(), static_cast<size_t>(targets));
      for (const int target : group.targets) {
        EXPECT_EQ(std::count(group.inputs.begin(), group.inputs.end(), target), 0);
        labelled.push_back(target);
      }
    }
    std::sort(labelled.begin(), labelled.end());
    std::vector<int> all(frames);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(labelled, all);
  }
}

TEST(GroupsOfViews, InputsSpanTheScene) {
  const auto groups = GroupsOfViews(16, 2, 6);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[0].inputs, (std::vector<int>{0, 15}));
  EXPECT_EQ(groups[0].targets, (std::vector<int>{1, 4, 7, 10, 13}));
  EXPECT_EQ(groups[3].inputs, (std::vector<int>{1, 14}));
  EXPECT_EQ(groups[3].targets, (std::vector<int>{0, 15}));
}

TEST(GroupsOfViews, RefusesShortScenes) {
  EXPECT_THROW(GroupsOfViews(3, 2, 6), UsageError);
  EXPECT_THROW(GroupsOfViews(9, 1, 6), UsageError);
  EXPECT_THROW(GroupsOfViews(9, 2, 0), UsageError);
}

}  // namespace
}  // namespace wildrayzer
