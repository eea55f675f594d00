// Which pixels of a photo show something that moved, and which other picture shows what is behind it.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/pipeline/clean_work.h"

namespace wildrayzer {

double CleanKnob(const char* name, double value) {
  const char* text = std::getenv(name);
  return text ? std::atof(text) : value;
}

namespace {

// How much more likely two pictures show one thing than two things, as a logarithm; of the colours within
// `reach` pixels. A pixel's place is known to a pixel or so: what is between its neighbours' colours fits.
cv::Mat Likeness(const cv::Mat& a, const cv::Mat& b, double noise, int reach) {
  const auto outside = [](const cv::Mat& p, const cv::Mat& q) {
    cv::Mat low, high, below, above;
    cv::erode(q, low, cv::Mat::ones(3, 3, CV_8U));
    cv::dilate(q, high, cv::Mat::ones(3, 3, CV_8U));
    below = low - p;
    above = p - high;
    cv::Mat out = cv::max(cv::max(below, above), 0.0);
    return out;
  };
  const cv::Mat d = 0.5 * (outside(a, b) + outside(b, a));
  cv::Mat square, mean;
  cv::transform(d.mul(d), square, cv::Matx13f(1 / 3.0F, 1 / 3.0F, 1 / 3.0F));
  cv::blur(square, mean, {2 * reach + 1, 2 * reach + 1}, {-1, -1}, cv::BORDER_REPLICATE);
  const double agree = CleanKnob("AGREE", 2.0), most = CleanKnob("MOST", 4.0);
  const cv::Mat score = agree - mean / (2 * noise * noise);
  return cv::max(score, -most);
}

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

}  // namespace

Choice ChooseSources(const WorkView& own, const std::vector<OtherView>& others, double unit,
                     const CleanOptions& options) {
  const cv::Size size = own.colour.size();
  const int reach = std::max(1, static_cast<int>(std::lround(CleanKnob("REACH", 1) * unit)));
  const double least = CleanKnob("LEAST", 0.02), noise_times = CleanKnob("NOISE", 2);
  const size_t photos = others.size() - 1;
  // Probabilities are sharpened about the threshold and never certain.
  const auto believe = [&](const cv::Mat& p) {
    const double t = std::clamp(options.threshold, 0.01, 0.99), power = CleanKnob("POWER", 1);
    cv::Mat c = cv::min(cv::max(p, least), 1 - least), odds;
    odds = Log(c) - Log(1 - c) - std::log(t / (1 - t));
    const cv::Mat even = 1 / (1 + Exp(-power * odds));
    return cv::Mat(cv::min(cv::max(even, least), 1 - least));
  };
  const cv::Mat moves = believe(own.moves);
  std::vector<cv::Mat> theirs;
  for (size_t k = 0; k < photos; ++k) theirs.push_back(believe(others[k].moves));
  // Their word about a picture: log of (shows the same and is still) + (moves there); nothing where not seen.
  const auto word = [&](const cv::Mat& likeness, size_t k) {
    const cv::Mat sum = (1 - theirs[k]).mul(Exp(likeness)) + theirs[k];
    return cv::Mat(Log(sum).mul(others[k].valid));
  };
  const double rendered_noise = CleanKnob("RNOISE", 12), rendered_weight = CleanKnob("RWEIGHT", 0.5);
  cv::Mat stays = Log(1 - moves);
  for (size_t k = 0; k < photos; ++k)
    stays += word(Likeness(own.colour, others[k].colour, noise_times * others[k].noise, reach), k);
  stays += rendered_weight * Likeness(own.colour, others.back().colour, rendered_noise, reach);

  std::vector<cv::Mat> scores;
  for (size_t k = 0; k < photos; ++k) {
    cv::Mat score = Log(moves) + Log(1 - theirs[k]) + 20 * (others[k].valid - 1);
    for (size_t j = 0; j < photos; ++j) {
      if (j == k) continue;
      score += word(Likeness(others[k].colour, others[j].colour,
                             noise_times * std::max(others[j].noise, others[k].noise), reach),
                    j);
    }
    score += rendered_weight * Likeness(others[k].colour, others.back().colour, rendered_noise, reach);
    scores.push_back(score);
  }
  cv::Mat rendered = Log(moves) - CleanKnob("RENDERED", 1.0);
  for (size_t k = 0; k < photos; ++k) rendered += Log(theirs[k]).mul(others[k].valid);
  scores.push_back(rendered);

  const double sigma = CleanKnob("SMOOTH", 1.0) * unit;
  const auto smooth = [&](cv::Mat& m, double s) { cv::GaussianBlur(m, m, {}, s, s, cv::BORDER_REPLICATE); };
  smooth(stays, sigma);
  for (cv::Mat& score : scores) smooth(score, sigma);
  cv::Mat best = scores[0].clone();
  for (const cv::Mat& score : scores) best = cv::max(best, score);
  cv::Mat gone = best > stays;

  // Specks
  const int speck = std::max(1, static_cast<int>(std::lround(CleanKnob("SPECK", 1) * unit)));
  const auto disc = [](int r) { return cv::getStructuringElement(cv::MORPH_ELLIPSE, {2 * r + 1, 2 * r + 1}); };
  if (speck > 0) {
    cv::morphologyEx(gone, gone, cv::MORPH_OPEN, disc(speck));
    cv::morphologyEx(gone, gone, cv::MORPH_CLOSE, disc(speck));
  }
  const int grow = static_cast<int>(std::lround(CleanKnob("GROW", 1.5) * unit));
  if (grow > 0) cv::dilate(gone, gone, disc(grow));

  const double wide = CleanKnob("WIDE", 2.0) * unit;
  for (cv::Mat& score : scores) smooth(score, wide);
  Choice choice;
  choice.source = cv::Mat::zeros(size, CV_8UC1);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      if (!gone.at<uint8_t>(y, x)) continue;
      size_t top = photos;
      for (size_t k = 0; k < photos; ++k) {
        if (others[k].valid.at<float>(y, x) > 0 && scores[k].at<float>(y, x) > scores[top].at<float>(y, x)) top = k;
      }
      choice.source.at<uint8_t>(y, x) = others[top].source;
    }
  }
  return choice;
}

}  // namespace wildrayzer
