#include "wildrayzer/worlds/world_scene_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wildrayzer/data/scene_writer.h"

namespace wildrayzer {
namespace {

struct WorldFrameData {
  Image rgb, clean;
  std::vector<uint8_t> mask;
  std::vector<float> depth;  // metres
};

WorldFrameData FrameDataOf(const World& world, const RenderedWorld& rendered, int view) {
  const size_t pixels = static_cast<size_t>(rendered.width()) * static_cast<size_t>(rendered.height());
  const auto first = static_cast<size_t>(view) * pixels;
  const auto picture = [&](const std::vector<float>& planes) {
    return FromPlanes({planes.data() + 3 * first, 3 * pixels}, rendered.width(), rendered.height());
  };
  WorldFrameData frame{picture(rendered.seen), picture(rendered.clean), {}, {}};
  for (size_t i = first; i < first + pixels; ++i) {
    frame.mask.push_back(rendered.cover[i] >= 0.5F ? 1 : 0);
    frame.depth.push_back(world.unit * rendered.depth[i]);
  }
  return frame;
}

Eigen::Matrix4d WorldToCamera(const World& world, const WorldCamera& camera) {
  Eigen::Matrix4d c2w;
  for (int i = 0; i < 16; ++i) c2w(i / 4, i % 4) = camera.c2w[i];
  c2w.topRightCorner<3, 1>() *= world.unit;
  Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();
  w2c.topLeftCorner<3, 3>() = c2w.topLeftCorner<3, 3>().transpose();
  w2c.topRightCorner<3, 1>() = -w2c.topLeftCorner<3, 3>() * c2w.topRightCorner<3, 1>();
  return w2c;
}

}  // namespace

std::string WorldName(int index) { return fmt::format("world_{:06d}", index); }

void WriteWorldScene(const std::filesystem::path& root, int index, const World& world,
                     const RenderedWorld& rendered) {
  std::vector<WorldFrameData> data;
  for (int view = 0; view < rendered.views; ++view) data.push_back(FrameDataOf(world, rendered, view));
  std::vector<FrameToWrite> frames;
  for (int view = 0; view < rendered.views; ++view) {
    const WorldFrameData& from = data[static_cast<size_t>(view)];
    const WorldCamera camera = CameraOf(world, view, rendered.width(), rendered.height());
    const double w = rendered.width(), h = rendered.height();
    FrameToWrite& frame = frames.emplace_back();
    frame.rgb = &from.rgb, frame.clean = &from.clean, frame.mask = &from.mask, frame.depth = &from.depth;
    frame.fxfycxcy = {camera.fx * w, camera.fy * h, 0.5 * w, 0.5 * h};
    frame.w2c = WorldToCamera(world, camera);
  }
  const nlohmann::ordered_json known = {
      {"world", index},         {"inputs", world.inputs}, {"median_depth", world.unit},
      {"movers", world.movers}, {"twins", world.twins},   {"open", world.open}};
  WriteScene(root, WorldName(index), frames, true, known);
}

}  // namespace wildrayzer
