#include "wildrayzer/data/view_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "wildrayzer/data/shuffle.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/spread.h"

namespace wildrayzer {
namespace {

void Check(const ViewSampling& sampling) {
  if (sampling.inputs < 2 || sampling.targets < 1 || sampling.inputs + sampling.targets > 4096) {
    throw UsageError(fmt::format("{} input and {} target views: at least 2 and 1 are needed", sampling.inputs,
                                 sampling.targets));
  }
  if (sampling.span.min < 1 || sampling.span.max < sampling.span.min) {
    throw UsageError(
        fmt::format("frame distances {} to {}: the first must be at least 1 and not above the second",
                    sampling.span.min, sampling.span.max));
  }
}

}  // namespace

SpanLimits SpanSchedule::At(int64_t step) const {
  if (step >= steps) return end;
  const double part = static_cast<double>(step) / static_cast<double>(steps);
  const auto between = [part](int a, int b) { return static_cast<int>(std::lround(a + part * (b - a))); };
  return {between(start.min, end.min), between(start.max, end.max)};
}

std::optional<ViewList> SelectViews(int frames, const ViewSampling& sampling, const std::string& scene,
                                    int64_t refresh_epoch, uint64_t seed) {
  Check(sampling);
  const SpanLimits span = sampling.span;
  const int views = sampling.inputs + sampling.targets;
  const int shortest = std::max(span.min, views - 1);
  const int longest = std::min(span.max, frames - 1);
  if (longest < shortest) return std::nullopt;

  Random random(seed, fmt::format("views/{}/{}", scene, refresh_epoch));
  const int distance =
      shortest + static_cast<int>(random.Below(static_cast<uint64_t>(longest - shortest) + 1));
  const int start = static_cast<int>(random.Below(static_cast<uint64_t>(frames - distance)));
  std::vector<int> inner;
  for (int i = 1; i < distance; ++i) inner.push_back(start + i);
  Shuffle(inner, random);

  const auto first_target = inner.begin() + (sampling.inputs - 2);
  ViewList list;
  list.inputs.assign(inner.begin(), first_target);
  list.inputs.push_back(start);
  list.inputs.push_back(start + distance);
  list.targets.assign(first_target, first_target + sampling.targets);
  std::sort(list.inputs.begin(), list.inputs.end());
  std::sort(list.targets.begin(), list.targets.end());
  return list;
}

ViewList SpreadViews(int frames, int inputs, int targets) {
  if (inputs < 1 || targets < 0 || frames < 1 || inputs > frames || targets > frames - inputs) {
    throw UsageError(
        fmt::format("{} input and {} target views cannot be chosen from {} frames", inputs, targets, frames));
  }
  SpreadFrames spread = SpreadOverFrames(frames, inputs, targets);
  return {std::move(spread.inputs), std::move(spread.targets)};
}

ViewList ViewsToJudge(const SceneDataset& scenes, size_t index, const SceneRecord& scene, int inputs,
                      int targets) {
  if (std::optional<ViewList> listed = scenes.EvaluationViews(index)) {
    CheckViews(*listed, scene);
    return *std::move(listed);
  }
  if (inputs == 0) {
    throw FileError(scene.source.string(), "no evaluation views are given for scene '" + scene.name + "'");
  }
  if (scene.frames.size() < static_cast<size_t>(inputs) + static_cast<size_t>(targets)) {
    throw FileError(scene.source.string(),
                    fmt::format("has {} frames; {} inputs and {} targets were asked for", scene.frames.size(),
                                inputs, targets));
  }
  return SpreadViews(static_cast<int>(scene.frames.size()), inputs, targets);
}

}  // namespace wildrayzer
