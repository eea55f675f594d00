// What the inputs show along the rays of other cameras, as far as matches tell where the surface is.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/geometry/bundle_adjustment.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// n points of what the first inputs show, and the K inputs' pictures.
struct InputSurface {
  torch::Tensor points;  // [B, n, 3] float32 in the world
  torch::Tensor weight;  // [B, n] in (0, 1]: how well the depth is known
  torch::Tensor images;  // [B, K, 3, H, W] in [0, 1]
  torch::Tensor detail;  // [B, K, 3, s H, s W]: the same pictures with s times the pixels; or undefined
  torch::Tensor still;   // [B, K, 1, H, W] in [0, 1]: 0 where the inputs show what moves
  torch::Tensor c2w, fxfycxcy;  // of the inputs, [B, K, 4, 4] and [B, K, 4]

  bool defined() const { return images.defined(); }
  // Scene b alone, without gradient.
  InputSurface Scene(int64_t b) const;
  // The same points, and the pictures of all inputs but one.
  InputSurface Without(int64_t input) const;
};

// At the inputs' cameras as they are; `matches` of points of the first inputs with all of them, or more
// views, of which the first count. masks [B, K, 1, H, W]: probability of motion; undefined: nothing moves. No
// gradient.
InputSurface SurfaceOf(const torch::Tensor& images, const torch::Tensor& c2w, const torch::Tensor& fxfycxcy,
                       const PointMatches& matches, const torch::Tensor& masks);

// Where what T cameras see appears in the inputs, in units of the inputs' frames.
struct PlacesOfPixels {
  torch::Tensor places;   // [B, T, K, H, W, 2], x right, y down; in (0, 1) where the input shows it
  torch::Tensor support;  // [B, T, 1, H, W] in [0, 1]: whether points with known depth are near
};

// At every pixel of T cameras' frames of the inputs' size: a mean over near points' displacements. No
// gradient.
PlacesOfPixels FindPixels(const InputSurface& surface, const torch::Tensor& c2w,
                          const torch::Tensor& fxfycxcy);

// The inputs as other cameras would see them.
struct WarpedInputs {
  torch::Tensor image;    // [B, T, 3, H, W] in [0, 1]: their mean, what moves and what is far away for less
  torch::Tensor sure;     // [B, T, 1, H, W] in [0, 1]: whether an input shows this, and nothing moves there
  torch::Tensor spread;   // [B, T, 1, H, W]: mean difference of the inputs from their mean
  torch::Tensor support;  // [B, T, 1, H, W] in [0, 1]: whether points with known depth are near

  // View t alone (no copy).
  WarpedInputs View(int64_t t) const;
};

// Of views one after the other.
WarpedInputs Concatenate(const std::vector<WarpedInputs>& views);

// Of T cameras, [B, T, 4, 4] and [B, T, 4], pictures of H x W as the inputs are: every pixel goes to where
// the surface about it, a mean over near points' displacements, appears in each input. With `detail`
// pictures of s H x s W, of the surface's detail. No gradient.
WarpedInputs WarpInputs(const InputSurface& surface, const torch::Tensor& c2w, const torch::Tensor& fxfycxcy,
                        bool detail = false);

}  // namespace wildrayzer
