// Worlds to pictures and truths, straight into the memory of a batch.
#pragma once

#include <cstdint>
#include <span>

#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/texture_bank.h"
#include "wildrayzer/worlds/world.h"

namespace wildrayzer {

// Where B worlds of V views each go; null: not wanted. All are dense, float32, row-major, and on the device
// that renders; n = height / patch * width / patch patches, row by row.
struct WorldFrames {
  int width = 128, height = 128;
  int patch = 16;              // of the truths at patch centres; width and height are multiples of it
  float* seen = nullptr;       // [B, V, 3, H, W] in [0, 1]: with the movers
  float* clean = nullptr;      // [B, V, 3, H, W]: the same light and the same noise without them
  float* cover = nullptr;      // [B, V, 1, H, W]: share of the pixel that movers cover
  float* depth = nullptr;      // [B, V, H, W]: z of what stands still at the pixel's centre, in World::unit
  float* matches = nullptr;    // [B, V, n, 2]: where the patch centre appears in the first view (PointTruth)
  float* log_depth = nullptr;  // [B, V, n]: of z at the patch centre, in World::unit
  float* visible = nullptr;    // [B, V, n]: 1 where `matches` holds

  bool WantsPixels() const { return seen != nullptr || clean != nullptr || cover != nullptr; }
  bool WantsTruths() const { return matches != nullptr || log_depth != nullptr || visible != nullptr; }
  int patches() const { return (width / patch) * (height / patch); }
};

// On the processor, on that many threads; the same bytes for any number. Error unless the worlds fit
// together and into bounds (LayOutWorlds).
void RenderWorlds(std::span<const World> worlds, const TextureBank& bank, int threads,
                  const WorldFrames& out);

WorldPointers PointersOf(const World& world, const TextureBank& bank);

// Cameras of a world relative to its first view, for training: c2w row-major 4 x 4 with translations in
// World::unit, and the focal length in widths and heights of the frame.
struct WorldCamera {
  float c2w[16];
  float fx = 1, fy = 1;
};
WorldCamera CameraOf(const World& world, int view, int width, int height);

}  // namespace wildrayzer
