// One picture of a training step, for eyes: rows of inputs and targets, renderings, masks and labels.
#pragma once

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// images [V, 3, H, W] in [0, 1], inputs first; renderings [T, 3, H, W], masks and labels [T, 1, H, W], each
// may be undefined. First row: all views; below every target what belongs to it.
Image TrainingPicture(const torch::Tensor& images, const torch::Tensor& renderings,
                      const torch::Tensor& masks, const torch::Tensor& labels);

}  // namespace wildrayzer
