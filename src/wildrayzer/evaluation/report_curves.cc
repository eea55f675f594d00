#include <fmt/format.h>

#include <array>
#include <cmath>
#include <functional>

#include "wildrayzer/evaluation/report.h"

namespace wildrayzer {
namespace {

// Distinguishable also by people with red-green blindness (Okabe and Ito 2008).
constexpr std::array<const char*, 7> kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#E69F00", "#56B4E9", "#999999"};
constexpr double kPlot = 260, kLeft = 44, kTop = 28, kGap = 60;

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string Axes(double x0, const std::string& title) {
  std::string out = fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", x0, kTop - 10, title);
  for (int i = 0; i <= 5; ++i) {
    const double at = i / 5.0, x = x0 + at * kPlot, y = kTop + (1 - at) * kPlot;
    out += fmt::format("<path d=\"M{0} {1}H{2}M{3} {4}V{5}\" stroke=\"#8884\" fill=\"none\"/>", x0, y,
                       x0 + kPlot, x, kTop, kTop + kPlot);
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.1f}</text>", x0 - 6, y + 4, at);
    out +=
        fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{:.1f}</text>", x, kTop + kPlot + 16, at);
  }
  return out;
}

std::string Curve(double x0, const std::vector<Confusion>& sweep,
                  const std::function<double(const Confusion&)>& measure, const std::string& color) {
  std::string points;
  for (size_t i = 0; i < sweep.size(); ++i) {
    const double value = measure(sweep[i]);
    if (std::isnan(value)) continue;
    points += fmt::format("{:.1f},{:.1f} ", x0 + SweepThresholds()[i] * kPlot, kTop + (1 - value) * kPlot);
  }
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", points,
                     color);
}

}  // namespace

std::string ThresholdCurves(const SettingResult& setting) {
  const std::vector<std::pair<std::string, double (*)(const Confusion&)>> panels = {
      {"IoU by threshold", Iou}, {"Recall", Recall}, {"Precision", Precision}};
  std::string curves, legend;
  int shown = 0;
  for (const MethodResult& method : setting.methods) {
    const std::vector<Confusion> sweep = Summarise(method, 0).sweep;
    if (sweep.empty()) continue;
    const char* color = kColors[shown % kColors.size()];
    for (size_t p = 0; p < panels.size(); ++p) {
      curves += Curve(kLeft + static_cast<double>(p) * (kPlot + kGap), sweep, panels[p].second, color);
    }
    const double y = kTop + kPlot + 40 + 18 * shown++;
    legend += fmt::format(
        "<path d=\"M{} {}h24\" stroke=\"{}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{}</text>", kLeft,
        y - 4, color, kLeft + 32, y, Escaped(method.title));
  }
  if (shown == 0) return "";
  std::string axes;
  for (size_t p = 0; p < panels.size(); ++p)
    axes += Axes(kLeft + static_cast<double>(p) * (kPlot + kGap), panels[p].first);
  const double width = kLeft + 3 * kPlot + 2 * kGap + 20, height = kTop + kPlot + 40 + 18 * shown;
  return fmt::format("<svg viewBox=\"0 0 {} {}\" width=\"{}\" role=\"img\">{}{}{}</svg>\n", width, height,
                     width, axes, curves, legend);
}

}  // namespace wildrayzer
