#include "wildrayzer/pipeline/clean_work.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"

namespace wildrayzer {

cv::Rect SeenPart(const Framing& framing) {
  const Rectangle seen = framing.VisiblePhoto();
  const int left = std::clamp(static_cast<int>(std::ceil(seen.left - 0.5)), 0, framing.photo_width - 1);
  const int top = std::clamp(static_cast<int>(std::ceil(seen.top - 0.5)), 0, framing.photo_height - 1);
  const int right = std::clamp(static_cast<int>(std::ceil(seen.right - 0.5)), left + 1, framing.photo_width);
  const int bottom =
      std::clamp(static_cast<int>(std::ceil(seen.bottom - 0.5)), top + 1, framing.photo_height);
  return {left, top, right - left, bottom - top};
}

cv::Mat PlacesInFrame(const WorkView& view, const Framing& framing) {
  cv::Mat places(view.colour.size(), CV_32FC2);
  for (int y = 0; y < places.rows; ++y) {
    for (int x = 0; x < places.cols; ++x) {
      const Point photo = {view.part.x + (x + 0.5) / view.scale_x(), view.part.y + (y + 0.5) / view.scale_y()};
      const Point frame = framing.PhotoToModel(photo);
      places.at<cv::Vec2f>(y, x) = {static_cast<float>(frame.x - 0.5), static_cast<float>(frame.y - 0.5)};
    }
  }
  return places;
}

WorkView MakeWorkView(const Image& photo, const Framing& framing, const MotionMask& mask, int most_side) {
  WorkView view;
  view.part = SeenPart(framing);
  const double shrink = std::min(1.0, static_cast<double>(most_side) / std::max(view.part.width, view.part.height));
  const cv::Size size(std::max(1, static_cast<int>(std::lround(view.part.width * shrink))),
                      std::max(1, static_cast<int>(std::lround(view.part.height * shrink))));
  cv::Mat small;
  cv::resize(AsMat(photo)(view.part), small, size, 0, 0, cv::INTER_AREA);
  small.convertTo(view.colour, CV_32FC3);
  if (mask.probability.empty()) {
    view.moves = cv::Mat::zeros(size, CV_32FC1);
    return view;
  }
  const cv::Mat probability(mask.height, mask.width, CV_32FC1, const_cast<float*>(mask.probability.data()));
  cv::remap(probability, view.moves, PlacesInFrame(view, framing), {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return view;
}

cv::Mat FillIn(const cv::Mat& field, const cv::Mat& weight) {
  const int channels = field.channels();
  std::vector<cv::Mat> planes;
  cv::split(field, planes);
  for (cv::Mat& plane : planes) plane = plane.mul(weight);
  planes.push_back(weight);
  cv::Mat sums;
  cv::merge(planes, sums);
  std::vector<cv::Mat> levels = {sums};
  while (std::max(levels.back().rows, levels.back().cols) > 2) {
    cv::Mat next;
    cv::pyrDown(levels.back(), next);
    levels.push_back(next);
  }
  constexpr float kCoarse = 0.02F;  // what the next coarser level weighs
  cv::Mat filled;
  for (size_t l = levels.size(); l-- > 0;) {
    cv::split(levels[l], planes);
    cv::Mat total = planes.back();
    planes.pop_back();
    if (filled.empty()) {
      total = cv::max(total, 1e-6F);
    } else {
      cv::Mat coarse;
      cv::resize(filled, coarse, levels[l].size(), 0, 0, cv::INTER_LINEAR);
      std::vector<cv::Mat> guess;
      cv::split(coarse, guess);
      for (int c = 0; c < channels; ++c) planes[c] += kCoarse * guess[c];
      total = total + kCoarse;
    }
    for (cv::Mat& plane : planes) plane = plane / total;
    cv::merge(planes, filled);
  }
  return filled;
}

}  // namespace wildrayzer
