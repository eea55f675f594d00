#include <cmath>
#include <cstdlib>
#include <opencv2/calib3d.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "wildrayzer/evaluation/floors.h"
#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kMinInliers = 12;
constexpr double kMaxScale = 4.0;

struct Features {
  std::vector<cv::KeyPoint> points;
  cv::Mat descriptors;
};

Features Detect(const Planes& picture) {
  const Image image = ImageFrom(picture);
  cv::Mat gray;
  cv::cvtColor(AsMat(image), gray, cv::COLOR_RGB2GRAY);
  Features features;
  cv::SIFT::create(2000)->detectAndCompute(gray, cv::noArray(), features.points, features.descriptors);
  return features;
}

// Matches whose best candidate is clearly better than the second (Lowe 2004, ratio 0.8).
void Match(const Features& a, const Features& b, std::vector<cv::Point2f>& from,
           std::vector<cv::Point2f>& to) {
  if (a.points.size() < 2 || b.points.size() < 2) return;
  std::vector<std::vector<cv::DMatch>> candidates;
  cv::BFMatcher(cv::NORM_L2).knnMatch(a.descriptors, b.descriptors, candidates, 2);
  for (const auto& pair : candidates) {
    if (pair.size() < 2 || pair[0].distance >= 0.8f * pair[1].distance) continue;
    from.push_back(a.points[pair[0].queryIdx].pt);
    to.push_back(b.points[pair[0].trainIdx].pt);
  }
}

// Keeps its orientation and roughly its size at all four corners and never crosses the horizon inside the
// picture.
bool Plausible(const cv::Matx33d& h, int width, int height) {
  for (const double x : {0.0, static_cast<double>(width)}) {
    for (const double y : {0.0, static_cast<double>(height)}) {
      const double w = h(2, 0) * x + h(2, 1) * y + h(2, 2);
      // The determinant of the homography's derivative at a point is det(H) / w^3: the local change of area.
      const double area = cv::determinant(h) / (w * w * w);
      if (!(w > 0) || !(area > 1 / (kMaxScale * kMaxScale)) || !(area < kMaxScale * kMaxScale)) return false;
    }
  }
  return true;
}

Planes Warp(const Planes& input, const cv::Matx33d& homography) {
  Planes out = input;  // what the warp does not reach stays
  for (int c = 0; c < input.channels; ++c) {
    const cv::Mat source(input.height, input.width, CV_32F, const_cast<float*>(input.Plane(c).data()));
    cv::Mat target(out.height, out.width, CV_32F, out.Plane(c).data());
    cv::warpPerspective(source, target, homography, target.size(), cv::INTER_LINEAR, cv::BORDER_TRANSPARENT);
  }
  return out;
}

}  // namespace

WarpedView WarpOntoView(const Planes& input, const Planes& target, uint64_t seed) {
  CheckComparable(input, target, "homography");
  std::vector<cv::Point2f> from, to;
  Match(Detect(input), Detect(target), from, to);
  WarpedView view{.picture = input};
  if (from.size() < kMinInliers) return view;

  cv::UsacParams parameters;
  parameters.threshold = 2.0;
  parameters.confidence = 0.999;
  parameters.maxIterations = 5000;
  parameters.randomGeneratorState = static_cast<int>(seed & 0x7fffffff);
  cv::Mat inliers;
  const cv::Mat homography = cv::findHomography(from, to, inliers, parameters);
  if (homography.empty()) return view;
  view.inliers = cv::countNonZero(inliers);
  cv::Matx33d h = homography;
  if (h(2, 2) < 0) h = h * -1.0;
  if (view.inliers < kMinInliers || !Plausible(h, input.width, input.height)) return view;
  view.picture = Warp(input, h);
  view.warped = true;
  return view;
}

}  // namespace wildrayzer
