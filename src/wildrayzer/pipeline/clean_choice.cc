// Which pixels of a photo show something that moved, and which other picture shows what is behind it.
//
// A pixel shows the place, or something that moves: a priori by the model's masks. So do the same pixels of
// other photos, and the pictures that show the place look alike. Scores are logarithms of how likely all of
// that is together: if the photo's own pixel shows the place; if another photo's does; if none does.
// Constants were chosen on validation rooms (scripts/measure-clean), all lengths in units of the model's
// pixels.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/pipeline/clean_work.h"

namespace wildrayzer {
namespace {

constexpr double kLeastProbability = 0.02;  // no mask is more certain than this
// Near a mask, pixels are thought to move with this probability at least; it falls by e over this distance.
constexpr double kNearMask = 0.1, kNearDistance = 8;
// Gain of pictures that look alike, and the most that is lost where they do not, in logarithms.
constexpr double kAlike = 5, kUnlike = 4;
constexpr double kNoise = 2;  // in units of that of what agrees, which is measured on its better half
constexpr double kRenderedNoise =
    12;  // of renderings, which are blurred, and show ghosts: they count for less
constexpr double kAlikeRendered = 1, kUnlikeRendered = 2;
constexpr double kNoneShows = 2;  // what a score of the rendering lacks: it is blurred, and photos are not
constexpr double kAligned = 1;    // weight of how well a photo is aligned about the place
constexpr double kMostWord = 4;   // of a pixel, where one picture is chosen among others
constexpr double kReach = 1;      // colours are compared over this distance
constexpr double kSmooth = 1, kSmoothAmongOthers = 4;  // scores are means over these
constexpr double kSpeck = 1;                           // smaller specks and holes are closed
constexpr double kBroad = 2;   // what touches no mask goes only where it is broader than twice this
constexpr double kGrow = 1.5;  // soft edges and shadows

cv::Mat Log(const cv::Mat& m) {
  cv::Mat out;
  cv::log(cv::max(m, 1e-6), out);
  return out;
}

cv::Mat Exp(const cv::Mat& m) {
  cv::Mat out;
  cv::exp(m, out);
  return out;
}

void Smooth(cv::Mat& m, double sigma) { cv::GaussianBlur(m, m, {}, sigma, sigma, cv::BORDER_REPLICATE); }

// How much more likely two pictures show one thing than two things: from -unlike to alike. Places are known
// to a pixel or so: what is between its neighbours' colours fits.
struct Evidence {
  double noise, alike, unlike;
};
cv::Mat Likeness(const cv::Mat& a, const cv::Mat& b, const Evidence& evidence, double unit) {
  const auto outside = [](const cv::Mat& p, const cv::Mat& q) {
    cv::Mat low, high;
    cv::erode(q, low, cv::Mat::ones(3, 3, CV_8U));
    cv::dilate(q, high, cv::Mat::ones(3, 3, CV_8U));
    cv::Mat below = low - p, above = p - high, either = cv::max(below, above);
    return cv::Mat(cv::max(either, 0.0));
  };
  const cv::Mat apart = 0.5 * (outside(a, b) + outside(b, a));
  cv::Mat square, mean;
  cv::transform(apart.mul(apart), square, cv::Matx13f(1 / 3.0F, 1 / 3.0F, 1 / 3.0F));
  const int side = 2 * std::max(1, static_cast<int>(std::lround(kReach * unit))) + 1;
  cv::blur(square, mean, {side, side}, {-1, -1}, cv::BORDER_REPLICATE);
  const cv::Mat score = evidence.alike - mean / (2 * evidence.noise * evidence.noise);
  return cv::max(score, -evidence.unlike);
}

// The model's word, by odds that are even at its threshold.
cv::Mat Believed(const cv::Mat& moves, double threshold) {
  const double t = std::clamp(threshold, 0.01, 0.99);
  const cv::Mat p = cv::min(cv::max(moves, kLeastProbability), 1 - kLeastProbability);
  const cv::Mat even = 1 / (1 + Exp(Log(1 - p) - Log(p) + std::log(t / (1 - t))));
  return cv::min(cv::max(even, kLeastProbability), 1 - kLeastProbability);
}

// Of this photo: whether a pixel moves, before other pictures are asked.
cv::Mat OwnMotion(const WorkView& own, const cv::Mat& core, double threshold) {
  if (own.told) {
    cv::Mat soft, certain;
    cv::GaussianBlur(own.moves, soft, {}, own.unit, own.unit);
    certain = cv::min(cv::max(soft, 1e-3), 0.5);
    certain.setTo(1 - 1e-6, core);
    return certain;
  }
  cv::Mat distance;
  cv::distanceTransform(~core, distance, cv::DIST_L2, 3);
  const cv::Mat near = kNearMask * Exp(distance * (-1 / (kNearDistance * own.unit)));
  return cv::max(Believed(own.moves, threshold), near);
}

// How much of what stands still about a place agrees with the other view, in [0, 1].
cv::Mat AlignedAbout(const WorkView& own, const OtherView& other) {
  constexpr double kLeast = 0.05;
  const cv::Mat still = (1 - own.moves).mul(1 - other.moves).mul(other.valid);
  const cv::Mat share = FillIn(other.agrees / cv::max(still, 0.1), still.mul(still));
  cv::Mat about;
  cv::GaussianBlur(share, about, {}, kSmoothAmongOthers * own.unit, kSmoothAmongOthers * own.unit);
  return cv::min(cv::max(about, kLeast), 1.0);
}

struct Scores {
  cv::Mat stays;
  std::vector<cv::Mat> taken;  // of each other view
};

Scores Weigh(const WorkView& own, const std::vector<OtherView>& others, const cv::Mat& core,
             double threshold) {
  const size_t photos = others.size() - 1;
  const cv::Mat& rendering = others.back().colour;
  const cv::Mat moves = OwnMotion(own, core, threshold);
  std::vector<cv::Mat> theirs;
  for (size_t k = 0; k < photos; ++k) theirs.push_back(Believed(others[k].moves, threshold));
  // What photo k says of a picture of the place that is so much like it: nothing where it shows nothing.
  const auto word = [&](size_t k, const cv::Mat& likeness) {
    return cv::Mat(Log((1 - theirs[k]).mul(Exp(likeness)) + theirs[k]).mul(others[k].valid));
  };
  const auto like_rendering = [&](const cv::Mat& colour) {
    return Likeness(colour, rendering, {kRenderedNoise, kAlikeRendered, kUnlikeRendered}, own.unit);
  };
  const auto like_photo = [&](const cv::Mat& colour, size_t k, float noise) {
    return Likeness(colour, others[k].colour, {kNoise * noise, kAlike, kUnlike}, own.unit);
  };
  Scores scores;
  scores.stays = Log(1 - moves) + like_rendering(own.colour);
  // If this photo's pixel shows what moves, another's may show the same: one who stands still for two photos.
  cv::Mat same = cv::Mat::zeros(moves.size(), CV_32FC1), none = Log(moves) - kNoneShows;
  for (size_t k = 0; k < photos; ++k) {
    const cv::Mat likeness = like_photo(own.colour, k, others[k].noise);
    scores.stays += word(k, likeness);
    same =
        cv::max(same, Log(1 - theirs[k] + theirs[k].mul(Exp(cv::max(likeness, 0.0)))).mul(others[k].valid));
    none += Log(theirs[k]).mul(others[k].valid);
  }
  none += same;
  for (size_t k = 0; k < photos; ++k) {
    constexpr double kNever = 100;
    cv::Mat score = Log(moves) + Log(1 - theirs[k]) + same + kNever * (others[k].valid - 1) +
                    like_rendering(others[k].colour);
    for (size_t j = 0; j < photos; ++j) {
      if (j != k)
        score += word(j, like_photo(others[k].colour, j, std::max(others[j].noise, others[k].noise)));
    }
    scores.taken.push_back(score);
  }
  scores.taken.push_back(none);
  Smooth(scores.stays, kSmooth * own.unit);
  for (cv::Mat& score : scores.taken) Smooth(score, kSmooth * own.unit);
  return scores;
}

// Regions of `gone` that have a pixel of `seeds`.
cv::Mat RegionsWith(const cv::Mat& gone, const cv::Mat& seeds) {
  cv::Mat labels, kept = cv::Mat::zeros(gone.size(), CV_8UC1);
  std::vector<uint8_t> keeps(static_cast<size_t>(cv::connectedComponents(gone, labels, 8, CV_32S)));
  for (int y = 0; y < gone.rows; ++y) {
    for (int x = 0; x < gone.cols; ++x) {
      if (seeds.at<uint8_t>(y, x)) keeps[static_cast<size_t>(labels.at<int>(y, x))] = 1;
    }
  }
  keeps[0] = 0;  // what is not gone
  for (int y = 0; y < gone.rows; ++y) {
    for (int x = 0; x < gone.cols; ++x) {
      if (keeps[static_cast<size_t>(labels.at<int>(y, x))]) kept.at<uint8_t>(y, x) = 255;
    }
  }
  return kept;
}

}  // namespace

cv::Mat ChooseSources(const WorkView& own, const std::vector<OtherView>& others, double threshold) {
  const size_t photos = others.size() - 1;
  const cv::Mat core = own.moves > threshold;
  Scores scores = Weigh(own, others, core, threshold);
  cv::Mat best = scores.taken[0].clone();
  for (const cv::Mat& score : scores.taken) best = cv::max(best, score);
  cv::Mat gone = best > scores.stays;
  cv::morphologyEx(gone, gone, cv::MORPH_OPEN, Disc(kSpeck * own.unit));
  cv::morphologyEx(gone, gone, cv::MORPH_CLOSE, Disc(kSpeck * own.unit));
  // Without a mask, two photos against one may also be parallax: at the edges of what is near.
  cv::Mat seeds = core.clone();
  if (photos > 1 && !own.told) {
    cv::Mat broad;
    cv::morphologyEx(gone, broad, cv::MORPH_OPEN, Disc(kBroad * own.unit));
    seeds |= broad;
  }
  gone = RegionsWith(gone, seeds);
  if (own.told) gone |= core;

  // One picture for a whole region, by what is inside of it; no pixel's word counts for much more than
  // another's.
  cv::Mat inside, area;
  gone.convertTo(inside, CV_32FC1, 1 / 255.0);
  if (cv::countNonZero(gone) > 0) cv::dilate(gone, gone, Disc(kGrow * own.unit));
  area = inside.clone();
  Smooth(area, kSmoothAmongOthers * own.unit);
  for (size_t k = 0; k < scores.taken.size(); ++k) {
    cv::Mat& score = scores.taken[k];
    score = cv::max(score, best - kMostWord);
    if (k < photos) score += kAligned * Log(AlignedAbout(own, others[k]));
    score = score.mul(inside);
    Smooth(score, kSmoothAmongOthers * own.unit);
    score = score / cv::max(area, 1e-6);
  }
  cv::Mat sources = cv::Mat::zeros(gone.size(), CV_8UC1);
  for (int y = 0; y < gone.rows; ++y) {
    for (int x = 0; x < gone.cols; ++x) {
      if (!gone.at<uint8_t>(y, x)) continue;
      size_t top = photos;  // the rendering, unless a photo shows the place
      for (size_t k = 0; k < photos; ++k) {
        if (others[k].valid.at<float>(y, x) > 0 &&
            scores.taken[k].at<float>(y, x) > scores.taken[top].at<float>(y, x))
          top = k;
      }
      sources.at<uint8_t>(y, x) = others[top].source;
    }
  }
  return sources;
}

}  // namespace wildrayzer
