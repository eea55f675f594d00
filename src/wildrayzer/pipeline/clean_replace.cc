// Other pictures' pixels put into a photo, at its full resolution, without seams.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/pipeline/clean_work.h"

namespace wildrayzer {
namespace {

constexpr int kTile = 512;  // pixels a side of what is worked on at a time
// In units of the model's pixels: the width over which what is put in ends outside of the mask; over which
// sources pass into each other; over which colours are adjusted.
constexpr double kRing = 1, kSeam = 1.5, kColourBlur = 2;
constexpr double kMostCorrection = 25;  // of colours, beyond exposure

// What comes from one picture, in work pixels.
struct Layer {
  cv::Mat weight;      // CV_32FC1; those of all layers sum to 1 inside the mask and to less in its ring
  cv::Mat correction;  // CV_32FC3, added to colours
};

std::vector<Layer> MakeLayers(const WorkView& own, const std::vector<OtherView>& others,
                              const cv::Mat& sources) {
  const cv::Mat stays_mask = sources == kOwnPixel;
  cv::Mat stays, distance;
  stays_mask.convertTo(stays, CV_32FC1, 1 / 255.0);
  cv::distanceTransform(stays_mask, distance, cv::DIST_L2, 3);
  const cv::Mat inside = cv::max(0.0, 1 - distance / (std::max(1.0, kRing * own.unit) + 1));
  std::vector<Layer> layers;
  cv::Mat all = cv::Mat::zeros(sources.size(), CV_32FC1);
  for (const OtherView& other : others) {
    cv::Mat chosen;
    cv::Mat(sources == other.source).convertTo(chosen, CV_32FC1, 1 / 255.0);
    cv::GaussianBlur(chosen, chosen, {}, kSeam * own.unit, kSeam * own.unit, cv::BORDER_REPLICATE);
    chosen = chosen.mul(other.valid);
    layers.push_back({chosen, {}});
    all += chosen;
  }
  for (size_t k = 0; k < layers.size(); ++k) {
    layers[k].weight = inside.mul(layers[k].weight / cv::max(all, 1e-6));
    // What is left between the pictures about the mask goes on, smoothly, behind it.
    cv::Mat difference = own.colour - others[k].colour;
    difference = cv::min(cv::max(difference, -kMostCorrection), kMostCorrection);
    cv::Mat smooth = FillIn(difference, others[k].agrees.mul(stays));
    cv::GaussianBlur(smooth, smooth, {}, kColourBlur * own.unit, kColourBlur * own.unit,
                     cv::BORDER_REPLICATE);
    layers[k].correction = smooth;
  }
  return layers;
}

// A field of work pixels at the photo's pixels of `tile`.
cv::Mat Enlarged(const cv::Mat& field, const WorkView& view, const cv::Rect& tile) {
  cv::Mat at(tile.size(), CV_32FC2), out;
  for (int y = 0; y < tile.height; ++y) {
    for (int x = 0; x < tile.width; ++x) {
      at.at<cv::Vec2f>(y, x) = {static_cast<float>((tile.x - view.part.x + x + 0.5) * view.scale_x() - 0.5),
                                static_cast<float>((tile.y - view.part.y + y + 0.5) * view.scale_y() - 0.5)};
    }
  }
  cv::remap(field, out, at, {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return out;
}

struct TileSums {
  cv::Mat colour, weight, most;  // CV_32FC3, CV_32FC1, CV_32FC1
  cv::Mat source;                // CV_8UC1, that of `most`
};

void AddLayer(const OtherView& other, const Image& picture, const cv::Mat& weight, const cv::Mat& place,
              const cv::Mat& correction, TileSums& sums) {
  cv::Mat colours;
  cv::remap(AsMat(picture), colours, place, {}, cv::INTER_CUBIC, cv::BORDER_REPLICATE);
  for (int y = 0; y < weight.rows; ++y) {
    for (int x = 0; x < weight.cols; ++x) {
      const float w = weight.at<float>(y, x);
      if (w <= 0) continue;
      const auto& seen = colours.at<cv::Vec3b>(y, x);
      const auto& add = correction.at<cv::Vec3f>(y, x);
      for (int c = 0; c < 3; ++c) {
        const float value = static_cast<float>(seen[c]) * other.gain[c] + other.offset[c] + add[c];
        sums.colour.at<cv::Vec3f>(y, x)[c] += w * std::clamp(value, 0.0F, 255.0F);
      }
      sums.weight.at<float>(y, x) += w;
      if (w > sums.most.at<float>(y, x)) {
        sums.most.at<float>(y, x) = w;
        sums.source.at<uint8_t>(y, x) = other.source;
      }
    }
  }
}

// A pixel is either the photo's own, bit for bit, or named after the picture that most of it comes from.
void PutIn(const TileSums& sums, const cv::Point& corner, CleanPhoto& clean) {
  constexpr float kNothing = 0.02F;
  for (int y = 0; y < sums.weight.rows; ++y) {
    for (int x = 0; x < sums.weight.cols; ++x) {
      const float w = sums.weight.at<float>(y, x), share = std::min(w, 1.0F);
      if (w < kNothing) continue;
      uint8_t* pixel = clean.image.Pixel(corner.x + x, corner.y + y);
      for (int c = 0; c < 3; ++c) {
        const float there = sums.colour.at<cv::Vec3f>(y, x)[c] / w;
        pixel[c] =
            static_cast<uint8_t>(std::lround(share * there + (1 - share) * static_cast<float>(pixel[c])));
      }
      clean.source.At(corner.x + x, corner.y + y) = sums.source.at<uint8_t>(y, x);
    }
  }
}

}  // namespace

void ReplacePixels(const WorkView& own, const std::vector<OtherView>& others,
                   const std::vector<const Image*>& pictures, const cv::Mat& sources, CleanPhoto& clean) {
  if (cv::countNonZero(sources) == 0) return;
  const std::vector<Layer> layers = MakeLayers(own, others, sources);
  for (int y = own.part.y; y < own.part.br().y; y += kTile) {
    for (int x = own.part.x; x < own.part.br().x; x += kTile) {
      const cv::Rect tile = cv::Rect(x, y, kTile, kTile) & own.part;
      const cv::Mat zeros = cv::Mat::zeros(tile.size(), CV_32FC1);
      TileSums sums{cv::Mat::zeros(tile.size(), CV_32FC3), zeros.clone(), zeros.clone(),
                    cv::Mat::zeros(tile.size(), CV_8UC1)};
      for (size_t k = 0; k < others.size(); ++k) {
        const cv::Mat weight = Enlarged(layers[k].weight, own, tile);
        if (cv::countNonZero(weight) == 0) continue;
        AddLayer(others[k], *pictures[k], weight, Enlarged(others[k].place, own, tile),
                 Enlarged(layers[k].correction, own, tile), sums);
      }
      PutIn(sums, tile.tl(), clean);
    }
  }
}

}  // namespace wildrayzer
