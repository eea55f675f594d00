// What the making of clean photos works with; for .cc files only. Pictures are float, RGB, 0 to 255; fields
// of places are CV_32FC2 and count in pixels of the picture that they point into, whose pixel centres are
// whole numbers. Work pixels: those of a photo at the working resolution.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

#include "wildrayzer/pipeline/clean_photos.h"

namespace wildrayzer {

// The part of a photo that the model saw, shrunk to at most so many pixels a side.
struct WorkView {
  cv::Rect part;      // whole photo pixels whose centres the model saw
  cv::Mat colour;     // CV_32FC3
  cv::Mat moves;      // CV_32FC1, probability in [0, 1]
  double unit = 1;    // work pixels for one of the model's, at least 1
  bool told = false;  // `moves` is the word of somebody who knows (CleanOptions::told_masks)
  // Work pixels a photo pixel.
  double scale_x() const { return static_cast<double>(colour.cols) / part.width; }
  double scale_y() const { return static_cast<double>(colour.rows) / part.height; }
};

// A picture in which what a photo shows is looked for: another photo at its working resolution, or a
// rendering.
struct OtherPicture {
  cv::Mat colour;  // CV_32FC3
  cv::Mat moves;   // CV_32FC1 of the same size
  cv::Rect part;   // of the full picture that it shows
};

// Such a picture as this photo's camera sees it.
struct OtherView {
  uint8_t source = kRenderedPixel;  // PixelSource
  cv::Mat place;                    // of every work pixel, in the full picture
  cv::Mat colour;                   // CV_32FC3, in this photo's exposure
  cv::Mat moves;                    // CV_32FC1: probability that what is seen there moves
  cv::Mat valid;                    // CV_32FC1: 1 where it is seen at all, else 0
  cv::Mat agrees;                   // CV_32FC1 in [0, 1]: shows what this photo shows, and nothing moves
  cv::Vec3f gain = {1, 1, 1}, offset = {0, 0, 0};  // exposure: this photo's colour is gain * theirs + offset
  float noise = 6;                                 // standard deviation of what agrees
};

WorkView MakeWorkView(const Image& photo, const Framing& framing, const MotionMask& mask, int most_side);

// Where the work pixels are in a frame of `framing`.
cv::Mat PlacesInFrame(const WorkView& view, const Framing& framing);

// The field (CV_32F, any number of channels) where its weight, CV_32FC1 in [0, 1], is high; elsewhere a
// smooth continuation of it.
cv::Mat FillIn(const cv::Mat& field, const cv::Mat& weight);

// (1 - share) a + share b; share has one channel.
cv::Mat Mixed(const cv::Mat& a, const cv::Mat& b, const cv::Mat& share);

// A disc of this radius, at least 1.
cv::Mat Disc(double radius);

// Aligns other.place, which is about right, to the photo, and matches the exposure; fills in all but
// `source`. Behind what moves, alignment is carried on from about it. guide: a picture of the place from this
// photo's camera, which stands in for what moves there; empty: for the rendering itself, which is its own.
void AlignOther(const WorkView& own, const OtherPicture& picture, const cv::Mat& guide, OtherView& other);

// The PixelSource of every work pixel, CV_8UC1. others: aligned; the rendering is the last. threshold:
// CleanOptions::threshold.
cv::Mat ChooseSources(const WorkView& own, const std::vector<OtherView>& others, double threshold);

// Puts what was chosen into the photo. pictures: the full picture of each of `others`.
void ReplacePixels(const WorkView& own, const std::vector<OtherView>& others,
                   const std::vector<const Image*>& pictures, const cv::Mat& sources, CleanPhoto& clean);

}  // namespace wildrayzer
