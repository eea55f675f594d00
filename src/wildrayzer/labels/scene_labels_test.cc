#include "wildrayzer/labels/scene_labels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/labels/dissimilarity.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kSide = 64, kInputs = 2, kViews = 5;

// Random weights of a small model without motion: its own features.
ModelSource TinySource() {
  ModelSource source;
  source.precision = PrecisionChoice::kFp32;
  source.seed = 3;
  source.use_motion = false;
  source.dino_features = true;
  for (const char* setting :
       {"model.target_image.height=64", "model.target_image.width=64", "model.image_tokenizer.patch_size=8",
        "model.target_pose_tokenizer.patch_size=8", "model.transformer.d=64", "model.transformer.d_head=32",
        "model.transformer.encoder_n_layer=2", "model.transformer.encoder_geom_n_layer=1",
        "model.transformer.decoder_n_layer=1", "model.scene_latent.length=16",
        "model.motion.feature_layer=1"}) {
    source.overrides.push_back(setting);
  }
  return source;
}

std::vector<Image> Views() {
  std::vector<Image> views;
  for (int v = 0; v < kViews; ++v) {
    Image image(kSide, kSide);
    for (size_t i = 0; i < image.rgb.size(); ++i) {
      image.rgb[i] = static_cast<uint8_t>(127 + 120 * std::sin(0.013 * static_cast<double>(i) * (v + 1)));
    }
    views.push_back(std::move(image));
  }
  return views;
}

TEST(SceneLabels, FollowTheModel) {
  const Reconstructor model(TinySource());
  const std::vector<Image> views = Views();
  LabelOptions options;
  options.clusters = 16;
  const SceneLabels scene = LabelTargets(model, views, kInputs, options);
  const Scene place = model.Reconstruct(views, kViews - kInputs);
  EXPECT_EQ(scene.renderings, model.Render(place, std::span(place.cameras).subspan(kInputs)));
  EXPECT_EQ(scene.images[0], views[2]);
  EXPECT_EQ(scene.shape.rows, 8);
  EXPECT_EQ(scene.shape.channels, 64);
  ASSERT_EQ(scene.labels.frames.size(), 3u);
  // Features of a target are those of the picture among the other views, and of its rendering among them.
  const PatchFeatures features = model.Features(views);
  std::vector<Image> replaced = views;
  for (int i = kInputs; i < kViews; ++i) replaced[i] = scene.renderings[i - kInputs];
  const PatchFeatures rendered = model.Features(replaced);
  for (size_t i = 0; i < 3; ++i) {
    // The same numbers, apart from being scaled to length 1 first.
    const auto expected =
        FeatureDissimilarity(features.View(kInputs + i), rendered.View(kInputs + i), features.channels);
    for (size_t p = 0; p < expected.size(); ++p) {
      EXPECT_NEAR(scene.labels.frames[i].features[p], expected[p], 1e-6);
    }
    EXPECT_DOUBLE_EQ(scene.labels.frames[i].psnr,
                     PicturePsnr(ToPlanes(scene.images[i]), ToPlanes(scene.renderings[i])));
  }
}

TEST(SceneLabels, EveryStepIsAPicture) {
  const Reconstructor model(TinySource());
  const SceneLabels scene = LabelTargets(model, Views(), kInputs, {});
  const auto steps = ExplainTarget(scene, 1);
  ASSERT_EQ(steps.size(), 8u);
  EXPECT_EQ(steps[0].image, scene.renderings[1]);
  for (const LabelPicture& step : steps) {
    EXPECT_EQ(step.image.width, kSide) << step.name;
    EXPECT_EQ(step.image.height, kSide) << step.name;
  }
  // Equal clusters have equal colours, others differ.
  const Image& clusters = steps[4].image;
  const std::vector<int>& labels = scene.labels.frames[1].clusters;
  for (int p = 1; p < 64; ++p) {
    const uint8_t* here = clusters.Pixel(8 * (p % 8) + 3, 8 * (p / 8) + 5);
    const bool same = std::equal(here, here + 3, clusters.Pixel(0, 0));
    EXPECT_EQ(same, labels[p] == labels[0]) << p;
  }
  const std::vector<std::string> titles = {"2", "3", "4"};
  const Image sheet = LabelSheet(scene, titles);
  EXPECT_GE(sheet.width, 9 * kSide);
  EXPECT_GE(sheet.height, 3 * kSide);
}

TEST(SceneLabels, AreRefusedForOtherSizesAndNumbers) {
  const Reconstructor model(TinySource());
  std::vector<Image> views = Views();
  EXPECT_THROW(LabelTargets(model, views, 1, {}), UsageError);
  EXPECT_THROW(LabelTargets(model, views, kViews, {}), UsageError);
  for (Image& view : views) view = Image(80, 64);
  EXPECT_THROW(LabelTargets(model, views, kInputs, {}), UsageError);
}

TEST(CoSegmentViews, GivesEveryViewAMask) {
  const Reconstructor model(TinySource());
  const auto masks = CoSegmentViews(model, Views(), {});
  ASSERT_EQ(masks.size(), static_cast<size_t>(kViews));
  for (const GrayImage& mask : masks) EXPECT_EQ(mask.values.size(), static_cast<size_t>(kSide) * kSide);
}

TEST(Reconstructor, FeaturesComeFromTheChosenLayer) {
  ModelSource source = TinySource();
  const PatchFeatures one = Reconstructor(source).Features(Views());
  source.overrides.back() = "model.motion.feature_layer=0";
  const PatchFeatures zero = Reconstructor(source).Features(Views());
  EXPECT_EQ(one.views, kViews);
  EXPECT_EQ(one.values.size(), static_cast<size_t>(kViews) * 64 * 64);
  EXPECT_NE(one.values, zero.values);
  // In layer 0 a view knows nothing of the others.
  std::vector<Image> views = Views();
  views[1] = views[2];
  const PatchFeatures other = Reconstructor(source).Features(views);
  EXPECT_TRUE(std::equal(zero.View(0).begin(), zero.View(0).end(), other.View(0).begin()));
  source.overrides.back() = "model.motion.feature_layer=2";
  EXPECT_THROW(Reconstructor(source).Features(views), Error);
}

}  // namespace
}  // namespace wildrayzer
