#include "wildrayzer/worlds/histograms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wildrayzer {
namespace {

constexpr int kPerRow = 3;
// Pixels.
constexpr double kPanelWidth = 300, kPanelHeight = 190;
constexpr double kPlotLeft = 20, kPlotTop = 34, kPlotWidth = 262, kPlotHeight = 118;

// Place of a value on the axis, 0 to 1 between its ends.
double PlaceOf(const Histogram& h, double value) {
  if (h.log) return std::log(std::max(value, 1e-12) / h.low) / std::log(h.high / h.low);
  return (value - h.low) / (h.high - h.low);
}

double ValueAt(const Histogram& h, double place) {
  return h.log ? h.low * std::pow(h.high / h.low, place) : h.low + place * (h.high - h.low);
}

void AddPanel(const Histogram& h, double x, double y, std::string& svg) {
  const std::vector<double> bars = BarsOf(h);
  const double left = x + kPlotLeft, top = y + kPlotTop, bottom = top + kPlotHeight;
  svg += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" class=\"title\">{}</text>\n", left, y + 20, h.title);
  const double first = h.accepted ? std::clamp(PlaceOf(h, h.accepted->first), 0.0, 1.0) : 0.0;
  const double last = h.accepted ? std::clamp(PlaceOf(h, h.accepted->second), 0.0, 1.0) : 1.0;
  svg +=
      fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#eef3f8\"/>\n",
                  left + first * kPlotWidth, top, (last - first) * kPlotWidth, kPlotHeight);
  const double most = bars.empty() ? 1 : std::max(*std::max_element(bars.begin(), bars.end()), 1e-12);
  const double width = kPlotWidth / h.bars;
  for (size_t i = 0; i < bars.size(); ++i) {
    const double high = bars[i] / most * kPlotHeight;
    svg +=
        fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#0072b2\"/>\n",
                    left + static_cast<double>(i) * width, bottom - high, width - 1, high);
  }
  svg += fmt::format("<path d=\"M{:.1f} {:.1f}h{:.1f}\" stroke=\"#444\"/>\n", left, bottom, kPlotWidth);
  for (int tick = 0; tick <= 4; ++tick) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"tick\">{:.3g}</text>\n",
                       left + tick * kPlotWidth / 4, bottom + 15, ValueAt(h, tick / 4.0));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"most\">{:.0f} %</text>\n", left + kPlotWidth,
                     top - 3, 100 * (bars.empty() ? 0 : most));
}

}  // namespace

std::vector<double> BarsOf(const Histogram& h) {
  if (h.values.empty()) return {};
  std::vector<double> bars(static_cast<size_t>(h.bars));
  for (const double value : h.values) {
    const int bar = std::clamp(static_cast<int>(std::floor(PlaceOf(h, value) * h.bars)), 0, h.bars - 1);
    bars[static_cast<size_t>(bar)] += 1.0 / static_cast<double>(h.values.size());
  }
  return bars;
}

std::string HistogramsSvg(const std::vector<Histogram>& histograms) {
  const int rows = (static_cast<int>(histograms.size()) + kPerRow - 1) / kPerRow;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\">\n"
      "<style>text{{font:12px "
      "sans-serif;fill:#222}}.title{{font-weight:bold}}.tick{{text-anchor:middle;font-size:10px}}"
      ".most{{text-anchor:end;font-size:10px}}</style>\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#fff\"/>\n",
      kPerRow * kPanelWidth, rows * kPanelHeight);
  for (size_t i = 0; i < histograms.size(); ++i) {
    AddPanel(histograms[i], static_cast<double>(i % kPerRow) * kPanelWidth,
             static_cast<double>(i / kPerRow) * kPanelHeight, svg);
  }
  return svg + "</svg>\n";
}

}  // namespace wildrayzer
