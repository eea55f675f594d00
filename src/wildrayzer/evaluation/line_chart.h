// Line charts as inline SVG.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wildrayzer {

// One line. x and y have the same length; a y that is not finite leaves a gap. `low` and `high`, of the same
// length when not empty, are drawn as a band around the line.
struct ChartSeries {
  std::string label;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low;
  std::vector<double> high;
};

struct Chart {
  std::string title;
  std::vector<ChartSeries> series;
  // Ends of the axes; without them what the series need.
  std::optional<std::pair<double, double>> x_range;
  std::optional<std::pair<double, double>> y_range;
  // Logarithmic y axis; only with positive values, otherwise it is ignored.
  bool log_y = false;
  // Sections of the x axis: where each begins, and its name.
  std::vector<std::pair<double, std::string>> sections;
  double width = 480;  // of the drawing in pixels; its height follows
  double plot_height = 220;
};

// Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], about `count` of them. Both ends
// must be finite and low < high.
std::vector<double> NiceTicks(double low, double high, int count);

// One <svg> element with axes, lines and, from two series on, a legend. Empty when no series has a finite
// point.
std::string LineChart(const Chart& chart);

}  // namespace wildrayzer
