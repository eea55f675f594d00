// Other photos brought into line with one photo, and into its exposure.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include "wildrayzer/pipeline/clean_work.h"

namespace wildrayzer {
double CleanKnob(const char* name, double value);
namespace {

constexpr int kLeastFlowSide = 48;  // of pictures in which flow is looked for
constexpr int kRounds = 2;

// From full pixels of the other picture to pixels of `picture.colour`.
cv::Mat InPicture(const cv::Mat& place, const OtherPicture& picture) {
  const float sx = static_cast<float>(picture.colour.cols) / static_cast<float>(picture.part.width);
  const float sy = static_cast<float>(picture.colour.rows) / static_cast<float>(picture.part.height);
  cv::Mat there(place.size(), CV_32FC2);
  for (int y = 0; y < place.rows; ++y) {
    const auto* in = place.ptr<cv::Vec2f>(y);
    auto* out = there.ptr<cv::Vec2f>(y);
    for (int x = 0; x < place.cols; ++x) {
      out[x] = {(in[x][0] - static_cast<float>(picture.part.x) + 0.5F) * sx - 0.5F,
                (in[x][1] - static_cast<float>(picture.part.y) + 0.5F) * sy - 0.5F};
    }
  }
  return there;
}

// Colour, motion and validity at other.place.
void Warp(const OtherPicture& picture, OtherView& other) {
  const cv::Mat there = InPicture(other.place, picture);
  cv::remap(picture.colour, other.colour, there, {}, cv::INTER_CUBIC, cv::BORDER_REPLICATE);
  cv::remap(picture.moves, other.moves, there, {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  other.valid = cv::Mat::zeros(other.place.size(), CV_32FC1);
  for (int y = 0; y < there.rows; ++y) {
    for (int x = 0; x < there.cols; ++x) {
      const cv::Vec2f& p = there.at<cv::Vec2f>(y, x);
      other.valid.at<float>(y, x) = p[0] >= -0.5F && p[1] >= -0.5F && p[0] <= static_cast<float>(picture.colour.cols) - 0.5F &&
                                            p[1] <= static_cast<float>(picture.colour.rows) - 0.5F
                                        ? 1.0F
                                        : 0.0F;
    }
  }
}

cv::Mat Gray8(const cv::Mat& colour) {
  cv::Mat gray, bytes;
  cv::cvtColor(colour, gray, cv::COLOR_RGB2GRAY);
  gray.convertTo(bytes, CV_8UC1);
  return bytes;
}

// A robust straight line from their colours to ours, channel by channel.
void FitExposure(const cv::Mat& own, const cv::Mat& theirs, const cv::Mat& weight, OtherView& other) {
  constexpr int kSteps = 8;
  constexpr double kHold = 0.02;  // of the weight: the line that changes nothing
  for (int c = 0; c < 3; ++c) {
    double a = 1, b = 0, spread = 20;
    for (int step = 0; step < kSteps; ++step) {
      double n = 1e-9, x1 = 0, y1 = 0, xx = 0, xy = 0, absolute = 0, total = 0;
      for (int y = 0; y < own.rows; ++y) {
        const auto* o = own.ptr<cv::Vec3f>(y);
        const auto* t = theirs.ptr<cv::Vec3f>(y);
        const auto* w = weight.ptr<float>(y);
        for (int x = 0; x < own.cols; ++x) {
          if (w[x] <= 0) continue;
          const double r = o[x][c] - (a * t[x][c] + b);
          const double weigh = w[x] / (1 + (r / spread) * (r / spread));
          n += weigh, x1 += weigh * t[x][c], y1 += weigh * o[x][c];
          xx += weigh * t[x][c] * t[x][c], xy += weigh * t[x][c] * o[x][c];
          absolute += weigh * std::abs(r), total += weigh;
        }
      }
      const double mx = x1 / n, my = y1 / n;
      const double hold = kHold * 40 * 40;  // a prior of this variance
      const double variance = std::max(0.0, xx / n - mx * mx), covariance = xy / n - mx * my;
      a = std::clamp((covariance + hold) / (variance + hold), 0.4, 2.5);
      b = std::clamp(my - a * mx, -60.0, 60.0);
      if (total < 16) a = 1, b = 0;
      spread = std::clamp(1.5 * absolute / std::max(total, 1e-9), 3.0, 20.0);
    }
    other.gain[c] = static_cast<float>(a);
    other.offset[c] = static_cast<float>(b);
  }
}

cv::Mat Exposed(const cv::Mat& colour, const OtherView& other) {
  cv::Mat out = colour.clone();
  for (int y = 0; y < out.rows; ++y) {
    auto* p = out.ptr<cv::Vec3f>(y);
    for (int x = 0; x < out.cols; ++x) {
      for (int c = 0; c < 3; ++c) p[x][c] = std::clamp(p[x][c] * other.gain[c] + other.offset[c], 0.0F, 255.0F);
    }
  }
  return out;
}

// Where the photo and the other view agree, in [0, 1].
void FindAgreement(const WorkView& own, const cv::Mat& still, OtherView& other) {
  cv::Mat difference, gray;
  cv::absdiff(own.colour, other.colour, difference);
  cv::transform(difference, gray, cv::Matx13f(1 / 3.0F, 1 / 3.0F, 1 / 3.0F));
  cv::blur(gray, gray, {3, 3}, {-1, -1}, cv::BORDER_REPLICATE);
  // The noise is that of the half that fits best.
  std::vector<float> values;
  for (int y = 0; y < gray.rows; ++y) {
    for (int x = 0; x < gray.cols; ++x) {
      if (still.at<float>(y, x) * other.valid.at<float>(y, x) * (1 - other.moves.at<float>(y, x)) > 0.5F)
        values.push_back(gray.at<float>(y, x));
    }
  }
  other.noise = 6;
  if (values.size() > 32) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    other.noise = std::clamp(1.5F * *middle, 2.0F, 12.0F);
  }
  cv::Mat ratio = gray / (3 * other.noise), fits;
  cv::exp(-ratio.mul(ratio), fits);
  other.agrees = fits.mul(other.valid).mul(still).mul(1 - other.moves);
}

}  // namespace

void AlignOther(const WorkView& own, const OtherPicture& picture, const cv::Mat& guide, double unit, OtherView& other) {
  const cv::Size size = own.colour.size();
  const auto grown = [&](const cv::Mat& moves, double by) {
    cv::Mat out;
    const int r = std::max(1, static_cast<int>(std::lround(by * unit)));
    cv::dilate(moves, out, cv::getStructuringElement(cv::MORPH_ELLIPSE, {2 * r + 1, 2 * r + 1}));
    cv::GaussianBlur(out, out, {}, 0.7 * unit, 0.7 * unit);
    return out;
  };
  const auto spread = [&](const cv::Mat& field) {
    cv::Mat at(size, CV_32FC2);
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x)
        at.at<cv::Vec2f>(y, x) = field.at<cv::Vec2f>(y, x) + cv::Vec2f(static_cast<float>(x), static_cast<float>(y));
    }
    return at;
  };
  const auto mixed = [](const cv::Mat& a, const cv::Mat& b, const cv::Mat& share) {
    cv::Mat share3, out;
    cv::merge(std::vector<cv::Mat>(3, share), share3);
    out = a + (b - a).mul(share3);
    return out;
  };
  const cv::Mat mine = grown(own.moves, CleanKnob("AGROW", 1.5));
  const cv::Mat still = 1 - mine;
  const bool flows = std::min(size.width, size.height) >= kLeastFlowSide;
  Warp(picture, other);
  const int rounds = static_cast<int>(CleanKnob("ROUNDS", kRounds));
  for (int round = 0;; ++round) {
    FitExposure(own.colour, other.colour, other.valid.mul(still).mul(1 - other.moves), other);
    other.colour = Exposed(other.colour, other);
    FindAgreement(own, still, other);
    if (!flows || round == rounds) return;
    const cv::Mat reference = mixed(own.colour, guide.empty() ? other.colour : guide, mine);
    const cv::Mat theirs = cv::max(grown(other.moves, CleanKnob("AGROW", 1.5)), 1 - other.valid);
    const cv::Mat compared = mixed(other.colour, reference, theirs);
    cv::Mat flow;
    const auto dis = cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
    dis->setFinestScale(std::max(size.width, size.height) < 256 ? 0 : 1);
    dis->calc(Gray8(reference), Gray8(compared), flow);
    // Flow counts where it makes them agree.
    OtherView moved = other;
    cv::remap(other.colour, moved.colour, spread(flow), {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    cv::remap(theirs, moved.moves, spread(flow), {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    WorkView guided = own;
    guided.colour = reference;
    const cv::Mat trust = guide.empty() ? still : cv::Mat(still + CleanKnob("GUIDE", 0.1) * mine);
    FindAgreement(guided, trust, moved);
    cv::Mat smooth = FillIn(flow, moved.agrees);
    const double soft = CleanKnob("FSOFT", 1.5) * unit;
    if (soft > 0) cv::GaussianBlur(smooth, smooth, {}, soft, soft, cv::BORDER_REPLICATE);
    cv::Mat place;
    cv::remap(other.place, place, spread(smooth), {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    other.place = place;
    Warp(picture, other);
  }
}

}  // namespace wildrayzer
