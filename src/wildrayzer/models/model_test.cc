// Properties of the model that golden vectors of one scene cannot show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/testing/small_model.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Features;
using ::testing::HasSubstr;
using testing::Images;
using testing::kDinoWidth;
using testing::kRounding;
using testing::RaysOf;
using testing::SmallConfig;
using testing::SmallModel;

TEST(WildRayZer, SamplesOfABatchAreIndependent) {
  const torch::NoGradGuard no_grad;
  for (const bool cross_view : {true, false}) {
    ModelConfig config = SmallConfig();
    config.motion.cross_view = cross_view;
    config.motion.threshold = 0.5;
    WildRayZer model = SmallModel(config);
    const torch::Tensor images = Images("batch", 2, 5, 32, 48);
    PredictOptions options;
    options.features = FeatureSource::Given(Features("batch/dino", 2, 5, 4, 6));
    options.render_inputs = true;
    const Prediction both = Predict(model, images, 2, options);
    for (int64_t scene = 0; scene < 2; ++scene) {
      PredictOptions one = options;
      one.features = options.features.Scene(scene);
      const Prediction alone = Predict(model, images.narrow(0, scene, 1), 2, one);
      EXPECT_LT(Difference(both.cameras.c2w[scene], alone.cameras.c2w[0]), kRounding);
      EXPECT_LT(Difference(both.input_logits[scene], alone.input_logits[0]), kRounding);
      EXPECT_LT(Difference(both.target_logits[scene], alone.target_logits[0]), kRounding);
      EXPECT_TRUE(torch::equal(both.scene.patch_is_dynamic[scene], alone.scene.patch_is_dynamic[0]));
      EXPECT_TRUE(alone.scene.patch_is_dynamic.any().item<bool>());
      EXPECT_LT(Difference(both.scene.tokens[scene], alone.scene.tokens[0]), kRounding);
      EXPECT_LT(Difference(both.images[scene], alone.images[0]), kRounding);
      EXPECT_LT(Difference(both.input_images[scene], alone.input_images[0]), kRounding);
    }
    // The release fed the first B K views of the flattened list to the estimator: scene 1 got scene 0's
    // targets.
    EXPECT_GT(Difference(both.input_logits[0], both.input_logits[1]), 1e-2);
    EXPECT_FALSE(torch::equal(both.scene.patch_is_dynamic[0], both.scene.patch_is_dynamic[1]));
  }
}

TEST(WildRayZer, CrossViewLetsViewsSeeEachOther) {
  const torch::NoGradGuard no_grad;
  for (const bool cross_view : {true, false}) {
    ModelConfig config = SmallConfig();
    config.motion.cross_view = cross_view;
    WildRayZer model = SmallModel(config);
    const ViewTokens views = model->Tokenize(Images("cross", 1, 2, 32, 48));
    const Cameras cameras = model->EstimateCameras(views);
    const torch::Tensor features = Features("cross/dino", 1, 2, 4, 6);
    torch::Tensor other = features.clone();
    other.select(1, 1).neg_();
    const torch::Tensor before = model->PredictMotion(views, RaysOf(model, cameras, views), features);
    const torch::Tensor after = model->PredictMotion(views, RaysOf(model, cameras, views), other);
    EXPECT_GT(Difference(before.select(1, 1), after.select(1, 1)), 1e-2);
    if (cross_view) {
      EXPECT_GT(Difference(before.select(1, 0), after.select(1, 0)), 1e-4);
    } else {
      EXPECT_EQ(Difference(before.select(1, 0), after.select(1, 0)), 0.0);
    }
  }
}

TEST(Pass, GivesTheSameInAnyOrderAndOfOneSceneAlone) {
  const torch::NoGradGuard no_grad;
  ModelConfig config = SmallConfig();
  config.motion.threshold = 0.5;
  WildRayZer model = SmallModel(config);
  const torch::Tensor images = Images("pass", 2, 5, 32, 48);
  const FeatureSource features = FeatureSource::Given(Features("pass/dino", 2, 5, 4, 6));
  Pass pass(model, features, images, 2);
  const torch::Tensor target = pass.TargetMotion();  // before the inputs', whose masks nobody has asked for
  pass.Encode(pass.InputMotionProbability());
  const torch::Tensor renderings = pass.RenderTargets();
  PredictOptions options;
  options.features = features;
  const Prediction usual = Predict(model, images, 2, options);
  EXPECT_TRUE(torch::equal(target, usual.target_logits));
  EXPECT_TRUE(torch::equal(renderings, usual.images));
  EXPECT_TRUE(torch::equal(pass.InputMotion(), usual.input_logits));

  Pass alone = pass.Scene(1);
  EXPECT_TRUE(torch::equal(alone.cameras().c2w[0], usual.cameras.c2w[1]));
  EXPECT_TRUE(torch::equal(alone.Features(2, 3)[0], features.Of(images, 2, 3)[1]));
  alone.Encode(alone.InputMotionProbability());
  EXPECT_LT(Difference(alone.RenderTargets()[0], usual.images[1]), kRounding);
}

TEST(Pass, MasksWithoutGradientLeaveTheRestOfTheGraphWhole) {
  ModelConfig config = SmallConfig();
  config.motion.features = MotionFeatures::kOwn;
  config.motion.dino_width = config.d;
  WildRayZer model = SmallModel(config);
  Pass pass(model, {}, Images("graph", 1, 3, 32, 48), 2);
  pass.Encode(pass.InputMotionProbability());
  pass.RenderTargets().sum().backward();
  for (const auto& item : model->named_parameters()) {
    const bool motion = item.key().rfind("motion_mask_predictor.", 0) == 0;
    EXPECT_EQ(item.value().grad().defined(), !motion) << item.key();
  }
}

TEST(Pass, RendersFromCamerasThatAreGiven) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  const torch::Tensor images = Images("known", 1, 4, 32, 48);
  const Prediction usual = Predict(model, images, 2);
  Pass pass(model, {}, images, 2);
  Cameras known = pass.cameras();
  known.c2w = known.c2w.clone();
  pass.UseCameras(known);
  pass.Encode();
  EXPECT_TRUE(torch::equal(pass.RenderTargets(), usual.images));
  known.c2w.select(1, 0).select(1, 0).select(1, 3).add_(0.5);  // an input's
  pass.UseCameras(known);
  pass.Encode();
  EXPECT_GT(Difference(pass.RenderTargets(), usual.images), 1e-4);
}

TEST(Pass, NeedsTheFeaturesThatItsMotionEstimatorReads) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());  // reads DINOv3's
  Pass pass(model, {}, Images("none", 1, 3, 32, 48), 2);
  EXPECT_FALSE(pass.HasMotion());
  EXPECT_FALSE(pass.InputMotion().defined());
  EXPECT_FALSE(pass.TargetMotion().defined());
  EXPECT_THROW(FeatureSource::Given(Features("x", 1, 2, 4, 6)).Of(pass.images(), 0, 2), UsageError);
}

TEST(WildRayZer, TakesAnyNumberOfViewsAndAnyGrid) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  struct Size {
    int64_t inputs, targets, height, width;
  };
  for (const Size& size :
       {Size{2, 1, 32, 48}, Size{3, 2, 48, 32}, Size{4, 1, 16, 64}, Size{1, 1, 8, 8}, Size{2, 0, 32, 32}}) {
    PredictOptions options;
    const int64_t views = size.inputs + size.targets;
    options.features = FeatureSource::Given(Features("any/dino", 1, views, size.height / 8, size.width / 8));
    const Prediction result =
        Predict(model, Images("any", 1, views, size.height, size.width), size.inputs, options);
    EXPECT_EQ(result.images.sizes(), (torch::IntArrayRef{1, size.targets, 3, size.height, size.width}));
    EXPECT_EQ(result.input_logits.sizes(), (torch::IntArrayRef{1, size.inputs, 1, size.height, size.width}));
    EXPECT_TRUE(result.images.isfinite().all().item<bool>());
    EXPECT_TRUE(result.scene.tokens.isfinite().all().item<bool>());
  }
}

TEST(WildRayZer, ResizesDinoFeaturesOfAnotherGrid) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  const ViewTokens views = model->Tokenize(Images("grid", 1, 2, 32, 48));
  const Cameras cameras = model->EstimateCameras(views);
  // A constant map stays constant under interpolation, so its grid cannot matter.
  const torch::Tensor constant = Features("grid/dino", 1, 2, 1, 1);
  const torch::Tensor own =
      model->PredictMotion(views, RaysOf(model, cameras, views), constant.expand({1, 2, kDinoWidth, 4, 6}));
  const torch::Tensor other =
      model->PredictMotion(views, RaysOf(model, cameras, views), constant.expand({1, 2, kDinoWidth, 2, 3}));
  EXPECT_LT(Difference(own, other), kRounding);
}

TEST(WildRayZer, LastBlocksMayBeShortened) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  const torch::Tensor images = Images("savings", 2, 5, 32, 48);
  PredictOptions options;
  options.features = FeatureSource::Given(Features("savings/dino", 2, 5, 4, 6));
  Trace whole;  // recording computes every block in full
  whole.record = [](const std::string&, const torch::Tensor&) {};
  const Prediction shortened = Predict(model, images, 3, options);
  const Prediction full = Predict(model, images, 3, options, whole);
  EXPECT_LT(Difference(shortened.cameras.camera_info, full.cameras.camera_info), kRounding);
  EXPECT_LT(Difference(shortened.scene.tokens, full.scene.tokens), kRounding);
  EXPECT_LT(Difference(shortened.images, full.images), kRounding);
}

TEST(WildRayZer, TargetsDoNotSeeEachOther) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  const Prediction result = Predict(model, Images("targets", 1, 6, 32, 48), 2);
  const torch::Tensor one =
      model->Render(result.scene.memory, result.cameras.Views(4, 1), 32, 48);  // the third of four targets
  EXPECT_LT(Difference(one.select(1, 0), result.images.select(1, 2)), kRounding);
}

TEST(WildRayZer, RendersManyTargetsInChunks) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  const Prediction result = Predict(model, Images("chunks", 1, 3, 32, 48), 2);
  // 34 tokens a target: 70 targets need three chunks.
  const Cameras one = result.cameras.Views(2, 1);
  const Cameras many = Cameras::Given(one.c2w.expand({1, 70, 4, 4}), one.fxfycxcy.expand({1, 70, 4}));
  int steps = 0;
  Trace trace;
  trace.step = [&] { ++steps; };
  const torch::Tensor images = model->Render(result.scene.memory, many, 32, 48, trace);
  EXPECT_EQ(steps, 70);
  EXPECT_LT(Difference(images, result.images.expand_as(images)), kRounding);
}

TEST(WildRayZer, MaskingHidesTheMaskedPixels) {
  const torch::NoGradGuard no_grad;
  for (const TokenMasking masking : {TokenMasking::kZero, TokenMasking::kNoise, TokenMasking::kDrop}) {
    ModelConfig config = SmallConfig();
    config.token_masking = masking;
    WildRayZer model = SmallModel(config);
    const torch::Tensor images = Images("mask", 1, 2, 32, 48);
    const ViewTokens views = model->Tokenize(images);
    const Cameras cameras = model->EstimateCameras(views);
    torch::Tensor masks = torch::zeros({1, 2, 1, 32, 48}, torch::kUInt8);
    masks.slice(3, 8, 16).slice(4, 16, 24).fill_(1);  // exactly one patch of each view

    torch::Tensor changed = images.clone();
    changed.slice(3, 8, 16).slice(4, 16, 24).mul_(0.5);
    const torch::Tensor rays = RaysOf(model, cameras, views);
    const EncodedScene before = model->EncodeScene(views, rays, masks);
    const EncodedScene after = model->EncodeScene(model->Tokenize(changed), rays, masks);
    EXPECT_EQ(before.patch_is_dynamic.sum().item<int64_t>(), 2);
    EXPECT_LT(Difference(before.tokens, after.tokens), kRounding);
    // Without masks the change is seen.
    EXPECT_GT(Difference(model->EncodeScene(views, rays).tokens,
                         model->EncodeScene(model->Tokenize(changed), rays).tokens),
              1e-3);
  }
}

TEST(WildRayZer, AllTokensMayBeMasked) {
  const torch::NoGradGuard no_grad;
  for (const TokenMasking masking : {TokenMasking::kZero, TokenMasking::kNoise, TokenMasking::kDrop}) {
    ModelConfig config = SmallConfig();
    config.token_masking = masking;
    WildRayZer model = SmallModel(config);
    PredictOptions options;
    options.input_masks = torch::ones({1, 2, 1, 32, 48});
    const Prediction a = Predict(model, Images("all/a", 1, 3, 32, 48), 2, options);
    const Prediction b = Predict(model, Images("all/b", 1, 3, 32, 48), 2, options);
    EXPECT_TRUE(a.images.isfinite().all().item<bool>());
    EXPECT_LT(Difference(a.scene.tokens, b.scene.tokens), kRounding);  // nothing of the photos is left
  }
}

TEST(WildRayZer, MaskThresholdIsExclusive) {
  ModelConfig config = SmallConfig();
  config.motion.threshold = 0.25;
  WildRayZer model = SmallModel(config);
  torch::Tensor masks = torch::zeros({1, 1, 1, 16, 8});
  masks.slice(3, 0, 2).fill_(1.0);   // 16 of 64 pixels of the upper patch: exactly 0.25
  masks.slice(3, 8, 11).fill_(1.0);  // 24 of 64 pixels of the lower patch
  const torch::Tensor pooled = model->PoolToPatches(masks);
  EXPECT_EQ(pooled.sizes(), (torch::IntArrayRef{1, 1, 2, 1}));
  EXPECT_FLOAT_EQ(pooled[0][0][0][0].item<float>(), 0.25f);
  EXPECT_FLOAT_EQ(pooled[0][0][1][0].item<float>(), 0.375f);
  const ViewTokens views = model->Tokenize(Images("threshold", 1, 1, 16, 8));
  const torch::Tensor rays = RaysOf(model, model->EstimateCameras(views), views);
  const EncodedScene scene = model->EncodeScene(views, rays, masks);
  EXPECT_FALSE(scene.patch_is_dynamic[0][0][0][0].item<bool>());
  EXPECT_TRUE(scene.patch_is_dynamic[0][0][1][0].item<bool>());
}

TEST(WildRayZer, GradientsReachEveryParameter) {
  for (const SceneLayout layout : {SceneLayout::kCodes, SceneLayout::kTokens}) {
    ModelConfig config = SmallConfig();
    config.scene = layout;
    config.token_masking = TokenMasking::kNoise;
    config.motion.threshold = 0.5;
    WildRayZer model = SmallModel(config);
    PredictOptions options;
    options.features = FeatureSource::Given(Features("grad/dino", 2, 3, 4, 6));
    const Prediction result = Predict(model, Images("grad", 2, 3, 32, 48), 2, options);
    ASSERT_TRUE(result.scene.patch_is_dynamic.any().item<bool>());
    ASSERT_FALSE(result.scene.patch_is_dynamic.all().item<bool>());
    (result.images.square().mean() + result.input_logits.square().mean() +
     result.target_logits.square().mean())
        .backward();
    for (const auto& parameter : model->named_parameters()) {
      ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
      EXPECT_GT(parameter.value().grad().abs().max().item<double>(), 0.0) << parameter.key();
    }
  }
}

// Gradient checkpointing changes what is remembered, not what is computed.
class RecomputedBlocks : public ::testing::TestWithParam<SceneLayout> {};

TEST_P(RecomputedBlocks, GiveTheSameGradients) {
  ModelConfig config = SmallConfig();
  config.scene = GetParam();
  config.renderer_layers = 3;
  if (GetParam() == SceneLayout::kTokens) config.camera_attention = CameraAttention::kAlternating;
  config.camera_estimator_layers = 5;
  config.motion.feature_layer = 3;
  config.use_motion = false;
  WildRayZer model = SmallModel(config);
  const torch::Tensor images = Images("recompute", 2, 3, 32, 48);
  const auto gradients = [&](int64_t every) {
    model->RecomputeBlocks(every);
    const Prediction prediction = Predict(model, images, 2);
    // The tokens that leave the camera estimator half-way matter too.
    const torch::Tensor loss = prediction.images.square().sum() + prediction.cameras.features.square().mean();
    return torch::autograd::grad({loss}, model->parameters(), {}, {}, false, /*allow_unused=*/true);
  };
  const auto expected = gradients(0);
  for (const int64_t every : {1, 2, 4, 100}) {
    const auto got = gradients(every);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(got[i].defined(), expected[i].defined()) << i;
      if (got[i].defined()) {
        // The same operations; only gradients that meet are added in another order.
        const double error = ((got[i] - expected[i]).norm() / expected[i].norm()).item<double>();
        EXPECT_LT(error, 1e-5) << every << " " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, RecomputedBlocks,
                         ::testing::Values(SceneLayout::kCodes, SceneLayout::kTokens));

TEST(WildRayZer, TraceCountsBlocksAndTargets) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(SmallConfig());
  PredictOptions options;
  options.features = FeatureSource::Given(Features("steps/dino", 1, 5, 4, 6));
  int steps = 0;
  Trace trace;
  trace.step = [&] { ++steps; };
  Predict(model, Images("steps", 1, 5, 32, 48), 2, options, trace);
  EXPECT_EQ(steps, 2 /*cameras*/ + 2 /*motion of the inputs*/ + 2 /*scene*/ + 2 /*motion of the targets*/ +
                       3 /*targets*/);
}

TEST(WildRayZer, BadInputIsNamed) {
  ModelConfig config = SmallConfig();
  WildRayZer model = SmallModel(config);
  EXPECT_THROW(model->Tokenize(torch::rand({1, 2, 3, 30, 48})), UsageError);
  EXPECT_THROW(model->Tokenize(torch::rand({1, 2, 1, 32, 48})), UsageError);
  EXPECT_THROW(Predict(model, Images("bad", 1, 2, 32, 48), 3), UsageError);
  const ViewTokens views = model->Tokenize(Images("bad", 1, 2, 32, 48));
  const Cameras cameras = model->EstimateCameras(views);
  EXPECT_THROW(
      model->PredictMotion(views, RaysOf(model, cameras, views), torch::rand({1, 2, kDinoWidth + 1, 4, 6})),
      UsageError);
  config.use_motion = false;
  WildRayZer plain = SmallModel(config);
  EXPECT_THROW(plain->PredictMotion(views, RaysOf(plain, cameras, views), Features("x", 1, 2, 4, 6)),
               UsageError);
}

}  // namespace
}  // namespace wildrayzer
