#include "wildrayzer/evaluation/mask_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double Ratio(int64_t part, int64_t whole) {
  return whole == 0 ? kUndefined : static_cast<double>(part) / static_cast<double>(whole);
}

// The probability at the truth's size, after the checks that every comparison needs.
Planes Matching(const Planes& probability, const Planes& truth) {
  if (probability.channels != 1 || truth.channels != 1) {
    throw Error("masks must have 1 channel, got " + probability.SizeText() + " and " + truth.SizeText());
  }
  Planes matched =
      probability.SameSize(truth) ? probability : ResizeBilinear(probability, truth.height, truth.width);
  CheckComparable(matched, truth, "mask");
  return matched;
}

void Count(bool predicted, bool moving, Confusion& counts) {
  if (moving) {
    ++(predicted ? counts.true_positive : counts.false_negative);
  } else {
    ++(predicted ? counts.false_positive : counts.true_negative);
  }
}

}  // namespace

Confusion& Confusion::operator+=(const Confusion& other) {
  true_positive += other.true_positive;
  false_positive += other.false_positive;
  false_negative += other.false_negative;
  true_negative += other.true_negative;
  return *this;
}

Confusion CompareMasks(const Planes& probability, const Planes& truth, double threshold) {
  const Planes matched = Matching(probability, truth);
  Confusion counts;
  for (size_t i = 0; i < truth.values.size(); ++i) {
    Count(matched.values[i] > threshold, truth.values[i] > 0.5f, counts);
  }
  return counts;
}

double Iou(const Confusion& counts) {
  return counts.truth() == 0 ? kUndefined
                             : Ratio(counts.true_positive, counts.truth() + counts.false_positive);
}

double Recall(const Confusion& counts) { return Ratio(counts.true_positive, counts.truth()); }

double MaskPrecision(const Confusion& counts) {
  if (counts.truth() == 0) return kUndefined;
  return counts.predicted() == 0 ? 0.0 : Ratio(counts.true_positive, counts.predicted());
}

double F1(const Confusion& counts) {
  return counts.truth() == 0 ? kUndefined
                             : Ratio(2 * counts.true_positive, counts.truth() + counts.predicted());
}

double FalseAlarmShare(const Confusion& counts) { return Ratio(counts.false_positive, counts.total()); }

MaskSummary SummariseMasks(const std::vector<Confusion>& frames) {
  MaskSummary summary;
  for (const Confusion& frame : frames) {
    if (frame.truth() == 0) {
      ++summary.empty_frames;
      summary.empty_false_alarm += FalseAlarmShare(frame);
      continue;
    }
    ++summary.frames;
    summary.iou += Iou(frame);
    summary.recall += Recall(frame);
    summary.precision += MaskPrecision(frame);
    summary.f1 += F1(frame);
  }
  const double moving = summary.frames == 0 ? kUndefined : summary.frames;
  for (double* sum : {&summary.iou, &summary.recall, &summary.precision, &summary.f1}) *sum /= moving;
  summary.empty_false_alarm /= summary.empty_frames == 0 ? kUndefined : summary.empty_frames;
  return summary;
}

MaskSummary MicroMasks(const std::vector<Confusion>& frames) {
  MaskSummary summary = SummariseMasks(frames);
  Confusion sum;
  for (const Confusion& frame : frames) {
    if (frame.truth() > 0) sum += frame;
  }
  summary.iou = Iou(sum);
  summary.recall = Recall(sum);
  summary.precision = MaskPrecision(sum);
  summary.f1 = F1(sum);
  return summary;
}

const std::vector<double>& SweepThresholds() {
  static const std::vector<double> thresholds = [] {
    std::vector<double> t;
    for (int i = 1; i < 50; ++i) t.push_back(i / 50.0);
    return t;
  }();
  return thresholds;
}

std::vector<Confusion> SweepMasks(const Planes& probability, const Planes& truth) {
  const Planes matched = Matching(probability, truth);
  const std::vector<double>& thresholds = SweepThresholds();
  // passed[n]: pixels whose probability exceeds exactly the first n thresholds.
  std::vector<int64_t> moving(thresholds.size() + 1, 0), still(thresholds.size() + 1, 0);
  for (size_t i = 0; i < truth.values.size(); ++i) {
    const double p = matched.values[i];
    const auto passed = std::lower_bound(thresholds.begin(), thresholds.end(), p) - thresholds.begin();
    ++(truth.values[i] > 0.5f ? moving : still)[passed];
  }
  std::vector<Confusion> sweep(thresholds.size());
  int64_t moving_below = 0, still_below = 0;
  for (size_t t = 0; t < thresholds.size(); ++t) {
    moving_below += moving[t];
    still_below += still[t];
    sweep[t].false_negative = moving_below;
    sweep[t].true_negative = still_below;
  }
  for (Confusion& counts : sweep) {
    counts.true_positive = moving_below + moving.back() - counts.false_negative;
    counts.false_positive = still_below + still.back() - counts.true_negative;
  }
  return sweep;
}

std::optional<size_t> BestThreshold(const std::vector<Confusion>& sweep) {
  std::optional<size_t> best;
  for (size_t i = 0; i < sweep.size(); ++i) {
    if (sweep[i].truth() > 0 && (!best || Iou(sweep[i]) > Iou(sweep[*best]))) best = i;
  }
  return best;
}

}  // namespace wildrayzer
