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
    WorldBatch part = *this;
    for (torch::Tensor* all : {&part.images, &part.clean, &part.cover, &part.c2w, &part.fxfycxcy,
                               &part.matches, &part.log_depth, &part.visible, &part.draws})
      *all = all->narrow(0, begin, count);
    return part;
  }
};

}  // namespace wildrayzer
