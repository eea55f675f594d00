// Which frames of a scene a training sample uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// Distance, in frames, between the first and the last view of a sample.
struct SpanLimits {
  int min = 25;
  int max = 192;
  bool operator==(const SpanLimits&) const = default;
};
// The published numbers: RealEstate10K at video rate, and D-RE10K's short clips.
inline constexpr SpanLimits kStaticSpan{25, 192};
inline constexpr SpanLimits kDynamicSpan{8, 12};

// Span limits that grow (or shrink) linearly over the first `steps` training steps; 0 steps: always `end`.
struct SpanSchedule {
  SpanLimits start = kStaticSpan;
  SpanLimits end = kStaticSpan;
  int64_t steps = 0;

  // The limits at a step, rounded to whole frames.
  SpanLimits At(int64_t step) const;
};

struct ViewSampling {
  SpanLimits span = kStaticSpan;
  int inputs = 2;   // at least 2
  int targets = 6;  // at least 1
};

// Picks the views of one sample from a scene of `frames` frames: a distance within the limits (no longer than
// the scene, and long enough for distinct views), a start, both ends, and distinct frames in between. Inputs
// are the first and the last plus random inner ones, targets the rest; both sorted. The result depends only
// on (sampling, frames, seed, scene, refresh_epoch), so that labels cached for it stay valid until the epoch
// changes. Nothing if the scene is too short. Raises UsageError for impossible sampling numbers.
std::optional<ViewList> SelectViews(int frames, const ViewSampling& sampling, const std::string& scene,
                                    int64_t refresh_epoch, uint64_t seed);

// Views for judging a scene that has no list, in evaluations and validations alike: `inputs` frames spread
// evenly over it, both ends among them, and `targets` spread evenly over the others (util/spread.h has the
// formula, which the lists of synthetic rooms follow too). Raises UsageError if it has too few frames.
ViewList SpreadViews(int frames, int inputs, int targets);

// The views on which a scene is judged: those of its list, else SpreadViews. Raises FileError naming the
// scene when the list does not fit it, when it has too few frames, and when it has no list and `inputs` is 0.
ViewList ViewsToJudge(const SceneDataset& scenes, size_t index, const SceneRecord& scene, int inputs,
                      int targets);

}  // namespace wildrayzer
