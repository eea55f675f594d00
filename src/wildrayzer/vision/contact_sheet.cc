#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/overlay.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

constexpr int kMargin = 8;
constexpr int kLabelHeight = 22;

// `image` scaled to fit into width x height, shape kept, each side at least one pixel.
Image Fit(const Image& image, int width, int height) {
  const double scale =
      std::min(static_cast<double>(width) / image.width, static_cast<double>(height) / image.height);
  const int w = std::clamp(static_cast<int>(std::lround(image.width * scale)), 1, width);
  const int h = std::clamp(static_cast<int>(std::lround(image.height * scale)), 1, height);
  return Resize(image, w, h, Filter::kBicubic);
}

// Cut to what fits into `width` pixels.
std::string FittingLabel(std::string label, double scale, int width) {
  int baseline = 0;
  while (!label.empty() &&
         cv::getTextSize(label, cv::FONT_HERSHEY_SIMPLEX, scale, 1, &baseline).width > width) {
    label.pop_back();
  }
  return label;
}

}  // namespace

Image ContactSheet(const std::vector<SheetEntry>& entries, int columns, int cell_width, int cell_height) {
  if (entries.empty() || columns < 1 || cell_width < 1 || cell_height < 1)
    throw Error("a contact sheet without cells");
  const auto count = static_cast<int64_t>(entries.size());
  const int64_t used = std::min<int64_t>(columns, count);
  const int64_t step_x = static_cast<int64_t>(cell_width) + kMargin;
  const int64_t step_y = static_cast<int64_t>(cell_height) + kLabelHeight + kMargin;
  const int64_t width = used * step_x + kMargin;
  const int64_t height = (count + used - 1) / used * step_y + kMargin;
  if (width > kMaxImageSide || height > kMaxImageSide || width * height > kMaxImagePixels) {
    throw Error(fmt::format("a contact sheet of {} x {} pixels is too large", width, height));
  }
  Image sheet(static_cast<int>(width), static_cast<int>(height));
  std::fill(sheet.rgb.begin(), sheet.rgb.end(), uint8_t{255});
  cv::Mat canvas = AsMat(sheet);
  for (int64_t i = 0; i < count; ++i) {
    const SheetEntry& entry = entries[static_cast<size_t>(i)];
    if (entry.image.empty()) throw Error("an empty picture cannot be put on a contact sheet");
    const Image fitted = Fit(entry.image, cell_width, cell_height);
    const auto left = static_cast<int>(kMargin + i % used * step_x);
    const auto top = static_cast<int>(kMargin + i / used * step_y);
    const cv::Rect place(left + (cell_width - fitted.width) / 2, top + (cell_height - fitted.height) / 2,
                         fitted.width, fitted.height);
    AsMat(fitted).copyTo(canvas(place));
    constexpr double kScale = 0.45;
    cv::putText(canvas, FittingLabel(entry.label, kScale, cell_width),
                {left, top + cell_height + kLabelHeight - 7}, cv::FONT_HERSHEY_SIMPLEX, kScale,
                cv::Scalar(40, 40, 40), 1, cv::LINE_AA);
  }
  return sheet;
}

}  // namespace wildrayzer
