#include "wildrayzer/evaluation/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "wildrayzer/evaluation/html_page.h"

namespace wildrayzer {
namespace {

constexpr double kLeft = 56, kTop = 52, kRight = 12, kBottom = 24, kLegendLine = 18, kSectionLift = 14;

// From data to pixels.
class Frame {
 public:
  Frame(const Chart& chart, std::pair<double, double> x, std::pair<double, double> y, bool log_y)
      : x_(x), y_(y), log_y_(log_y), width_(chart.width - kLeft - kRight), height_(chart.plot_height) {}

  double X(double x) const { return kLeft + (x - x_.first) / (x_.second - x_.first) * width_; }
  // Values beyond the axis are drawn on its end.
  double Y(double y) const {
    const auto scale = [this](double v) { return log_y_ ? std::log10(v) : v; };
    const double share = (scale(y) - scale(y_.first)) / (scale(y_.second) - scale(y_.first));
    return kTop + (1 - std::clamp(share, 0.0, 1.0)) * height_;
  }
  double right() const { return kLeft + width_; }
  double bottom() const { return kTop + height_; }
  const std::pair<double, double>& x() const { return x_; }
  const std::pair<double, double>& y() const { return y_; }
  bool log_y() const { return log_y_; }

 private:
  std::pair<double, double> x_, y_;
  bool log_y_;
  double width_, height_;
};

// Smallest and largest finite value; nothing without any.
std::optional<std::pair<double, double>> Extent(const std::vector<ChartSeries>& series,
                                                std::vector<double> ChartSeries::*values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const ChartSeries& one : series) {
    for (const double value : one.*values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) return std::nullopt;
  return std::pair(low, high);
}

// An axis of some length around the values.
std::pair<double, double> Widened(std::pair<double, double> range, double margin) {
  const double length = range.second - range.first;
  const double add = length > 0 ? margin * length : std::max(1e-12, 0.05 * std::abs(range.first));
  if (length > 0 || margin > 0) return {range.first - add, range.second + add};
  return {range.first - 0.5, range.second + 0.5};
}

std::vector<double> LogTicks(double low, double high) {
  std::vector<double> ticks;
  const bool few = high / low < 1e3;
  for (double power = std::floor(std::log10(low)); power <= std::log10(high); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10.0, power);
      if (tick >= low && tick <= high && (factor == 1.0 || few)) ticks.push_back(tick);
    }
  }
  return ticks;
}

// 20000 as "20k": steps are long numbers.
std::string TickText(double value) {
  if (std::abs(value) < 1e-12) return "0";
  if (std::abs(value) >= 1e6) return fmt::format("{:.4g}M", value * 1e-6);
  if (std::abs(value) >= 1e4) return fmt::format("{:.4g}k", value * 1e-3);
  return fmt::format("{:.4g}", value);
}

std::string Axes(const Frame& frame) {
  std::string out;
  const std::vector<double> y_ticks = frame.log_y() ? LogTicks(frame.y().first, frame.y().second)
                                                    : NiceTicks(frame.y().first, frame.y().second, 6);
  for (const double tick : y_ticks) {
    const double y = frame.Y(tick);
    out += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#8884\"/>", kLeft, y, frame.right());
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 6, y + 4,
                       TickText(tick));
  }
  for (const double tick : NiceTicks(frame.x().first, frame.x().second, 6)) {
    const double x = frame.X(tick);
    out += fmt::format("<path d=\"M{:.1f} {:.1f}V{:.1f}\" stroke=\"#8884\"/>", x, kTop, frame.bottom());
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x,
                       frame.bottom() + 16, TickText(tick));
  }
  return out;
}

// Names take turns at two heights, because short sections stand close.
std::string Sections(const Chart& chart, const Frame& frame) {
  std::string out;
  double lift = 0;
  for (const auto& [start, name] : chart.sections) {
    const double x = frame.X(start);
    out += fmt::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"#888\" stroke-dasharray=\"3 3\"/>", x,
                       kTop - 14 - lift, frame.bottom());
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" opacity=\".7\">{}</text>", x + 4, kTop - 6 - lift,
                       HtmlText(name));
    lift = lift == 0 ? kSectionLift : 0;
  }
  return out;
}

// One polyline for every run of finite points; a run of one point is a dot.
std::string Line(const ChartSeries& series, const Frame& frame, const char* color) {
  std::string out, points, band_back;
  std::string band;
  size_t count = 0;
  double x = 0, y = 0;
  const auto end_run = [&] {
    if (count == 1)
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", x, y, color);
    if (count > 1 && !band.empty()) {
      out +=
          fmt::format("<polygon points=\"{}{}\" fill=\"{}\" fill-opacity=\".2\"/>", band, band_back, color);
    }
    if (count > 1) {
      out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", points,
                         color);
    }
    points.clear(), band.clear(), band_back.clear();
    count = 0;
  };
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!std::isfinite(series.y[i])) {
      end_run();
      continue;
    }
    x = frame.X(series.x[i]), y = frame.Y(series.y[i]);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    if (!series.low.empty()) {
      band += fmt::format("{:.1f},{:.1f} ", x, frame.Y(series.low[i]));
      band_back = fmt::format("{:.1f},{:.1f} ", x, frame.Y(series.high[i])) + band_back;
    }
    ++count;
  }
  end_run();
  return out;
}

std::string Legend(const Chart& chart, const Frame& frame) {
  std::string out;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const double y = frame.bottom() + kBottom + kLegendLine * (static_cast<double>(i) + 0.8);
    out += fmt::format(
        "<path d=\"M{} {:.1f}h24\" stroke=\"{}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{:.1f}\">{}</text>",
        kLeft, y - 4, LineColor(i), kLeft + 32, y, HtmlText(chart.series[i].label));
  }
  return out;
}

}  // namespace

std::vector<double> NiceTicks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  }
  std::vector<double> ticks;
  // Multiples of the step, so that no error adds up.
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) {
    ticks.push_back(i * step);
    if (ticks.size() > 100) break;  // ends too close for their size to tell ticks apart
  }
  return ticks;
}

std::string LineChart(const Chart& chart) {
  const auto x_extent = Extent(chart.series, &ChartSeries::x);
  const auto y_extent = Extent(chart.series, &ChartSeries::y);
  if (!x_extent || !y_extent) return "";
  const bool log_y = chart.log_y && (chart.y_range ? chart.y_range->first : y_extent->first) > 0;
  std::pair<double, double> y = chart.y_range ? *chart.y_range : Widened(*y_extent, log_y ? 0 : 0.04);
  if (log_y && !chart.y_range) y = {y_extent->first / 1.1, y_extent->second * 1.1};
  const Frame frame(chart, chart.x_range ? *chart.x_range : Widened(*x_extent, 0), y, log_y);

  std::string lines;
  for (size_t i = 0; i < chart.series.size(); ++i) lines += Line(chart.series[i], frame, LineColor(i));
  const bool legend = chart.series.size() > 1;
  const double height =
      frame.bottom() + kBottom + (legend ? kLegendLine * static_cast<double>(chart.series.size()) + 4 : 0);
  return fmt::format(
      "<svg viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\">"
      "<text x=\"{2}\" y=\"16\" font-weight=\"600\">{3}</text>{4}{5}{6}{7}</svg>\n",
      chart.width, height, kLeft, HtmlText(chart.title), Axes(frame), Sections(chart, frame), lines,
      legend ? Legend(chart, frame) : "");
}

}  // namespace wildrayzer
