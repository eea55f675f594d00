#include "wildrayzer/labels/label_views.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/data/view_selection.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Deals `frames` out to as few groups of at most `size` as possible, each spread over all of them.
std::vector<std::vector<int>> Deal(const std::vector<int>& frames, size_t size) {
  std::vector<std::vector<int>> groups((frames.size() + size - 1) / size);
  for (size_t i = 0; i < frames.size(); ++i) groups[i % groups.size()].push_back(frames[i]);
  return groups;
}

}  // namespace

std::vector<ViewList> GroupsOfViews(int frames, int inputs, int targets) {
  if (inputs < 2 || targets < 1 || frames < 2 * inputs) {
    throw UsageError(
        fmt::format("a scene of {} frames is too short to be labelled from {} inputs; {} are needed", frames,
                    inputs, 2 * std::max(inputs, 2)));
  }
  const ViewList base = SpreadViews(frames, inputs, frames - inputs);
  std::vector<ViewList> groups;
  for (std::vector<int>& part : Deal(base.targets, static_cast<size_t>(targets))) {
    groups.push_back({base.inputs, std::move(part)});
  }
  // The frames nearest to the inputs that are no inputs themselves.
  std::vector<int> neighbours;
  for (const int input : base.inputs) {
    const auto nearest = std::min_element(base.targets.begin(), base.targets.end(), [&](int a, int b) {
      const auto distance = [&](int frame) {
        const bool taken = std::count(neighbours.begin(), neighbours.end(), frame) > 0;
        return std::abs(frame - input) + (taken ? frames : 0);
      };
      return distance(a) < distance(b);
    });
    neighbours.push_back(*nearest);
  }
  std::sort(neighbours.begin(), neighbours.end());
  for (std::vector<int>& part : Deal(base.inputs, static_cast<size_t>(targets))) {
    groups.push_back({neighbours, std::move(part)});
  }
  return groups;
}

}  // namespace wildrayzer
