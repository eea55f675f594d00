// Three honest floors: what anybody gets without a model. A method that does not beat them has learnt
// nothing.
#pragma once

#include <cstdint>
#include <span>

#include "wildrayzer/evaluation/planes.h"

namespace wildrayzer {

// Position in `inputs` of the input view whose frame number is nearest to `target`'s (frames of one camera
// path are in the order of time); ties go to the earlier position. Raises Error for no inputs.
size_t NearestView(std::span<const int> inputs, int target);

// Mean of the input pictures, pixel by pixel. Raises Error for none or for different sizes.
Planes MeanOfViews(std::span<const Planes> inputs);

struct WarpedView {
  Planes picture;
  bool warped = false;  // false: no trustworthy homography, `picture` is the input as it is
  int inliers = 0;      // matches that agree with the homography
};

// `input` moved onto `target` by the homography that most SIFT matches agree on (RANSAC, 2 pixels, seeded).
// The target picture serves only to register, as it does for the camera estimator of RayZer; no pixel of it
// is copied. Where the warped input does not reach, the input's own pixel at that place is kept. Fewer than
// 12 inliers or a homography that folds or scales the picture by more than 4 leave the input as it is. Both:
// 3 channels, same size.
WarpedView WarpOntoView(const Planes& input, const Planes& target, uint64_t seed);

}  // namespace wildrayzer
