// Worlds as the tensors of a training batch, rendered where these live.
#pragma once

#include <span>

#include "wildrayzer/util/tensor.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {

// B worlds of V views of n patches, float32 on one device. Frames and units as in WorldFrames and
// WorldCamera.
struct WorldTensors {
  torch::Tensor images;     // [B, V, 3, H, W] in [0, 1]: with the movers
  torch::Tensor clean;      // [B, V, 3, H, W]: without them
  torch::Tensor cover;      // [B, V, 1, H, W]: share of the pixel that movers cover
  torch::Tensor depth;      // [B, V, H, W] of what stands still; undefined unless asked for
  torch::Tensor c2w;        // [B, V, 4, 4], relative to the first view
  torch::Tensor fxfycxcy;   // [B, V, 4] in widths and heights of the frame
  torch::Tensor matches;    // [B, V, n, 2]: where the patch centre appears in the first view
  torch::Tensor log_depth;  // [B, V, n] in its own view
  torch::Tensor visible;    // [B, V, n]: 1 where `matches` holds
};

struct WorldFrameSize {
  int width = 128, height = 128;  // multiples of `patch`
  int patch = 16;
  bool depth = false;  // WorldTensors::depth is wanted
};

class WorldRenderer {
 public:
  // threads: of the processor, where that is the device. `bank` must outlive it; a GPU is given its texels
  // here. UsageError for a device that this build cannot render on.
  WorldRenderer(const TextureBank& bank, torch::Device device, int threads);

  // At least one world; all have the same number of views. Any number of threads may call it. A GPU renders
  // on its current stream, and is not waited for.
  WorldTensors Render(std::span<const World> worlds, const WorldFrameSize& size) const;

 private:
  const TextureBank& bank_;
  torch::Device device_;
  int threads_;
  torch::Tensor texels_;  // on the GPU, if that is the device
};

}  // namespace wildrayzer
