// The stream of worlds: what it depends on, what its tensors are, and what is learnt and scored on them.
#include "wildrayzer/training/world_batches.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "wildrayzer/training/objective.h"
#include "wildrayzer/worlds/draw_world.h"

namespace wildrayzer {
namespace {

TrainConfig SmallWorlds() {
  TrainConfig config;
  config.stage = Stage::kJoint;
  config.model.width = config.model.height = 32;
  config.model.patch = 8;
  config.seed = 7;
  config.schedule.total_steps = 10;
  config.loader.threads = 2;
  config.worlds.scenes = 2;
  config.worlds.views = 5;
  config.worlds.min_views = 3;
  config.worlds.max_inputs = 3;
  config.worlds.drawn.movers = 1;
  config.worlds.textures.procedural = 4;
  config.worlds.textures.procedural_cutouts = 4;
  return config;
}

TEST(WorldBatches, DependOnTheirNumberOnly) {
  const TrainConfig config = SmallWorlds();
  WorldBatches from_start(config, 0), resumed(config, 2);
  for (int i = 0; i < 2; ++i) from_start.Next();
  for (int i = 0; i < 3; ++i) {
    const WorldBatch a = from_start.Next(), b = resumed.Next();
    EXPECT_TRUE(torch::equal(a.images, b.images));
    EXPECT_TRUE(torch::equal(a.draws, b.draws));
    EXPECT_EQ(a.inputs, b.inputs);
  }
  TrainConfig other = config;
  other.loader.threads = 1;
  EXPECT_TRUE(torch::equal(WorldBatches(config, 0).Next().images, WorldBatches(other, 0).Next().images));
  other.seed = 8;
  EXPECT_FALSE(torch::equal(WorldBatches(config, 0).Next().draws, WorldBatches(other, 0).Next().draws));
}

TEST(WorldBatches, HaveMoversMatchesAndViewsOfAllNumbers) {
  TrainConfig config = SmallWorlds();
  config.model.any_shape = true;
  WorldBatches batches(config, 0);
  std::set<int64_t> views, inputs, widths;
  double moving = 0;
  for (int i = 0; i < 24; ++i) {
    const WorldBatch batch = batches.Next();
    views.insert(batch.images.size(1));
    inputs.insert(batch.inputs);
    widths.insert(batch.images.size(4));
    EXPECT_LT(batch.inputs, batch.images.size(1));
    EXPECT_EQ(batch.images.size(3) * batch.images.size(4) / 64, batch.matches.size(2));
    EXPECT_EQ(batch.cover.size(2), 1);
    EXPECT_GE(batch.images.min().item<float>(), 0);
    EXPECT_LE(batch.images.max().item<float>(), 1);
    // Outside what moves both pictures show the same, unless a shadow falls there.
    const torch::Tensor changed = (batch.images - batch.clean).abs().amax(2, true).gt(0.02);
    EXPECT_LT(changed.logical_and(batch.cover.eq(0)).to(torch::kFloat32).mean().item<double>(), 0.2);
    moving += batch.cover.mean().item<double>();
    const WorldBatch part = batch.Scenes(1, 1);
    EXPECT_TRUE(torch::equal(part.cover[0], batch.cover[1]));
    EXPECT_EQ(part.inputs, batch.inputs);
  }
  EXPECT_EQ(views, (std::set<int64_t>{3, 4, 5}));
  EXPECT_EQ(inputs, (std::set<int64_t>{2, 3}));
  EXPECT_GT(widths.size(), 1);
  EXPECT_GT(moving / 24, 0.02);
}

// A curriculum is a matter of the batch's number, or of the time where that is limited.
TEST(WorldBatches, MotionFollowsTheRun) {
  TrainConfig config = SmallWorlds();
  config.worlds.scenes = 16;
  config.worlds.motion = {0.05, 1.0};
  const auto moved = [](const WorldBatch& batch) {
    return batch.c2w.narrow(2, 0, 3).select(3, 3).square().sum(-1).sqrt().mean().item<double>();
  };
  EXPECT_GT(moved(WorldBatches(config, 9).Next()), 3 * moved(WorldBatches(config, 0).Next()));
}

TrainConfig TinyModelOnWorlds() {
  TrainConfig config = SmallWorlds();
  config.model.d = 32;
  config.model.d_head = 16;
  config.model.scene = SceneLayout::kTokens;
  config.model.view_code = ViewCode::kCanonical;
  config.model.camera_attention = CameraAttention::kAlternating;
  config.model.camera_estimator_layers = 2;
  config.model.scene_encoder_layers = config.model.renderer_layers = 1;
  config.model.use_motion = true;
  config.model.motion.features = MotionFeatures::kOwn;
  config.model.motion.dino_width = 32;
  config.model.motion.layers = 1;
  return config;
}

TEST(Worlds, WhatMovesTeachesTheFeaturesOnlyWhenAskedTo) {
  const TrainConfig config = TinyModelOnWorlds();
  WildRayZer model(config.model);
  RandomInit(model, 1);
  const WorldBatch batch = WorldBatches(config, 0).Next();
  Pass as_published(model, FeatureSource(), batch.images, batch.inputs);
  EXPECT_FALSE(as_published.Features(0, 1).requires_grad());
  Pass taught(model, FeatureSource(), batch.images, batch.inputs);
  taught.LetMotionTeachFeatures();
  EXPECT_TRUE(taught.Features(0, 1).requires_grad());
  EXPECT_TRUE(torch::equal(taught.Features(0, 1), as_published.Features(0, 1)));
}

// Stage 2 learns what moves and nothing else; the others cameras too, and the clean targets.
TEST(Worlds, EveryStageLearnsItsPart) {
  for (const Stage stage : {Stage::kMotionMasks, Stage::kJoint}) {
    TrainConfig config = TinyModelOnWorlds();
    config.stage = stage;
    WildRayZer model(config.model);
    RandomInit(model, 1);
    Objective objective(config, model, FeatureSource(),
                        [](const Pass&, const LabelScene&) { return TargetLabels(); });
    const Outcome outcome = objective.Worlds(WorldBatches(config, 0).Next());
    ASSERT_TRUE(outcome.loss.defined());
    EXPECT_GT(outcome.numbers.at("world_mask_loss"), 0.0);
    EXPECT_EQ(outcome.numbers.count("world_psnr"), stage == Stage::kJoint ? 1U : 0U);
    EXPECT_EQ(outcome.numbers.count("camera_loss"), stage == Stage::kJoint ? 1U : 0U);
    EXPECT_NEAR(outcome.loss.item<double>(), outcome.numbers.at("loss"), 1e-4);
  }
}

// What does not depend on the model, computed once more from the worlds themselves.
TEST(WorldScores, BaselinesAreThoseOfTheWorlds) {
  const TrainConfig config = TinyModelOnWorlds();
  WildRayZer model(config.model);
  RandomInit(model, 1);
  WorldScoreOptions options;
  options.worlds = 3;
  options.seed = 5;
  options.targets = 2;
  options.drawn.movers = 0;
  options.textures.procedural = 4;
  options.textures.procedural_cutouts = 2;
  const TextureBank bank = TextureBank::Make(options.textures, options.seed, 1);
  const auto scores = ScoreOnWorlds(model, FeatureSource(), options, bank, torch::kCPU);
  WorldOptions drawn = options.drawn;
  drawn.width = drawn.height = 32;
  drawn.views = 4;
  drawn.inputs = 2;
  double turned = 0, psnr = 0;
  for (int i = 0; i < 3; ++i) {
    Random random(5, "scored world " + std::to_string(i));
    const World world = DrawWorld(bank, drawn, random);
    for (const WorldViewFacts& facts : FactsOf(world, bank, 32, 32, 4)) turned += facts.rotation / 9;
    const WorldTensors views = WorldRenderer(bank, torch::kCPU, 1).Render({&world, 1}, {32, 32, 8});
    const torch::Tensor mean = views.images[0].narrow(0, 0, 2).mean(0);
    for (int64_t target = 2; target < 4; ++target)
      psnr += -10 * std::log10((mean - views.clean[0][target]).square().mean().item<double>()) / 6;
  }
  EXPECT_NEAR(scores.at("still_degrees"), turned, 1e-2);  // arc cosines of float32 matrices
  EXPECT_NEAR(scores.at("mean_input_psnr"), psnr, 1e-4);
  for (const char* name : {"psnr", "truth_psnr", "transfer_psnr", "transfer_truth_psnr", "rotation_degrees",
                           "translation_r2", "focal_error"})
    EXPECT_TRUE(std::isfinite(scores.at(name))) << name;
  EXPECT_EQ(scores.count("mask_iou"), 0U);  // nothing moves
}

// What transfer rests on: cameras that are true in one world are true in another about the same path.
TEST(WorldScores, TrueCamerasTransfer) {
  TextureSources few;
  few.procedural = 4;
  few.procedural_cutouts = 2;
  const TextureBank bank = TextureBank::Make(few, 1, 1);
  std::vector<World> worlds, others;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Random random(seed, "transfer");
    worlds.push_back(DrawWorld(bank, {}, random));
    others.push_back(DrawWorldAlong(worlds.back(), bank, {}, random));
    EXPECT_GT(std::abs(worlds.back().unit / others.back().unit - 1), 0.01);  // something to convert
  }
  const WorldRenderer renderer(bank, torch::kCPU, 1);
  const WorldTensors here = renderer.Render(worlds, {32, 32, 8}),
                     there = renderer.Render(others, {32, 32, 8});
  Cameras cameras;
  cameras.c2w = here.c2w;
  cameras.fxfycxcy = here.fxfycxcy;
  const Cameras moved = InOtherWorlds(cameras, worlds, others);
  EXPECT_TRUE(torch::allclose(moved.c2w, there.c2w, 0, 1e-4));
  EXPECT_TRUE(torch::allclose(moved.fxfycxcy, there.fxfycxcy, 0, 1e-5));
}

// Draws below the share take the truth: where the share has fallen past them the estimate is used, all else
// being equal.
TEST(Worlds, TruthIsUsedByItsShare) {
  TrainConfig config = TinyModelOnWorlds();
  WorldBatch batch = WorldBatches(config, 0).Next();
  batch.draws.fill_(0.5);
  const auto psnr = [&](Ramp cameras, Ramp masks, double progress) {
    config.worlds.true_cameras = cameras;
    config.worlds.true_masks = masks;
    WildRayZer model(config.model);
    RandomInit(model, 1);
    Objective objective(config, model, FeatureSource(),
                        [](const Pass&, const LabelScene&) { return TargetLabels(); });
    objective.SetProgress(progress);
    return static_cast<double>(objective.Worlds(batch).numbers.at("world_psnr"));
  };
  const Ramp falls{1, 0}, always = Ramp::Constant(1);
  EXPECT_EQ(psnr(falls, always, 0.4), psnr(always, always, 0));
  EXPECT_EQ(psnr(falls, always, 0.6), psnr(Ramp(), always, 0));
  EXPECT_NE(psnr(falls, always, 0.4), psnr(falls, always, 0.6));
  EXPECT_EQ(psnr(always, falls, 0.4), psnr(always, always, 0));
  EXPECT_EQ(psnr(always, falls, 0.6), psnr(always, Ramp(), 0));
  EXPECT_NE(psnr(always, falls, 0.4), psnr(always, falls, 0.6));
}

}  // namespace
}  // namespace wildrayzer
