// Poses that fit what views have in common.
#pragma once

#include <cstdint>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Where n points of each of the first A views appear in all V. A point's own view has no weight.
struct PointMatches {
  torch::Tensor points;  // [n, 2] in the view that they are of, u in widths, v in heights
  torch::Tensor seen;    // [B, A, V, n, 2] in the others
  torch::Tensor weight;  // [B, A, V, n], not negative; 0: says nothing

  // Of scene b alone.
  PointMatches Scene(int64_t b) const;
};

// Poses moved to where they fit the matches, all views of a scene together: least squares over the poses and
// the depth of every point (bundle adjustment, Triggs et al. 1999; Levenberg-Marquardt with the depths
// eliminated), of errors whose weight vanishes where they are large (Geman and McClure), so that wrong
// matches and what moved do not matter. The pose at hand is the start and a prior with standard deviations
// of 0.065 radians and 0.15 units; depths are about 1. So a pose of which no match says anything stays.
//
// c2w [B, V, 4, 4]: relative to the first view, whose pose is the identity and remains it. fxfycxcy
// [B, V, 4]: the first view's serves all. rows and columns: of a grid of square cells over the frame, which
// tells its shape. Computed in float64 without gradient; returned in the type of c2w.
torch::Tensor AdjustPoses(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy,
                          const PointMatches& matches, int64_t rows, int64_t columns);

// The logarithms of the points' depths in the view that they are of, [B, A, n] float64, that fit the matches
// best at poses as they are, the same way, and each other's: a point's is drawn to the mean of those of the
// points about it, all to 0 where no match says anything.
torch::Tensor FitDepths(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, const PointMatches& matches,
                        int64_t rows, int64_t columns);

}  // namespace wildrayzer
