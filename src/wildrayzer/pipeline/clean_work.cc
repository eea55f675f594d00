#include "wildrayzer/pipeline/clean_work.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"

namespace wildrayzer {
namespace {

cv::Rect SeenPart(const Framing& framing) {
  const Rectangle seen = framing.VisiblePhoto();
  const auto first = [](double edge, int most) {
    return std::clamp(static_cast<int>(std::ceil(edge - 0.5)), 0, most);
  };
  const int left = first(seen.left, framing.photo_width - 1), top = first(seen.top, framing.photo_height - 1);
  const int right = std::max(left + 1, first(seen.right, framing.photo_width));
  const int bottom = std::max(top + 1, first(seen.bottom, framing.photo_height));
  return {left, top, right - left, bottom - top};
}

}  // namespace

WorkView MakeWorkView(const Image& photo, const Framing& framing, const MotionMask& mask, int most_side) {
  WorkView view;
  view.part = SeenPart(framing);
  const double shrink =
      std::min(1.0, static_cast<double>(most_side) / std::max(view.part.width, view.part.height));
  const auto side = [&](int pixels) { return std::max(1, static_cast<int>(std::lround(pixels * shrink))); };
  cv::Mat small;
  cv::resize(AsMat(photo)(view.part), small, {side(view.part.width), side(view.part.height)}, 0, 0,
             cv::INTER_AREA);
  small.convertTo(view.colour, CV_32FC3);
  view.unit = std::max(1.0, static_cast<double>(view.colour.cols) / framing.width);
  const cv::Mat probability(mask.height, mask.width, CV_32FC1, const_cast<float*>(mask.probability.data()));
  cv::remap(probability, view.moves, PlacesInFrame(view, framing), {}, cv::INTER_LINEAR,
            cv::BORDER_REPLICATE);
  return view;
}

cv::Mat PlacesInFrame(const WorkView& view, const Framing& framing) {
  cv::Mat places(view.colour.size(), CV_32FC2);
  for (int y = 0; y < places.rows; ++y) {
    for (int x = 0; x < places.cols; ++x) {
      const Point frame = framing.PhotoToModel(
          {view.part.x + (x + 0.5) / view.scale_x(), view.part.y + (y + 0.5) / view.scale_y()});
      places.at<cv::Vec2f>(y, x) = {static_cast<float>(frame.x - 0.5), static_cast<float>(frame.y - 0.5)};
    }
  }
  return places;
}

// Means over ever larger neighbourhoods, each by what the weights leave to it.
cv::Mat FillIn(const cv::Mat& field, const cv::Mat& weight) {
  constexpr float kCoarser = 0.02F;  // what the next larger neighbourhood weighs
  std::vector<cv::Mat> planes;
  cv::split(field, planes);
  for (cv::Mat& plane : planes) plane = plane.mul(weight);
  planes.push_back(weight);
  std::vector<cv::Mat> levels(1);
  cv::merge(planes, levels[0]);
  while (std::max(levels.back().rows, levels.back().cols) > 2) {
    cv::Mat next;
    cv::pyrDown(levels.back(), next);
    levels.push_back(next);
  }
  cv::Mat filled;
  for (size_t level = levels.size(); level-- > 0;) {
    cv::split(levels[level], planes);
    cv::Mat total = planes.back();
    planes.pop_back();
    if (filled.empty()) {
      total = cv::max(total, 1e-6);
    } else {
      cv::Mat larger;
      std::vector<cv::Mat> guess;
      cv::resize(filled, larger, total.size(), 0, 0, cv::INTER_LINEAR);
      cv::split(larger, guess);
      for (size_t c = 0; c < planes.size(); ++c) planes[c] += kCoarser * guess[c];
      total = total + kCoarser;
    }
    for (cv::Mat& plane : planes) plane = plane / total;
    cv::merge(planes, filled);
  }
  return filled;
}

cv::Mat Mixed(const cv::Mat& a, const cv::Mat& b, const cv::Mat& share) {
  cv::Mat shares;
  cv::merge(std::vector<cv::Mat>(static_cast<size_t>(a.channels()), share), shares);
  return a + (b - a).mul(shares);
}

cv::Mat Disc(double radius) {
  const int r = std::max(1, static_cast<int>(std::lround(radius)));
  return cv::getStructuringElement(cv::MORPH_ELLIPSE, {2 * r + 1, 2 * r + 1});
}

}  // namespace wildrayzer
