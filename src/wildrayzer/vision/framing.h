// From a photo of any size to the frame the model sees, and back.
//
// Pixel coordinates are continuous: pixel (i, j) covers [i, i + 1) x [j, j + 1), its centre is (i + 0.5, j +
// 0.5), x right, y down. "Photo" coordinates refer to the upright photo, "model" coordinates to the resized
// and cropped picture.
#pragma once

#include <cstdint>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

struct Point {
  double x = 0;
  double y = 0;
};

// Half-open rectangle [left, right) x [top, bottom).
struct Rectangle {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

// Focal lengths and principal point in pixels.
struct PixelIntrinsics {
  double fx = 0;
  double fy = 0;
  double cx = 0;
  double cy = 0;
};

// A resize of the photo to resized_width x resized_height followed by a crop of width x height at (crop_x,
// crop_y). The two axes may have slightly different scales, because the released preprocessing rounds the
// resized size to whole patches.
struct Framing {
  int photo_width = 0;
  int photo_height = 0;
  int64_t resized_width = 0;
  int64_t resized_height = 0;
  int64_t crop_x = 0;
  int64_t crop_y = 0;
  int width = 0;
  int height = 0;

  // Model pixels per photo pixel.
  double scale_x() const { return static_cast<double>(resized_width) / photo_width; }
  double scale_y() const { return static_cast<double>(resized_height) / photo_height; }

  Point PhotoToModel(Point photo) const;
  Point ModelToPhoto(Point model) const;
  // The part of the photo that the model sees, in photo pixels (fractional).
  Rectangle VisiblePhoto() const;
  // fx scale_x, fy scale_y, cx scale_x - crop_x, cy scale_y - crop_y; and the inverse.
  PixelIntrinsics ToModel(const PixelIntrinsics& photo) const;
  PixelIntrinsics ToPhoto(const PixelIntrinsics& model) const;
  // The same part of the photo with `factor` times as many pixels a side.
  Framing Times(int factor) const;
  bool operator==(const Framing&) const = default;
};

// The released preprocessing, step by step: height T = `target`, width trunc(T / H0 * W0) rounded to a
// multiple of `patch` (ties to even), at least one patch; with `square_crop` the central min(W', T) square. A
// portrait photo therefore gives a square smaller than T. Non-positive sizes raise Error.
Framing ReleaseFraming(int photo_width, int photo_height, int target, int patch, bool square_crop);

// What the pipeline uses: the photo is scaled to cover width x height and cropped in the centre, so that all
// photos give pictures of one size. If the photo is at least as wide as the target's shape, the height is
// fitted and the width rounded as in ReleaseFraming (identical to it for landscape photos and square
// targets); otherwise the width is fitted and the height rounded likewise. Small photos are enlarged. width
// and height must be multiples of `patch` (UsageError).
Framing CoverFraming(int photo_width, int photo_height, int width, int height, int patch);

// Pillow-exact Lanczos resize and crop (see resize.h); only the cropped part is computed, whatever the
// resized size.
Image ApplyFraming(const Image& photo, const Framing& framing);
// Masks that belong to a photo (8-bit probabilities), with a bilinear filter.
GrayImage ApplyFraming(const GrayImage& mask, const Framing& framing);

// A photo as the model sees it, with the mapping.
struct FramedImage {
  Image image;
  Framing framing;
};
FramedImage FrameToModel(const Image& photo, int width, int height, int patch);

// A mask at the photo's size. `known` is 255 where the centre of the pixel was seen by the model and 0
// outside its crop; there the mask is 0 because nothing is known, not because nothing moves.
struct UncroppedMask {
  GrayImage mask;
  GrayImage known;
};
UncroppedMask UncropMask(const GrayImage& model_mask, const Framing& framing);

// A render brought to the photo's resolution: the picture covers the whole photo pixels whose centres the
// model saw, starting at photo pixel (x, y). Bicubic; no detail is invented.
struct UncroppedImage {
  int x = 0;
  int y = 0;
  Image image;
};
UncroppedImage UncropImage(const Image& render, const Framing& framing);

}  // namespace wildrayzer
