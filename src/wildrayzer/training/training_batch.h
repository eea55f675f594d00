// From decoded samples to the tensors of a training step.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/data/loader.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// B samples of V views, inputs first.
struct TrainingBatch {
  int64_t inputs = 0;
  int64_t first = 0;     // index of the first scene in the batch that was loaded
  torch::Tensor images;  // [B, V, 3, H, W] in [0, 1]: what the model sees
  torch::Tensor clean;   // the same without pasted objects; shares `images` when nothing was pasted
  // Cameras [B, V, 4, 4], relative to the first view, in the data's unit of length, and [B, V, 4] in image
  // widths and heights; undefined unless every view has them.
  torch::Tensor c2w, fxfycxcy;
  torch::Tensor pasted_masks;          // [B, V, 1, H, W] float, 1 = pasted; undefined when nothing was pasted
  std::vector<bool> pasted;            // by scene: what moves is known, as in Sample
  std::vector<bool> dynamic;           // by scene: things move that are not known
  std::vector<const Sample*> samples;  // of the Batch it was made from

  int64_t targets() const { return images.size(1) - inputs; }
  // The part [begin, begin + count) of it; shares the tensors' memory.
  TrainingBatch Scenes(int64_t begin, int64_t count) const;
};

// On `device`. `batch` must outlive the result. Raises Error for samples of different sizes.
TrainingBatch ToTensors(const Batch& batch, torch::Device device = torch::kCPU);

// Random boxes of patches for masked reconstruction: [views, 1, rows * patch, columns * patch] float, 1 =
// masked. 1-3 boxes a view of aspect 0.5-2 that together cover about `share` of the patches, at least one.
torch::Tensor RandomBoxes(int64_t views, int64_t rows, int64_t columns, int64_t patch, double share,
                          Random& random);

}  // namespace wildrayzer
