#include <cuda_runtime.h>

#include <string>

#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/render_view.h"
#include "wildrayzer/worlds/render_worlds_cuda.h"

// Compiled with multiply-adds fused, as nvcc does: that moves values by a rounding, and only what lies within
// one of an edge to its other side, just as the GPU's own expf, logf and sqrtf do.
namespace wildrayzer {
namespace {

constexpr int kTilePixels = kWorldTile * kWorldTile, kWarp = 32, kWarps = kTilePixels / kWarp;
constexpr int kPointsOfABlock = 128;

// Adds the primitives [begin, begin + count) that are near the tile to its list, in their order, as
// ListThings does: each thread of the block looks at one at a time, and counts those before its own by votes.
__device__ void ListThingsTogether(const ViewRendering& of, const TileCone& cone, int begin, int count,
                                   NearThings& list) {
  __shared__ int met_in_warp[kWarps], darken_in_warp[kWarps];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp;
  const unsigned before = (1U << (thread % kWarp)) - 1U;
  int met = 0, darken = 0;  // of the list so far; the same in all threads
  for (int first = 0; first < count; first += kTilePixels) {
    const int i = begin + first + thread;
    const Nearness nearness =
        first + thread < count ? NearnessOf(of.world.primitives[i], of.view.position, cone) : Nearness::kNone;
    const unsigned met_votes = __ballot_sync(~0U, nearness == Nearness::kMet),
                   darken_votes = __ballot_sync(~0U, nearness == Nearness::kDarkens);
    if (thread % kWarp == 0) {
      met_in_warp[warp] = __popc(met_votes);
      darken_in_warp[warp] = __popc(darken_votes);
    }
    __syncthreads();
    int met_at = met + __popc(met_votes & before), darken_at = darken + __popc(darken_votes & before);
    for (int other = 0; other < kWarps; ++other) {
      if (other < warp) {
        met_at += met_in_warp[other];
        darken_at += darken_in_warp[other];
      }
      met += met_in_warp[other];
      darken += darken_in_warp[other];
    }
    if (nearness == Nearness::kMet) list.index[met_at] = static_cast<int16_t>(i);
    if (nearness == Nearness::kDarkens) list.index[kMaxThings - 1 - darken_at] = static_cast<int16_t>(i);
    __syncthreads();  // the counts are used up, and the list is written
  }
  if (thread == 0) {
    list.met = met;
    list.darken = darken;
  }
  __syncthreads();
}

// Of tiles on one multiprocessor at a time. Left alone the kernel takes 126 registers, which is room for
// eight; for ten it gets 96 and still spills next to nothing (ptxas -v).
constexpr int kTilesAtOnce = 10;

// A block a tile of a view, a thread a pixel. gridDim.x: tiles of a view, gridDim.y: views.
__global__ void __launch_bounds__(kTilePixels, kTilesAtOnce) RenderTiles(PackedBatch batch, WorldFrames out) {
  __shared__ NearThings still, movers;
  const ViewRendering of(batch, out, static_cast<int64_t>(blockIdx.y));
  const int columns = (out.width + kWorldTile - 1) / kWorldTile;
  const int x = kWorldTile * (static_cast<int>(blockIdx.x) % columns),
            y = kWorldTile * (static_cast<int>(blockIdx.x) / columns);
  const TileCone cone = of.Cone(out, x, y);
  ListThingsTogether(of, cone, 0, of.world.still, still);
  ListThingsTogether(of, cone, of.view.first_mover, of.view.movers, movers);
  const int column = x + static_cast<int>(threadIdx.x) % kWorldTile,
            row = y + static_cast<int>(threadIdx.x) / kWorldTile;
  if (column < out.width && row < out.height) of.Pixel<float>(out, column, row, still, movers);
}

// A thread a point. gridDim.y: views.
__global__ void __launch_bounds__(kPointsOfABlock)
    RenderTruths(PackedBatch batch, WorldFrames out, int count) {
  const int patch = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (patch < count) ViewRendering(batch, out, static_cast<int64_t>(blockIdx.y)).Truth(out, patch);
}

__global__ void __launch_bounds__(kPointsOfABlock)
    RenderDepths(PackedBatch batch, WorldFrames out, int count) {
  const int pixel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (pixel < count) ViewRendering(batch, out, static_cast<int64_t>(blockIdx.y)).Depth(out, pixel);
}

void CheckCuda(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::string text = std::string("worlds could not be rendered on the GPU: ") + cudaGetErrorString(error);
  if (error == cudaErrorNoKernelImageForDevice)
    text += "; build with its architecture in TORCH_CUDA_ARCH_LIST (docs/gpu.md)";
  throw Error(text);
}

}  // namespace

void RenderWorldsOnGpu(const PackedBatch& batch, const WorldFrames& out, int device, CUstream_st* stream) {
  CheckCuda(cudaSetDevice(device));
  const auto views = static_cast<unsigned>(batch.count) * static_cast<unsigned>(batch.views_each);
  if (views > 65535) throw Error("a batch of worlds has more than 65535 views");
  const auto blocks = [](int count, int of) { return static_cast<unsigned>((count + of - 1) / of); };
  if (out.WantsPixels()) {
    const dim3 grid(blocks(out.width, kWorldTile) * blocks(out.height, kWorldTile), views);
    RenderTiles<<<grid, kTilePixels, 0, stream>>>(batch, out);
    CheckCuda(cudaGetLastError());
  }
  if (out.WantsTruths()) {
    RenderTruths<<<dim3(blocks(out.patches(), kPointsOfABlock), views), kPointsOfABlock, 0, stream>>>(
        batch, out, out.patches());
    CheckCuda(cudaGetLastError());
  }
  if (out.depth != nullptr) {
    const int pixels = out.width * out.height;
    RenderDepths<<<dim3(blocks(pixels, kPointsOfABlock), views), kPointsOfABlock, 0, stream>>>(batch, out,
                                                                                               pixels);
    CheckCuda(cudaGetLastError());
  }
}

}  // namespace wildrayzer
