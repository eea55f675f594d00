#include "wildrayzer/evaluation/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace wildrayzer {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Chart Simple(std::vector<double> x, std::vector<double> y) {
  Chart chart;
  chart.title = "loss <b>";
  chart.series = {{"train", std::move(x), std::move(y), {}, {}}};
  return chart;
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(LineChart, TicksAreRound) {
  EXPECT_THAT(NiceTicks(0, 1, 5),
              ElementsAre(DoubleNear(0, 1e-12), DoubleNear(0.2, 1e-12), DoubleNear(0.4, 1e-12),
                          DoubleNear(0.6, 1e-12), DoubleNear(0.8, 1e-12), DoubleNear(1, 1e-12)));
  EXPECT_THAT(NiceTicks(-130, 260, 4), ElementsAre(-100, 0, 100, 200));
  EXPECT_THAT(NiceTicks(12345, 23456, 3), ElementsAre(15000, 20000));
  EXPECT_LE(NiceTicks(1e15, 1e15 + 0.25, 5).size(), 101u);
}

// Axes of known pixels: the plot begins at x 56, y 52; 480 - 56 - 12 = 412 wide and 220 high.
TEST(LineChart, PointsLieWhereTheAxesSay) {
  Chart chart = Simple({0, 1, 2}, {0, 1, 4});
  chart.y_range = {{0.0, 2.0}};
  const std::string svg = LineChart(chart);
  EXPECT_THAT(svg,
              HasSubstr("<polyline points=\"56.0,272.0 262.0,162.0 468.0,52.0 \""));  // 4 drawn on the end
  EXPECT_THAT(svg, HasSubstr("loss &lt;b&gt;"));
}

TEST(LineChart, LogarithmicAxis) {
  Chart chart = Simple({0, 1, 2}, {0.01, 0.1, 1});
  chart.log_y = true;
  chart.y_range = {{0.01, 1.0}};
  EXPECT_THAT(LineChart(chart), HasSubstr("points=\"56.0,272.0 262.0,162.0 468.0,52.0 \""));
  chart.y_range.reset();
  chart.series[0].y[0] = 0;  // no logarithm: falls back to a linear axis
  EXPECT_THAT(LineChart(chart), Not(HasSubstr("nan")));
}

TEST(LineChart, GapsAndLonePoints) {
  const std::string svg = LineChart(Simple({0, 1, 2, 3, 4}, {1, kNaN, 2, 3, kNaN}));
  EXPECT_EQ(Count(svg, "<polyline"), 1);
  EXPECT_EQ(Count(svg, "<circle"), 1);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChart, NothingToDraw) {
  EXPECT_EQ(LineChart(Chart{}), "");
  EXPECT_EQ(LineChart(Simple({0, 1}, {kNaN, kNaN})), "");
}

TEST(LineChart, OneValueStillHasAxes) {
  for (const double value : {0.0, 5.0, -1e-30, 1e300}) {
    const std::string svg = LineChart(Simple({7}, {value}));
    EXPECT_EQ(Count(svg, "<circle"), 1) << value;
    EXPECT_THAT(svg, Not(HasSubstr("nan"))) << value;
    EXPECT_THAT(svg, Not(HasSubstr("inf"))) << value;
  }
}

TEST(LineChart, BandsSectionsAndLegend) {
  Chart chart = Simple({0, 1}, {1, 2});
  chart.series[0].low = {0.5, 1};
  chart.series[0].high = {1.5, 3};
  chart.series.push_back({"validation & more", {0, 1}, {2, 1}, {}, {}});
  chart.sections = {{0, "stage 1"}, {0.5, "stage 2"}};
  const std::string svg = LineChart(chart);
  EXPECT_EQ(Count(svg, "<polygon"), 1);
  EXPECT_EQ(Count(svg, "<polyline"), 2);
  EXPECT_THAT(svg, HasSubstr("validation &amp; more"));
  EXPECT_THAT(svg, HasSubstr("stage 2"));
}

}  // namespace
}  // namespace wildrayzer
