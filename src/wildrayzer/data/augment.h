// More scenes out of the same ones: what a training sample may look like besides what was recorded.
#pragma once

#include <array>
#include <span>

#include "wildrayzer/data/views.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {

// How often and how far. The defaults leave every sample as it is.
struct AugmentOptions {
  double flip = 0.0;     // share of samples that are mirrored, left for right
  double reverse = 0.0;  // share in which time runs backwards: inputs and targets in reverse order
  double colour = 0.0;   // gains of the channels, and one of all, within 1 +- colour, below 1
  double zoom = 1.0;     // the middle is cut out and enlarged by a factor from 1 to this

  bool Any() const { return flip > 0 || reverse > 0 || colour > 0 || zoom > 1; }
};

// What was drawn for one sample: the same for all its views, so that they still show one scene.
struct Augmentation {
  bool flip = false;
  bool reverse = false;
  std::array<double, 3> gains = {1, 1, 1};  // of red, green, blue
  double zoom = 1.0;
};

// Takes the same numbers from `random` whatever comes of them.
Augmentation DrawAugmentation(const AugmentOptions& options, Random& random);

// Changes picture, clean picture, mask, intrinsics and pose of a view together (not its framing, which
// remains what led from the photo to the recorded picture). The order of views is the caller's.
//
// A mirrored view is one of the mirrored world, M X with M = diag(-1, 1, 1): the pose becomes M w2c M, a
// rotation again, and a point that was seen at column u is seen at width - u.
void Augment(const Augmentation& drawn, View& view);

// The same for a mask that is not in its view.
void Augment(const Augmentation& drawn, GrayImage& mask);

}  // namespace wildrayzer
