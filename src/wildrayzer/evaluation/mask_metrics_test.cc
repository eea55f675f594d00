#include "wildrayzer/evaluation/mask_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "wildrayzer/evaluation/aggregate.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A 10 x 10 mask that moves in rows [from, to).
Planes Rows(int from, int to) {
  Planes mask(1, 10, 10);
  for (int y = from; y < to; ++y) {
    for (int x = 0; x < 10; ++x) mask.At(0, y, x) = 1.0f;
  }
  return mask;
}

TEST(MaskMetrics, OfShiftedRowsAreTheirFractions) {
  const Confusion counts = CompareMasks(Rows(3, 9), Rows(1, 5), 0.5);  // 2 rows agree, 4 too many, 2 missed
  EXPECT_EQ(counts.true_positive, 20);
  EXPECT_EQ(counts.false_positive, 40);
  EXPECT_EQ(counts.false_negative, 20);
  EXPECT_EQ(counts.true_negative, 20);
  EXPECT_DOUBLE_EQ(Iou(counts), 20.0 / 80);
  EXPECT_DOUBLE_EQ(Recall(counts), 0.5);
  EXPECT_DOUBLE_EQ(MaskPrecision(counts), 20.0 / 60);
  EXPECT_DOUBLE_EQ(F1(counts), 2 * 0.5 * (1.0 / 3) / (0.5 + 1.0 / 3));
  EXPECT_DOUBLE_EQ(FalseAlarmShare(counts), 0.4);
}

TEST(MaskMetrics, AnEmptyAnswerIsZeroAndAnEmptyTruthIsNoNumber) {
  const Confusion nothing_found = CompareMasks(Rows(0, 0), Rows(2, 4), 0.5);
  for (const double value :
       {Iou(nothing_found), Recall(nothing_found), MaskPrecision(nothing_found), F1(nothing_found)}) {
    EXPECT_EQ(value, 0.0);
  }
  const Confusion nothing_moves = CompareMasks(Rows(2, 4), Rows(0, 0), 0.5);
  for (const double value :
       {Iou(nothing_moves), Recall(nothing_moves), MaskPrecision(nothing_moves), F1(nothing_moves)}) {
    EXPECT_TRUE(std::isnan(value));
  }
  EXPECT_DOUBLE_EQ(FalseAlarmShare(nothing_moves), 0.2);
}

TEST(MaskMetrics, TheThresholdIsExclusive) {
  EXPECT_EQ(CompareMasks(Planes(1, 10, 10, 0.5f), Rows(0, 10), 0.5).true_positive, 0);
  EXPECT_EQ(CompareMasks(Planes(1, 10, 10, 0.5f), Rows(0, 10), 0.49).true_positive, 100);
}

TEST(MaskMetrics, RefusesWhatIsNoMask) {
  EXPECT_THROW(CompareMasks(Planes(3, 10, 10), Rows(0, 1), 0.5), Error);
  Planes broken = Rows(0, 1);
  broken.values[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(CompareMasks(broken, Rows(0, 1), 0.5), Error);
  EXPECT_EQ(CompareMasks(Planes(1, 5, 5, 1.0f), Rows(0, 1), 0.5).total(), 100);  // enlarged to the truth
}

TEST(MaskMetrics, SummaryKeepsEmptyFramesApart) {
  const std::vector<Confusion> frames = {
      CompareMasks(Rows(0, 4), Rows(0, 4), 0.5), CompareMasks(Rows(0, 1), Rows(0, 2), 0.5),
      CompareMasks(Rows(0, 3), Rows(0, 0), 0.5), CompareMasks(Rows(0, 0), Rows(0, 0), 0.5)};
  const MaskSummary mean = SummariseMasks(frames);
  EXPECT_EQ(mean.frames, 2);
  EXPECT_EQ(mean.empty_frames, 2);
  EXPECT_DOUBLE_EQ(mean.iou, 0.75);
  EXPECT_DOUBLE_EQ(mean.recall, 0.75);
  EXPECT_DOUBLE_EQ(mean.precision, 1.0);
  EXPECT_DOUBLE_EQ(mean.empty_false_alarm, 0.15);
  EXPECT_DOUBLE_EQ(MicroMasks(frames).iou, 50.0 / 60);  // large movers weigh more
  EXPECT_TRUE(std::isnan(SummariseMasks({}).iou));
}

TEST(MaskMetrics, SweepAgreesWithSingleThresholds) {
  Random random(11);
  Planes probability(1, 30, 20), truth(1, 30, 20);
  for (float& value : probability.values)
    value = static_cast<float>(random.Below(101)) / 100.0f;  // many ties
  for (float& value : truth.values) value = random.Uniform() < 0.3 ? 1.0f : 0.0f;
  const std::vector<Confusion> sweep = SweepMasks(probability, truth);
  ASSERT_EQ(sweep.size(), SweepThresholds().size());
  for (size_t i = 0; i < sweep.size(); ++i) {
    const Confusion single = CompareMasks(probability, truth, SweepThresholds()[i]);
    EXPECT_EQ(sweep[i].true_positive, single.true_positive) << i;
    EXPECT_EQ(sweep[i].false_positive, single.false_positive) << i;
    EXPECT_EQ(sweep[i].false_negative, single.false_negative) << i;
    EXPECT_EQ(sweep[i].true_negative, single.true_negative) << i;
  }
  EXPECT_DOUBLE_EQ(SweepThresholds()[3], 0.08);
  EXPECT_DOUBLE_EQ(SweepThresholds()[4], 0.1);
}

TEST(Aggregate, SkipsAndCountsWhatIsNoNumber) {
  const std::vector<double> values = {1.0, kNaN, 3.0};
  const Estimate mean = MeanOf(values);
  EXPECT_DOUBLE_EQ(mean.mean, 2.0);
  EXPECT_EQ(mean.counted, 2);
  EXPECT_EQ(mean.skipped, 1);
  const std::vector<double> none = {kNaN};
  EXPECT_TRUE(std::isnan(MeanWithInterval(none, 1).mean));
  EXPECT_EQ(MeanWithInterval(none, 1).counted, 0);
}

TEST(Aggregate, IntervalOfTwoValuesSpansThem) {
  const std::vector<double> values = {0.0,
                                      1.0};  // means of resamples: 0, 0.5, 1 with probabilities 1/4, 1/2, 1/4
  const Estimate estimate = MeanWithInterval(values, 5);
  EXPECT_DOUBLE_EQ(estimate.low, 0.0);
  EXPECT_DOUBLE_EQ(estimate.high, 1.0);
}

TEST(Aggregate, IntervalMatchesTheNormalApproximation) {
  Random random(17);
  std::vector<double> values(400);
  for (double& value : values) value = 10 + 2 * random.Normal();
  const Estimate estimate = MeanWithInterval(values, 3, 4000);
  double variance = 0;
  for (const double value : values) variance += (value - estimate.mean) * (value - estimate.mean) / 400;
  const double half = 1.96 * std::sqrt(variance / 400);
  // 4000 resamples place the 2.5 % point within about 3 % of its distance; 10 % is three times that.
  EXPECT_NEAR(estimate.mean - estimate.low, half, 0.1 * half);
  EXPECT_NEAR(estimate.high - estimate.mean, half, 0.1 * half);
}

TEST(Aggregate, TheSameSeedGivesTheSameInterval) {
  const std::vector<double> values = {1, 2, 5, 9, 4, 7};
  EXPECT_EQ(MeanWithInterval(values, 1).low, MeanWithInterval(values, 1).low);
  EXPECT_NE(MeanWithInterval(values, 1, 50).low, MeanWithInterval(values, 2, 50).low);
}

TEST(MaskMetrics, TheBestThresholdHasTheHighestIou) {
  EXPECT_EQ(BestThreshold({}), std::nullopt);
  std::vector<Confusion> sweep(4, Confusion{.false_positive = 3, .true_negative = 7});
  EXPECT_EQ(BestThreshold(sweep), std::nullopt);  // nothing moves
  sweep[0] = {10, 30, 0, 60};
  sweep[1] = {8, 4, 2, 86};  // IoU 8 / 14
  sweep[2] = {4, 1, 3, 92};  // 4 / 8, of fewer pixels
  sweep[3] = {8, 4, 2, 86};  // the same as [1]
  EXPECT_EQ(BestThreshold(sweep), 1u);
  sweep[3] = {8, 3, 2, 87};
  EXPECT_EQ(BestThreshold(sweep), 3u);
}

}  // namespace
}  // namespace wildrayzer
