// Other pictures brought into line with one photo, and into its exposure.
#include <algorithm>
#include <cmath>
#include <opencv2/calib3d.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include "wildrayzer/pipeline/clean_work.h"

namespace wildrayzer {
namespace {

constexpr int kLeastFlowSide = 48;  // of pictures in which flow is looked for
constexpr int kRounds = 2;          // of flow: the second finds what the first could not reach
// What moves has soft edges and shadows, and flow sees some pixels about; all in units of the model's pixels.
constexpr double kMargin = 1.5, kMarginBlur = 0.7;
constexpr double kFlowBlur = 1.5;  // of what is carried on behind what moves

cv::Mat PixelGrid(const cv::Size& size) {
  cv::Mat grid(size, CV_32FC2);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x)
      grid.at<cv::Vec2f>(y, x) = {static_cast<float>(x), static_cast<float>(y)};
  }
  return grid;
}

cv::Mat Sampled(const cv::Mat& picture, const cv::Mat& at, int interpolation = cv::INTER_LINEAR) {
  cv::Mat out;
  cv::remap(picture, out, at, {}, interpolation, cv::BORDER_REPLICATE);
  return out;
}

// From the full picture to the pixels of picture.colour, and back.
cv::Scalar Scale(const OtherPicture& picture) {
  return {static_cast<double>(picture.colour.cols) / picture.part.width,
          static_cast<double>(picture.colour.rows) / picture.part.height};
}
cv::Mat InPicture(const cv::Mat& place, const OtherPicture& picture) {
  const cv::Scalar scale = Scale(picture);
  cv::Mat out = place + cv::Scalar(0.5 - picture.part.x, 0.5 - picture.part.y);
  cv::multiply(out, scale, out);
  return out - cv::Scalar(0.5, 0.5);
}
cv::Mat InFull(const cv::Mat& there, const OtherPicture& picture) {
  const cv::Scalar scale = Scale(picture);
  cv::Mat out = there + cv::Scalar(0.5, 0.5);
  cv::multiply(out, cv::Scalar(1 / scale[0], 1 / scale[1]), out);
  return out + cv::Scalar(picture.part.x - 0.5, picture.part.y - 0.5);
}

// Colour (as it is there), motion and validity at other.place.
void Warp(const OtherPicture& picture, OtherView& other) {
  const cv::Mat there = InPicture(other.place, picture);
  other.colour = Sampled(picture.colour, there, cv::INTER_CUBIC);
  other.moves = Sampled(picture.moves, there);
  cv::Mat inside;
  cv::inRange(there, cv::Scalar(-0.5, -0.5), cv::Scalar(picture.colour.cols - 0.5, picture.colour.rows - 0.5),
              inside);
  inside.convertTo(other.valid, CV_32FC1, 1 / 255.0);
}

cv::Mat Gray(const cv::Mat& colour) {
  cv::Mat gray, bytes;
  cv::cvtColor(colour, gray, cv::COLOR_RGB2GRAY);
  gray.convertTo(bytes, CV_8UC1);
  return bytes;
}

// One channel's robust straight line from x to y: outliers count for less the farther they are.
cv::Vec2d RobustLine(const std::vector<cv::Vec3f>& points) {  // (x, y, weight)
  constexpr int kSteps = 8;
  constexpr double kLeastWeight = 16;
  // As if there were points besides, of this variance, that say that nothing changes: flat pictures tell no
  // gain.
  constexpr double kHold = 0.02 * 40 * 40;
  double a = 1, b = 0, spread = 20;
  for (int step = 0; step < kSteps; ++step) {
    double n = 1e-9, sx = 0, sy = 0, sxx = 0, sxy = 0, apart = 0;
    for (const cv::Vec3f& p : points) {
      const double r = (p[1] - (a * p[0] + b)) / spread, w = p[2] / (1 + r * r);
      n += w, sx += w * p[0], sy += w * p[1], sxx += w * p[0] * p[0], sxy += w * p[0] * p[1];
      apart += w * std::abs(r) * spread;
    }
    if (n < kLeastWeight) return {1, 0};
    const double mx = sx / n, my = sy / n;
    a = std::clamp((sxy / n - mx * my + kHold) / (std::max(0.0, sxx / n - mx * mx) + kHold), 0.4, 2.5);
    b = std::clamp(my - a * mx, -60.0, 60.0);
    spread = std::clamp(1.5 * apart / n, 3.0, 20.0);
  }
  return {a, b};
}

void MatchExposure(const WorkView& own, const cv::Mat& weight, OtherView& other) {
  // Two numbers need no more points than that; each stands for those about it.
  constexpr double kPoints = 20000;
  const int step = std::max(1, static_cast<int>(std::sqrt(static_cast<double>(weight.total()) / kPoints)));
  std::vector<cv::Mat> scaled;
  cv::split(other.colour, scaled);
  for (int c = 0; c < 3; ++c) {
    std::vector<cv::Vec3f> points;
    for (int y = step / 2; y < weight.rows; y += step) {
      for (int x = step / 2; x < weight.cols; x += step) {
        const float w = weight.at<float>(y, x) * static_cast<float>(step * step);
        if (w > 0)
          points.emplace_back(other.colour.at<cv::Vec3f>(y, x)[c], own.colour.at<cv::Vec3f>(y, x)[c], w);
      }
    }
    const cv::Vec2d line = RobustLine(points);
    other.gain[c] = static_cast<float>(line[0]);
    other.offset[c] = static_cast<float>(line[1]);
    scaled[static_cast<size_t>(c)].convertTo(scaled[static_cast<size_t>(c)], CV_32F, line[0], line[1]);
  }
  cv::merge(scaled, other.colour);
}

// Where the photo and the other view agree, by other.noise.
cv::Mat Agreement(const cv::Mat& apart, const cv::Mat& still, const OtherView& other) {
  cv::Mat ratio = apart / (3 * other.noise), fits;
  cv::exp(-ratio.mul(ratio), fits);
  return fits.mul(other.valid).mul(still).mul(1 - other.moves);
}

cv::Mat Apart(const cv::Mat& own, const cv::Mat& theirs) {
  cv::Mat difference, gray;
  cv::absdiff(own, theirs, difference);
  cv::transform(difference, gray, cv::Matx13f(1 / 3.0F, 1 / 3.0F, 1 / 3.0F));
  cv::blur(gray, gray, {3, 3}, {-1, -1}, cv::BORDER_REPLICATE);
  return gray;
}

// Noise and agreement. Noise is that of the half that fits best.
void FindAgreement(const cv::Mat& own, const cv::Mat& still, OtherView& other) {
  constexpr size_t kFewest = 32;
  const cv::Mat apart = Apart(own, other.colour);
  const cv::Mat counts = other.valid.mul(still).mul(1 - other.moves);
  std::vector<float> values;
  for (int y = 0; y < apart.rows; ++y) {
    for (int x = 0; x < apart.cols; ++x) {
      if (counts.at<float>(y, x) > 0.5F) values.push_back(apart.at<float>(y, x));
    }
  }
  other.noise = OtherView{}.noise;
  if (values.size() > kFewest) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    other.noise = std::clamp(1.5F * *middle, 2.0F, 12.0F);
  }
  other.agrees = Agreement(apart, still, other);
}

// Exposure, noise and agreement at other.place.
void Compare(const WorkView& own, const OtherPicture& picture, const cv::Mat& still, OtherView& other) {
  Warp(picture, other);
  MatchExposure(own, other.valid.mul(still).mul(1 - other.moves), other);
  FindAgreement(own.colour, still, other);
}

cv::Mat Grown(const cv::Mat& moves, double unit) {
  cv::Mat out;
  cv::dilate(moves, out, Disc(kMargin * unit));
  cv::GaussianBlur(out, out, {}, kMarginBlur * unit, kMarginBlur * unit);
  return out;
}

// Photos from one place, or of a plane, are one homography apart, which is more exact than flow and goes on
// behind what moves. Empty where too little of what is found again says so.
cv::Mat PlacesByHomography(const WorkView& own, const cv::Mat& still, const OtherPicture& picture,
                           const OtherView& other) {
  constexpr int kMostPoints = 2000;
  constexpr size_t kFewestPoints = 50;
  constexpr double kLeastShare = 0.4, kTolerance = 1;
  // Of one size, as the search asks for.
  const int rows = std::max(own.colour.rows, picture.colour.rows);
  const int columns = std::max(own.colour.cols, picture.colour.cols);
  const auto padded = [&](const cv::Mat& gray) {
    cv::Mat out;
    cv::copyMakeBorder(gray, out, 0, rows - gray.rows, 0, columns - gray.cols, cv::BORDER_REPLICATE);
    return out;
  };
  const cv::Mat reference = padded(Gray(own.colour)), theirs = padded(Gray(picture.colour));
  const cv::Mat guess = InPicture(other.place, picture);
  std::vector<cv::Point2f> corners, found, back, here, there;
  cv::goodFeaturesToTrack(Gray(own.colour), corners, kMostPoints, 0.001, 4, still > 0.5);
  if (corners.size() < kFewestPoints) return {};
  for (const cv::Point2f& p : corners) {
    const auto& q = guess.at<cv::Vec2f>(static_cast<int>(p.y), static_cast<int>(p.x));
    found.emplace_back(q[0], q[1]);
  }
  std::vector<uint8_t> ok, ok_back;
  const auto track = [](const cv::Mat& from, const cv::Mat& to, const std::vector<cv::Point2f>& at,
                        std::vector<cv::Point2f>& seen, std::vector<uint8_t>& well) {
    const cv::TermCriteria stop(cv::TermCriteria::COUNT + cv::TermCriteria::EPS, 30, 0.01);
    cv::calcOpticalFlowPyrLK(from, to, at, seen, well, cv::noArray(), {21, 21}, 2, stop,
                             cv::OPTFLOW_USE_INITIAL_FLOW);
  };
  back = corners;
  track(reference, theirs, corners, found, ok);
  track(theirs, reference, found, back, ok_back);
  const cv::Rect2f frame(0, 0, static_cast<float>(picture.colour.cols),
                         static_cast<float>(picture.colour.rows));
  for (size_t i = 0; i < corners.size(); ++i) {
    if (!ok[i] || !ok_back[i] || cv::norm(back[i] - corners[i]) > 0.7 || !frame.contains(found[i])) continue;
    here.push_back(corners[i]);
    there.push_back(found[i]);
  }
  if (here.size() < kFewestPoints) return {};
  cv::setRNGSeed(1);  // the same every time
  std::vector<uint8_t> inliers;
  const cv::Mat homography = cv::findHomography(here, there, cv::RANSAC, kTolerance, inliers);
  if (homography.empty() || cv::countNonZero(inliers) < kLeastShare * static_cast<double>(here.size()))
    return {};
  cv::Mat places;
  cv::perspectiveTransform(PixelGrid(own.colour.size()), places, homography);
  return InFull(places, picture);
}

// One round of dense flow; `still` is this photo's.
void FollowFlow(const WorkView& own, const OtherPicture& picture, const cv::Mat& guide, const cv::Mat& still,
                OtherView& other) {
  const cv::Size size = own.colour.size();
  const cv::Mat moves = 1 - still;
  const cv::Mat reference = Mixed(own.colour, guide.empty() ? other.colour : guide, moves);
  // What moves there, or is not seen, is not to be found here.
  const cv::Mat theirs = cv::max(Grown(other.moves, own.unit), 1 - other.valid);
  const auto dis = cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
  dis->setFinestScale(std::max(size.width, size.height) < 256 ? 0 : 1);
  cv::Mat flow;
  dis->calc(Gray(reference), Gray(Mixed(other.colour, reference, theirs)), flow);
  // Flow counts where it makes them agree.
  const cv::Mat grid = PixelGrid(size);
  OtherView moved = other;
  moved.colour = Sampled(other.colour, grid + flow);
  moved.moves = Sampled(theirs, grid + flow);
  FindAgreement(reference, still, moved);
  cv::Mat smooth = FillIn(flow, moved.agrees);
  cv::GaussianBlur(smooth, smooth, {}, kFlowBlur * own.unit, kFlowBlur * own.unit, cv::BORDER_REPLICATE);
  smooth = Mixed(smooth, flow, moved.agrees);
  other.place = Sampled(other.place, grid + smooth);
}

// Where hardly half of what stands still agrees, places are wrong, and who disagrees says nothing.
void TrustOrDrop(const cv::Mat& still, OtherView& other) {
  constexpr double kLeastShare = 0.6;
  const cv::Scalar could = cv::sum(other.valid.mul(still).mul(1 - other.moves));
  if (cv::sum(other.agrees)[0] >= kLeastShare * could[0]) return;
  other.valid.setTo(0);
  other.agrees.setTo(0);
}

void AlignTo(const WorkView& own, const cv::Mat& still, const OtherPicture& picture, const cv::Mat& guide,
             OtherView& other) {
  Compare(own, picture, still, other);
  if (std::min({own.colour.rows, own.colour.cols, picture.colour.rows, picture.colour.cols}) < kLeastFlowSide)
    return;
  OtherView plain = other;
  for (int round = 0; round < kRounds; ++round) {
    FollowFlow(own, picture, guide, still, other);
    Compare(own, picture, still, other);
  }
  if (guide.empty()) return;
  plain.place = PlacesByHomography(own, still, picture, other);
  if (plain.place.empty()) return;
  Compare(own, picture, still, plain);
  // Flow fits noise, too, so it always agrees a little better; where things are at many distances, by far.
  constexpr double kNearly = 0.92;
  plain.noise = other.noise = std::max(plain.noise, other.noise);
  const cv::Scalar by_flow = cv::sum(Agreement(Apart(own.colour, other.colour), still, other));
  const cv::Scalar by_plane = cv::sum(Agreement(Apart(own.colour, plain.colour), still, plain));
  if (by_plane[0] > kNearly * by_flow[0]) other = plain;
}

}  // namespace

void AlignOther(const WorkView& own, const OtherPicture& picture, const cv::Mat& guide, OtherView& other) {
  const cv::Mat still = 1 - Grown(own.moves, own.unit);
  AlignTo(own, still, picture, guide, other);
  if (!guide.empty()) TrustOrDrop(still, other);
}

}  // namespace wildrayzer
