// Worlds as the tensors of a training step.
#pragma once

#include <cstdint>

#include "wildrayzer/training/worlds_on_device.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// B worlds of V views; n patches a view. Cameras are relative to the first view, lengths in its median depth.
struct WorldBatch : WorldTensors {
  // [B, 2] uniform in [0, 1): a world is rendered at the true cameras where the first is below their share,
  // else at the estimated ones (RayZer's way, in which rendering teaches the cameras too); true masks hide
  // what moves where the second is below theirs, else the predicted ones.
  torch::Tensor draws;
  int64_t inputs = 2;  // of the views, the first ones
  int64_t patch = 16;  // pixels, of the truths

  // The part [begin, begin + count) of it; shares the tensors' memory.
  WorldBatch Scenes(int64_t begin, int64_t count) const {
    return Each([&](const torch::Tensor& all) { return all.narrow(0, begin, count); });
  }
  // A copy there.
  WorldBatch On(torch::Device device) const {
    return Each([&](const torch::Tensor& all) { return all.to(device); });
  }

 private:
  template <typename F>
  WorldBatch Each(const F& f) const {
    WorldBatch other = *this;
    for (torch::Tensor* all : {&other.images, &other.clean, &other.cover, &other.c2w, &other.fxfycxcy,
                               &other.matches, &other.log_depth, &other.visible, &other.draws})
      *all = f(*all);
    return other;
  }
};

}  // namespace wildrayzer
