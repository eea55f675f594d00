#include <cmath>
#include <functional>

#include "wildrayzer/evaluation/line_chart.h"
#include "wildrayzer/evaluation/report.h"

namespace wildrayzer {

std::string ThresholdCurves(const SettingResult& setting) {
  const std::vector<std::pair<std::string, double (*)(const Confusion&)>> panels = {
      {"IoU by threshold", Iou}, {"Recall by threshold", Recall}, {"Precision by threshold", MaskPrecision}};
  std::vector<Chart> charts;
  for (const auto& [title, measure] : panels) {
    charts.push_back({.title = title,
                      .series = {},
                      .x_range = {{0.0, 1.0}},
                      .y_range = {{0.0, 1.0}},
                      .log_y = false,
                      .sections = {},
                      .width = 360,
                      .plot_height = 260});
  }
  for (const MethodResult& method : setting.methods) {
    const std::vector<Confusion> sweep = Summarise(method, 0).sweep;
    if (sweep.empty()) continue;
    for (size_t p = 0; p < panels.size(); ++p) {
      ChartSeries series{method.title, SweepThresholds(), {}, {}, {}};
      for (const Confusion& counts : sweep) series.y.push_back(panels[p].second(counts));
      charts[p].series.push_back(std::move(series));
    }
  }
  std::string curves;
  for (Chart& chart : charts) {
    if (chart.series.size() == 1) chart.title += ", " + chart.series[0].label;  // there is no legend then
    curves += LineChart(chart);
  }
  return curves.empty() ? "" : "<div class=\"charts\">\n" + curves + "</div>\n";
}

}  // namespace wildrayzer
