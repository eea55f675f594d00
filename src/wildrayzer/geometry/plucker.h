// Plücker coordinates of pixel rays (method.md section 3, step 5).
#pragma once

#include <cstdint>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// c2w [..., 4, 4] (or [..., 3, 4]), fxfycxcy [..., 4] in units of image width (fx, cx) and height (fy, cy)
// -> [..., 6, height, width]: channels [origin x direction, direction] of the ray through every pixel centre
// (x + 0.5, y + 0.5), with direction = normalise(R ((x+0.5)/width - cx)/fx, ((y+0.5)/height - cy)/fy, 1)) and
// origin = translation. Differentiable in both arguments; float32 whatever lower precision comes in (double
// stays double).
torch::Tensor PluckerRays(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, int64_t height,
                          int64_t width);

// Intrinsics in pixels of a width x height image -> in units of width and height.
torch::Tensor NormaliseIntrinsics(const torch::Tensor& fxfycxcy_pixels, int64_t height, int64_t width);

}  // namespace wildrayzer
