#include "wildrayzer/training/worlds_on_device.h"

#include <gtest/gtest.h>

#include <vector>

#include "wildrayzer/testing/test_device.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/draw_world.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

const TextureBank& FewTextures() {
  static const TextureBank bank = [] {
    TextureSources sources;
    sources.procedural = 12;
    sources.procedural_cutouts = 4;
    return TextureBank::Make(sources, 1, 2);
  }();
  return bank;
}

std::vector<World> ThreeWorlds(int views) {
  WorldOptions options;
  options.views = views;
  options.movers = 1;
  std::vector<World> worlds;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    worlds.push_back(DrawWorld(FewTextures(), options, random));
  }
  return worlds;
}

// Share of the elements that differ by more than 1e-3: what the self-check allows a GPU (device_checks.cc).
double ShareThatDiffers(const Tensor& found, const Tensor& wanted) {
  EXPECT_EQ(found.sizes(), wanted.sizes());
  return (found.to(torch::kCPU) - wanted).abs().gt(1e-3).to(torch::kFloat64).mean().item<double>();
}

TEST(WorldRenderer, GivesWhatTheProcessorRenders) {
  const std::vector<World> worlds = ThreeWorlds(4);
  WorldFrameSize size;
  size.width = 48, size.height = 40, size.patch = 8;
  size.depth = true;
  const WorldRenderer renderer(FewTextures(), testing::TestDevice(), 2);
  const WorldTensors found = renderer.Render(worlds, size);

  WorldFrames frames;
  frames.width = 48, frames.height = 40, frames.patch = 8;
  const Tensor seen = torch::full({3, 4, 3, 40, 48}, NAN), clean = torch::full({3, 4, 3, 40, 48}, NAN),
               cover = torch::full({3, 4, 1, 40, 48}, NAN), depth = torch::full({3, 4, 40, 48}, NAN),
               matches = torch::full({3, 4, 30, 2}, NAN), log_depth = torch::full({3, 4, 30}, NAN),
               visible = torch::full({3, 4, 30}, NAN);
  frames.seen = seen.data_ptr<float>();
  frames.clean = clean.data_ptr<float>();
  frames.cover = cover.data_ptr<float>();
  frames.depth = depth.data_ptr<float>();
  frames.matches = matches.data_ptr<float>();
  frames.log_depth = log_depth.data_ptr<float>();
  frames.visible = visible.data_ptr<float>();
  RenderWorlds(worlds, FewTextures(), 1, frames);

  const double allowed = testing::TestDevice().is_cpu() ? 0.0 : 1e-3;
  EXPECT_LE(ShareThatDiffers(found.images, seen), allowed);
  EXPECT_LE(ShareThatDiffers(found.clean, clean), allowed);
  EXPECT_LE(ShareThatDiffers(found.cover, cover), allowed);
  EXPECT_LE(ShareThatDiffers(found.depth, depth), allowed);
  EXPECT_LE(ShareThatDiffers(found.matches, matches), allowed);
  EXPECT_LE(ShareThatDiffers(found.log_depth, log_depth), allowed);
  EXPECT_LE(ShareThatDiffers(found.visible, visible), allowed);
  // There is something to see, and something moves.
  EXPECT_GT(seen.std().item<double>(), 0.05);
  EXPECT_GT(cover.mean().item<double>(), 0.005);
  EXPECT_GT((seen - clean).abs().max().item<double>(), 0.1);
}

TEST(WorldRenderer, DoesNotDependOnThreads) {
  const std::vector<World> worlds = ThreeWorlds(3);
  const WorldTensors one = WorldRenderer(FewTextures(), torch::kCPU, 1).Render(worlds, {64, 64, 16});
  const WorldTensors four = WorldRenderer(FewTextures(), torch::kCPU, 4).Render(worlds, {64, 64, 16});
  EXPECT_TRUE(torch::equal(one.images, four.images));
  EXPECT_TRUE(torch::equal(one.clean, four.clean));
  EXPECT_TRUE(torch::equal(one.matches, four.matches));
  EXPECT_FALSE(one.depth.defined());
}

// A point of a view at its true depth, carried by the cameras into the first one, lies where `matches` says:
// the tensors agree with each other.
TEST(WorldRenderer, CamerasAndDepthsLeadToTheMatches) {
  const std::vector<World> worlds = ThreeWorlds(4);
  const WorldTensors all = WorldRenderer(FewTextures(), testing::TestDevice(), 1).Render(worlds, {96, 64, 8});
  const auto here = [](const Tensor& tensor) { return tensor.to(torch::kCPU); };
  const Tensor u = ((torch::arange(12) + 0.5) / 12).repeat({8}),
               v = ((torch::arange(8) + 0.5) / 8).repeat_interleave(12);
  const Tensor focal = here(all.fxfycxcy);
  const Tensor fx = focal.select(2, 0).unsqueeze(2), fy = focal.select(2, 1).unsqueeze(2);
  const Tensor depth = here(all.log_depth).exp();
  const Tensor points = torch::stack({depth * (u - 0.5) / fx, depth * (v - 0.5) / fy, depth}, 3);
  const Tensor c2w = here(all.c2w);
  const Tensor rotation = c2w.slice(2, 0, 3).slice(3, 0, 3), moved = c2w.slice(2, 0, 3).slice(3, 3, 4);
  const Tensor there = torch::matmul(points, rotation.transpose(2, 3)) + moved.transpose(2, 3);
  const Tensor z = there.select(3, 2).clamp_min(1e-3);
  const Tensor found =
      torch::stack({0.5 + fx * there.select(3, 0) / z, 0.5 + fy * there.select(3, 1) / z}, 3);
  const Tensor visible = here(all.visible).gt(0);
  ASSERT_GT(visible.to(torch::kFloat32).mean().item<double>(), 0.4);
  EXPECT_LT((found - here(all.matches)).abs().amax(3).masked_select(visible).max().item<double>(), 1e-4);
  EXPECT_LT((c2w.select(1, 0) - torch::eye(4)).abs().max().item<double>(), 1e-6);
}

TEST(WorldRenderer, RefusesWhatIsNoBatch) {
  const WorldRenderer renderer(FewTextures(), torch::kCPU, 1);
  std::vector<World> worlds = ThreeWorlds(3);
  EXPECT_THROW(renderer.Render({}, {}), Error);
  EXPECT_THROW(renderer.Render(worlds, {100, 64, 16}), Error);
  EXPECT_THROW(renderer.Render(worlds, {64, 64, 0}), Error);
  worlds[1].views.pop_back();
  EXPECT_THROW(renderer.Render(worlds, {64, 64, 16}), Error);
}

}  // namespace
}  // namespace wildrayzer
