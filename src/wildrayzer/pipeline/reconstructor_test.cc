#include "wildrayzer/pipeline/reconstructor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Small enough for a second, with every part of the full model.
ModelSource TinySource() {
  ModelSource source;
  source.precision = PrecisionChoice::kFp32;
  source.seed = 3;
  for (const char* setting :
       {"model.target_image.height=64", "model.target_image.width=64", "model.image_tokenizer.image_size=64",
        "model.target_pose_tokenizer.image_size=64", "model.transformer.d=64", "model.transformer.d_head=32",
        "model.transformer.encoder_n_layer=2", "model.transformer.encoder_geom_n_layer=1",
        "model.transformer.decoder_n_layer=1", "model.scene_latent.length=16"}) {
    source.overrides.push_back(setting);
  }
  return source;
}

Image Picture(int width, int height, int seed) {
  Image image(width, height);
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<uint8_t>(127 + 120 * std::sin(0.01 * static_cast<double>(i) * (seed + 1)));
  }
  return image;
}

std::vector<Image> Pictures(int count) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) images.push_back(Picture(80, 60, i));
  return images;
}

TEST(Reconstructor, ASceneIsRenderedAgainWithoutPhotos) {
  const Reconstructor reconstructor(TinySource());
  Scene scene;
  {
    std::vector<Image> photos = Pictures(2);
    scene = reconstructor.Reconstruct(photos);
  }
  const std::vector<Camera> path = InterpolateCameras(scene.cameras, 5);
  int stages = 0;
  const std::vector<Image> all = reconstructor.Render(scene, path, [&](const std::string& stage, int parts) {
    if (!stage.empty()) {
      ++stages;
      EXPECT_EQ(stage, "rendering");
      EXPECT_EQ(parts, 5);
    }
  });
  EXPECT_EQ(stages, 1);  // one renderer pass a camera, nothing else happens
  const std::vector<Image> one = reconstructor.Render(scene, std::span(path).subspan(3, 1));
  EXPECT_EQ(one[0], all[3]);
}

TEST(Reconstructor, HeldOutPhotosHaveCamerasAndMasksButDoNotEnterTheScene) {
  const Reconstructor reconstructor(TinySource());
  std::vector<Image> photos = Pictures(4);
  const Scene scene = reconstructor.Reconstruct(photos, 2);
  EXPECT_EQ(scene.num_inputs, 2);
  EXPECT_EQ(scene.cameras.size(), 4u);
  EXPECT_EQ(scene.masks.size(), 4u);
  for (const MotionMask& mask : scene.masks) {
    ASSERT_EQ(mask.probability.size(), 64u * 64u);
    for (const float p : mask.probability) ASSERT_TRUE(p >= 0 && p <= 1);
  }
  // One focal length for all views, canonical view first.
  for (const Camera& camera : scene.cameras) EXPECT_DOUBLE_EQ(camera.fx, scene.cameras[0].fx);
  EXPECT_NEAR(scene.cameras[0].position().norm(), 0, 1e-6);
}

TEST(Reconstructor, MasksSpeakOfThePixelsThatTheModelSaw) {
  const Reconstructor reconstructor(TinySource());
  std::vector<Image> photos = {Picture(100, 60, 0), Picture(60, 100, 1)};
  const Scene scene = reconstructor.Reconstruct(photos);
  EXPECT_GT(scene.framings[0].VisiblePhoto().left, 0);
  EXPECT_GT(scene.framings[1].VisiblePhoto().top, 0);
}

ModelSource CopyingSource() {
  ModelSource source = TinySource();
  source.use_motion = false;
  for (const char* setting : {"model.scene=tokens", "model.match_views=true", "model.copy_inputs=true"})
    source.overrides.push_back(setting);
  return source;
}

// As many pixels as the photos have, and as are asked for; a model that does not copy has no use for them.
TEST(Reconstructor, ViewsHaveTheDetailOfThePhotosWhereTheyAreCopied) {
  const Reconstructor copying(CopyingSource());
  const std::vector<Image> photos = {Picture(200, 150, 0), Picture(260, 195, 1)};
  const auto views = [&](int most) {
    const Scene scene = copying.Reconstruct(photos, 0, {}, {}, most);
    const std::vector<Image> images = copying.Render(scene, std::span(scene.cameras).first(1));
    EXPECT_EQ(images[0].width, scene.width);
    EXPECT_EQ(images[0].height, scene.height);
    EXPECT_EQ(scene.width, 64 * scene.detail);
    EXPECT_EQ(scene.framings[0].width, 64);  // of masks, and of what the model sees
    return scene.detail;
  };
  EXPECT_EQ(views(1), 1);
  EXPECT_EQ(views(2), 2);
  EXPECT_EQ(views(8), 3);  // 195 of 64
  EXPECT_THROW(views(0), UsageError);
  const Reconstructor plain(TinySource());
  EXPECT_EQ(plain.Reconstruct(photos, 0, {}, {}, 4).detail, 1);
}

TEST(Reconstructor, PlainRayZerNeedsNoDino) {
  ModelSource source = TinySource();
  source.use_motion = false;
  const Reconstructor reconstructor(source);
  EXPECT_FALSE(reconstructor.has_motion());
  EXPECT_EQ(reconstructor.dino_name(), "");
  std::vector<Image> photos = Pictures(2);
  EXPECT_TRUE(reconstructor.Reconstruct(photos).masks.empty());
  EXPECT_THROW(reconstructor.EstimateMotion(photos), UsageError);
}

TEST(Reconstructor, RefusesOnePhotoAndRenderingWithoutAScene) {
  const Reconstructor reconstructor(TinySource());
  std::vector<Image> one = Pictures(1), two = Pictures(2);
  EXPECT_THROW(reconstructor.Reconstruct(one), UsageError);
  EXPECT_THROW(reconstructor.Reconstruct(two, 1), UsageError);
  const Scene masks = reconstructor.EstimateMotion(two);
  EXPECT_THROW(reconstructor.Render(masks, masks.cameras), UsageError);
}

TEST(Reconstructor, Bf16StaysCloseToFp32) {
  ModelSource source = TinySource();
  std::vector<Image> photos = Pictures(2);
  const Reconstructor exact(source);
  source.precision = PrecisionChoice::kBf16;
  const Reconstructor rounded(source);
  const Scene a = exact.Reconstruct(photos), b = rounded.Reconstruct(photos);
  // bf16 has 8 bits: each product is off by up to 2^-9, and the errors of a few layers add up to under a
  // percent.
  const Image x = exact.Render(a, std::span(a.cameras).first(1))[0];
  const Image y = rounded.Render(b, std::span(b.cameras).first(1))[0];
  double squares = 0;
  for (size_t i = 0; i < x.rgb.size(); ++i) squares += std::pow(x.rgb[i] - y.rgb[i], 2);
  const double psnr =
      10 * std::log10(255.0 * 255.0 / std::max(1e-9, squares / static_cast<double>(x.rgb.size())));
  EXPECT_GT(psnr, 40);
  EXPECT_NE(rounded.precision(), exact.precision());
}

MotionMask FlatMask(float probability, int side = 64) {
  return {.width = side,
          .height = side,
          .probability = std::vector<float>(static_cast<size_t>(side) * side, probability)};
}

std::vector<Image> SquarePictures(int count) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) images.push_back(Picture(64, 64, i));
  return images;
}

TEST(Reconstructor, GivenMasksTakeThePlaceOfEstimatedOnes) {
  const Reconstructor reconstructor(TinySource());
  const std::vector<Image> photos = SquarePictures(3);
  const auto view = [&](const std::vector<MotionMask>& masks) {
    const Scene scene = reconstructor.Reconstruct(photos, 1, {}, masks);
    EXPECT_EQ(scene.masks.size(), 3u);
    return reconstructor.Render(scene, std::span(scene.cameras).last(1))[0];
  };
  const Scene scene = reconstructor.Reconstruct(photos, 1);
  // The model's own masks given back to it change nothing; others do, each its own way.
  EXPECT_EQ(view({scene.masks[0], scene.masks[1]}), view({}));
  const Image still = view({FlatMask(0), FlatMask(0)});
  EXPECT_NE(view({FlatMask(1), FlatMask(0)}), still);
  EXPECT_NE(view({FlatMask(0), FlatMask(1)}), view({FlatMask(1), FlatMask(0)}));
  // Only the side of the threshold counts.
  EXPECT_EQ(view({FlatMask(0.05f), FlatMask(0.05f)}), still);
  // An empty one is the model's own, and masks may have any size.
  EXPECT_EQ(view({MotionMask(), scene.masks[1]}), view({}));
  EXPECT_EQ(view({FlatMask(1, 7), FlatMask(0, 640)}), view({FlatMask(1), FlatMask(0)}));
}

TEST(Reconstructor, GivenMasksAreAddedWhereAskedAndTold) {
  const Reconstructor reconstructor(TinySource());
  const std::vector<Image> photos = SquarePictures(3);
  const std::vector<MotionMask> own = reconstructor.Reconstruct(photos, 1).masks;
  MotionMask left = FlatMask(0);
  for (size_t i = 0; i < left.probability.size(); ++i) left.probability[i] = i % 64 < 32 ? 1.0f : 0.0f;
  const std::vector<MotionMask> given = {left, MotionMask(), left};  // of the held-out photo as well
  const auto masks = [&](MaskMode mode) {
    return reconstructor.Reconstruct(photos, 1, {}, given, 1, mode).masks;
  };
  EXPECT_EQ(masks(MaskMode::kReplace)[0].probability, left.probability);
  EXPECT_EQ(masks(MaskMode::kReplace)[2].probability, left.probability);
  const std::vector<MotionMask> added = masks(MaskMode::kAdd);
  for (const size_t view : {size_t{0}, size_t{2}}) {
    for (size_t i = 0; i < left.probability.size(); ++i)
      ASSERT_EQ(added[view].probability[i], std::max(own[view].probability[i], left.probability[i]));
  }
  EXPECT_EQ(added[1].probability, own[1].probability);
}

// A mask is of the photo, of which the model sees the middle.
TEST(Reconstructor, GivenMasksAreCroppedAsThePhoto) {
  const Reconstructor reconstructor(TinySource());
  std::vector<Image> photos;
  for (int i = 0; i < 2; ++i) photos.push_back(Picture(128, 64, i));
  MotionMask mask = {.width = 128, .height = 64, .probability = std::vector<float>(128 * 64, 0.0f)};
  for (size_t i = 0; i < mask.probability.size(); ++i) mask.probability[i] = i % 128 < 48 ? 1.0f : 0.0f;
  const Scene scene = reconstructor.Reconstruct(photos, 0, {}, std::vector{mask});
  for (int x = 0; x < 64; ++x)
    EXPECT_EQ(scene.masks[0].probability[static_cast<size_t>(x)], x < 16 ? 1.0f : 0.0f);
}

// A model of any shape sees photos whole; with the others that has to be asked for in vain.
TEST(Reconstructor, FramesHaveThePhotosShape) {
  ModelSource source = TinySource();
  source.overrides.insert(source.overrides.end(),
                          {"model.any_shape=true", "model.pose_latent.focal=centred"});
  std::vector<Image> photos;
  for (int i = 0; i < 3; ++i) photos.push_back(Picture(192, 108, i));
  photos[2] = Picture(108, 192, 2);  // the one among others is cropped
  const auto size = [&](FrameChoice frame) {
    source.frame = frame;
    const Reconstructor reconstructor(source);
    const Scene scene = reconstructor.Reconstruct(photos, 1);
    const Image view = reconstructor.Render(scene, std::span(scene.cameras).first(1))[0];
    EXPECT_EQ(view.width, scene.width);
    EXPECT_EQ(view.height, scene.height);
    EXPECT_EQ(scene.masks[2].width, scene.width);
    return std::pair(scene.width, scene.height);
  };
  // 4 x 4 patches of 16 pixels; 5 x 3 is the shape nearest to 16:9 among those of about as many.
  EXPECT_EQ(size(FrameChoice::kByModel), std::pair(80, 48));
  EXPECT_EQ(size(FrameChoice::kWhole), std::pair(80, 48));
  EXPECT_EQ(size(FrameChoice::kCrop), std::pair(64, 64));
  source = TinySource();
  EXPECT_EQ(size(FrameChoice::kByModel), std::pair(64, 64));
  source.overrides.emplace_back("model.pose_latent.focal=centred");
  EXPECT_EQ(size(FrameChoice::kByModel), std::pair(64, 64));
  EXPECT_EQ(size(FrameChoice::kWhole), std::pair(80, 48));
  source = TinySource();
  source.frame = FrameChoice::kWhole;
  EXPECT_THROW(Reconstructor{source}, UsageError);
}

TEST(Reconstructor, GivenMasksWorkWithoutAMotionEstimator) {
  ModelSource source = TinySource();
  source.use_motion = false;
  const Reconstructor reconstructor(source);
  const std::vector<Image> photos = Pictures(2);
  const auto view = [&](const std::vector<MotionMask>& masks) {
    const Scene scene = reconstructor.Reconstruct(photos, 0, {}, masks);
    return reconstructor.Render(scene, std::span(scene.cameras).first(1))[0];
  };
  EXPECT_EQ(view({FlatMask(0), FlatMask(0)}), view({}));
  EXPECT_NE(view({FlatMask(1), FlatMask(0)}), view({}));
}

TEST(Reconstructor, RefusesMasksThatDoNotFit) {
  const Reconstructor reconstructor(TinySource());
  const std::vector<Image> photos = Pictures(2);
  MotionMask short_of_one = FlatMask(0);
  short_of_one.probability.pop_back();
  for (const auto& masks : {std::vector<MotionMask>{FlatMask(0), short_of_one},
                            std::vector<MotionMask>{FlatMask(0), FlatMask(0), FlatMask(0)}}) {
    EXPECT_THROW(reconstructor.Reconstruct(photos, 0, {}, masks), UsageError);
  }
}

TEST(Reconstructor, ProgressMayAbortTheWork) {
  const Reconstructor reconstructor(TinySource());
  std::vector<Image> photos = Pictures(2);
  EXPECT_THROW(reconstructor.Reconstruct(photos, 0, [](const std::string&, int) { throw Error("stop"); }),
               Error);
}

}  // namespace
}  // namespace wildrayzer
