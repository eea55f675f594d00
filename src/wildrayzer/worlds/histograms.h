// Several histograms as one SVG picture.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wildrayzer {

struct Histogram {
  std::string title;
  std::vector<double> values;
  double low = 0, high = 1;  // ends of the axis; what lies beyond is counted in the outermost bars
  bool log = false;          // logarithmic axis, 0 < low
  int bars = 24;
  // Drawn as a lighter background.
  std::optional<std::pair<double, double>> accepted;
};

// Shares of the values by bar; empty without values.
std::vector<double> BarsOf(const Histogram& histogram);

// Three beside each other, row by row.
std::string HistogramsSvg(const std::vector<Histogram>& histograms);

}  // namespace wildrayzer
