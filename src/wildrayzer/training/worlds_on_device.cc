#include "wildrayzer/training/worlds_on_device.h"

#include <algorithm>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/util/error.h"

#ifdef WILDRAYZER_CUDA
#include <c10/cuda/CUDAStream.h>

#include "wildrayzer/worlds/packed_worlds.h"
#include "wildrayzer/worlds/render_worlds_cuda.h"
#endif

namespace wildrayzer {
namespace {

void CheckWorldBatch(std::span<const World> worlds, const WorldFrameSize& size) {
  if (worlds.empty()) throw Error("a batch of worlds needs at least one");
  if (size.patch < 1 || size.width < 1 || size.height < 1 || size.width % size.patch != 0 ||
      size.height % size.patch != 0)
    throw Error("width and height of a world's frames must be multiples of the patch");
}

// Cameras of all views, into tensors of the processor.
void WorldCameraTensors(std::span<const World> worlds, const WorldFrameSize& size, WorldTensors& out) {
  const auto count = static_cast<int64_t>(worlds.size()),
             views = static_cast<int64_t>(worlds[0].views.size());
  out.c2w = torch::empty({count, views, 4, 4});
  out.fxfycxcy = torch::empty({count, views, 4});
  float *c2w = out.c2w.data_ptr<float>(), *focal = out.fxfycxcy.data_ptr<float>();
  for (const World& world : worlds) {
    for (int view = 0; view < views; ++view) {
      const WorldCamera camera = CameraOf(world, view, size.width, size.height);
      c2w = std::copy(std::begin(camera.c2w), std::end(camera.c2w), c2w);
      for (const float value : {camera.fx, camera.fy, 0.5F, 0.5F}) *focal++ = value;
    }
  }
}

#ifdef WILDRAYZER_CUDA
void RenderOnGpu(std::span<const World> worlds, int textures, const torch::Tensor& texels,
                 const WorldFrames& frames) {
  const PackedLayout layout = LayOutWorlds(worlds, textures);
  const torch::Tensor packed = torch::empty({static_cast<int64_t>(layout.bytes)},
                                            torch::TensorOptions().dtype(torch::kUInt8).pinned_memory(true));
  PackWorlds(worlds, layout, {reinterpret_cast<std::byte*>(packed.data_ptr<uint8_t>()), layout.bytes});
  // Pinned memory, and that of a GPU's tensor, is used again only when the stream is through with it.
  const torch::Tensor there = Upload(packed, texels.device());
  const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream(texels.device().index());
  RenderWorldsOnGpu(BatchAt(layout, reinterpret_cast<const std::byte*>(there.data_ptr<uint8_t>()),
                            texels.data_ptr<uint8_t>()),
                    frames, texels.device().index(), stream.stream());
}
#endif

}  // namespace

WorldRenderer::WorldRenderer(const TextureBank& bank, torch::Device device, int threads)
    : bank_(bank), device_(device), threads_(threads) {
  if (device.is_cpu()) return;
#ifdef WILDRAYZER_CUDA
  const std::span<const uint8_t> texels = bank.texels();
  texels_ = torch::from_blob(const_cast<uint8_t*>(texels.data()), {static_cast<int64_t>(texels.size())},
                             torch::kUInt8)
                .to(device);
  // It may be read on any stream from now on.
  Synchronize(device);
#else
  throw UsageError("this build renders worlds on the processor only; build with CUDA (docs/gpu.md)");
#endif
}

WorldTensors WorldRenderer::Render(std::span<const World> worlds, const WorldFrameSize& size) const {
  CheckWorldBatch(worlds, size);
  const auto count = static_cast<int64_t>(worlds.size()),
             views = static_cast<int64_t>(worlds[0].views.size());
  const int64_t patches = static_cast<int64_t>(size.width / size.patch) * (size.height / size.patch);
  WorldTensors out;
  WorldFrames frames;
  frames.width = size.width;
  frames.height = size.height;
  frames.patch = size.patch;
  const auto make = [&](torch::Tensor& tensor, std::vector<int64_t> of_a_view) {
    of_a_view.insert(of_a_view.begin(), {count, views});
    tensor = torch::empty(of_a_view, torch::TensorOptions(device_).dtype(torch::kFloat32));
    return tensor.data_ptr<float>();
  };
  frames.seen = make(out.images, {3, size.height, size.width});
  frames.clean = make(out.clean, {3, size.height, size.width});
  frames.cover = make(out.cover, {1, size.height, size.width});
  if (size.depth) frames.depth = make(out.depth, {size.height, size.width});
  frames.matches = make(out.matches, {patches, 2});
  frames.log_depth = make(out.log_depth, {patches});
  frames.visible = make(out.visible, {patches});
  WorldCameraTensors(worlds, size, out);
  if (device_.is_cpu()) {
    RenderWorlds(worlds, bank_, threads_, frames);
    return out;
  }
#ifdef WILDRAYZER_CUDA
  RenderOnGpu(worlds, bank_.size(), texels_, frames);
  out.c2w = Upload(out.c2w, device_);
  out.fxfycxcy = Upload(out.fxfycxcy, device_);
#endif
  return out;
}

}  // namespace wildrayzer
