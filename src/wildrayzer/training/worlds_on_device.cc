#include "wildrayzer/training/worlds_on_device.h"

#include <algorithm>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

void CheckWorldBatch(std::span<const World> worlds, const WorldFrameSize& size) {
  if (worlds.empty()) throw Error("a batch of worlds needs at least one");
  for (const World& world : worlds) {
    if (world.views.size() != worlds[0].views.size())
      throw Error("the worlds of a batch have different numbers of views");
  }
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

}  // namespace

WorldRenderer::WorldRenderer(const TextureBank& bank, torch::Device device, int threads)
    : bank_(bank), device_(device), threads_(threads) {
  if (!device.is_cpu()) throw Error("worlds are rendered on the processor only");
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
  RenderWorlds(worlds, bank_, threads_, frames);
  return out;
}

}  // namespace wildrayzer
