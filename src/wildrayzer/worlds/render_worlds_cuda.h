// Rendering worlds on a GPU of NVIDIA's (render_worlds.h), in builds with CUDA.
#pragma once

#include "wildrayzer/worlds/packed_worlds.h"
#include "wildrayzer/worlds/render_worlds.h"

struct CUstream_st;

namespace wildrayzer {

// All pointers of `batch` and `out` are of GPU `device`, the current one, and `stream` is one of its streams
// (cudaStream_t), on which this is queued. Error when the GPU does not take it; what goes wrong later, as
// with any kernel, the next call that waits reports.
void RenderWorldsOnGpu(const PackedBatch& batch, const WorldFrames& out, int device, CUstream_st* stream);

}  // namespace wildrayzer
