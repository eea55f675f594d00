// What the making of clean photos works with; for .cc files only. Pictures are float, RGB, 0 to 255; fields
// of places count in pixels of the picture that they point into, whose pixel centres are whole numbers.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/pipeline/clean_photos.h"

namespace wildrayzer {

// A photo at the working resolution: the part that the model saw, with at most kWorkSide pixels a side.
struct WorkView {
  cv::Rect part;   // whole photo pixels whose centres the model saw
  cv::Mat colour;  // CV_32FC3
  cv::Mat moves;   // CV_32FC1, probability in [0, 1]
  // Work pixels a photo pixel.
  double scale_x() const { return static_cast<double>(colour.cols) / part.width; }
  double scale_y() const { return static_cast<double>(colour.rows) / part.height; }
};

// Another photo, or the rendering, as this photo's camera sees it.
struct OtherView {
  uint8_t source = 0;  // PixelSource
  cv::Mat place;       // CV_32FC2: into the other photo, or the rendering, in its own full pixels
  cv::Mat colour;      // CV_32FC3, in this photo's exposure
  cv::Mat moves;       // CV_32FC1: probability that what is seen there moves
  cv::Mat valid;       // CV_32FC1: 1 where it is seen at all, else 0
  cv::Mat agrees;      // CV_32FC1 in [0, 1]: shows what this photo shows, to be aligned and matched by
  cv::Vec3f gain = {1, 1, 1}, offset = {0, 0, 0};  // exposure
  float noise = 4;                                 // of what agrees, standard deviation
};

// The part of a photo that the model saw: pixels whose centres are inside.
cv::Rect SeenPart(const Framing& framing);
WorkView MakeWorkView(const Image& photo, const Framing& framing, const MotionMask& mask, int most_side);

// Where the work pixels are in a frame of `framing`, in its pixels: CV_32FC2.
cv::Mat PlacesInFrame(const WorkView& view, const Framing& framing);

// The field where its weight (CV_32FC1, 0 to 1) is high, and a smooth continuation of it elsewhere. CV_32F
// with 1 to 4 channels.
cv::Mat FillIn(const cv::Mat& field, const cv::Mat& weight);

// Aligns `other`, whose `place` is about right, to the photo and matches its exposure. picture: what `place`
// points into; their_moves with their_scale: its motion at the other photo's working resolution.
struct OtherPicture {
  cv::Mat colour;  // CV_32FC3 at about the working resolution
  cv::Mat moves;   // CV_32FC1 of the same size
  cv::Rect part;   // of the full picture that it shows
};
// guide: what takes the place of what moves in the photo, CV_32FC3; empty: the other view itself.
void AlignOther(const WorkView& own, const OtherPicture& picture, const cv::Mat& guide, double unit, OtherView& other);

// Which pixels go, and what takes their place.
struct Choice {
  cv::Mat source;  // CV_8UC1: PixelSource of every work pixel
};
// others: aligned; the last is the rendering, the others are photos. `unit`: pixels that are one of the model's.
Choice ChooseSources(const WorkView& own, const std::vector<OtherView>& others, double unit,
                     const CleanOptions& options);

}  // namespace wildrayzer
