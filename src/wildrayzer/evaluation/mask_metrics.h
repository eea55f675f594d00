// How well motion masks agree with the truth (weights.md 6.6). The class that counts is "moving".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wildrayzer/evaluation/planes.h"

namespace wildrayzer {

// Pixels by predicted and true class.
struct Confusion {
  int64_t true_positive = 0;
  int64_t false_positive = 0;
  int64_t false_negative = 0;
  int64_t true_negative = 0;

  Confusion& operator+=(const Confusion& other);
  int64_t truth() const { return true_positive + false_negative; }      // pixels that move
  int64_t predicted() const { return true_positive + false_positive; }  // pixels called moving
  int64_t total() const { return truth() + false_positive + true_negative; }
};

// A pixel is called moving where probability > threshold; it is moving where truth > 0.5. Both 1 channel; a
// probability map of another size is resized (bilinear) to the truth's. Raises Error for values that are not
// finite.
Confusion CompareMasks(const Planes& probability, const Planes& truth, double threshold);

// In [0, 1]. All are NaN where nothing moves in truth: such frames are reported apart (see SummariseMasks). A
// frame with motion of which nothing was found has precision and F1 zero, so that an empty answer cannot drop
// out of a mean.
double Iou(const Confusion& counts);
double Recall(const Confusion& counts);
double MaskPrecision(const Confusion& counts);
double F1(const Confusion& counts);
// Share of all pixels called moving although they are not; the measure of frames where nothing moves.
double FalseAlarmShare(const Confusion& counts);

struct MaskSummary {
  double iou = 0, recall = 0, precision = 0, f1 = 0;  // NaN when no frame has motion
  int frames = 0;                                     // with motion in truth
  int empty_frames = 0;                               // without
  double empty_false_alarm = 0;  // mean FalseAlarmShare of those; NaN when there are none
};
// Means over the frames of one scene.
MaskSummary SummariseMasks(const std::vector<Confusion>& frames);
// The same measures on the summed counts of all frames with motion (micro average).
MaskSummary MicroMasks(const std::vector<Confusion>& frames);

// Thresholds of the sweep: 0.02, 0.04, .. 0.98, and the release's 0.08 and 0.1 are among them.
const std::vector<double>& SweepThresholds();
// One Confusion a threshold of SweepThresholds(), in one pass over the pixels.
std::vector<Confusion> SweepMasks(const Planes& probability, const Planes& truth);
// Where in SweepThresholds() the IoU of a sweep's summed counts is highest, the lowest of equals; nothing for
// an empty sweep and where nothing moves in truth. To be chosen on other data than is reported on.
std::optional<size_t> BestThreshold(const std::vector<Confusion>& sweep);

}  // namespace wildrayzer
