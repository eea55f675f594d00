#include "wildrayzer/labels/label_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "wildrayzer/models/weights.h"
#include "wildrayzer/testing/generator.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int64_t kHeight = 48, kWidth = 64, kInputs = 2, kViews = 6;

WildRayZer SmallModel(uint64_t seed, bool use_motion = false) {
  ModelConfig config;
  config.height = kHeight;
  config.width = kWidth;
  config.patch = 8;
  config.d = 64;
  config.d_head = 16;
  config.scene_tokens = 10;
  config.camera_estimator_layers = config.scene_encoder_layers = config.renderer_layers = 2;
  config.use_motion = use_motion;
  config.motion.features = MotionFeatures::kOwn;
  config.motion.dino_width = config.d;
  config.motion.feature_layer = 1;
  config.motion.layers = 1;
  config.init_scale = InitScale::kFanIn;
  WildRayZer model(config);
  RandomInit(model, seed);
  model->eval();
  return model;
}

torch::Tensor Views() { return testing::SmoothImage("label_maker", kViews, kHeight, kWidth); }

// Mean colours of 8 x 8 patches; counts its calls and keeps what it was given.
struct Colours {
  int calls = 0;
  std::vector<torch::Tensor> given;

  FeatureFunction Function(bool joint, const std::string& name = "colours") {
    return {name, joint, [this](const torch::Tensor& images) {
              ++calls;
              given.push_back(images.clone());
              return torch::avg_pool2d(images, {8, 8}) - 0.4;
            }};
  }
};

class LabelMakerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(::testing::TempDir()) /
        ("wildrayzer_labels_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    options_.labels.clusters = 12;
    options_.cache = folder_;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
  LabelMaker::Options options_;
  const LabelScene scene_{"kitchen", {0, 9, 2, 3, 5, 7}};
};

TEST_F(LabelMakerTest, RendersLikeTheModelAndMeasuresIt) {
  const torch::Tensor images = Views();
  WildRayZer model = SmallModel(1);
  Colours colours;
  LabelMaker maker(model, colours.Function(/*joint=*/true), options_);
  const TargetLabels labels = maker.Labels(images, kInputs, scene_);
  const int64_t targets = kViews - kInputs;
  EXPECT_EQ(labels.masks.sizes(), (std::vector<int64_t>{targets, 1, kHeight, kWidth}));
  EXPECT_EQ(labels.masks.scalar_type(), torch::kUInt8);
  EXPECT_LE(labels.masks.max().item<int>(), 1);
  EXPECT_FALSE(labels.psnr.requires_grad());

  const torch::NoGradGuard no_grad;
  const torch::Tensor rendering = model->forward(images.unsqueeze(0), kInputs).images[0];
  ASSERT_EQ(colours.given.size(), 2u);
  EXPECT_TRUE(torch::equal(colours.given[0], images));
  EXPECT_TRUE(torch::equal(colours.given[1].slice(0, 0, kInputs), images.slice(0, 0, kInputs)));
  // The targets are replaced by their renderings, rounded to 8 bits.
  const torch::Tensor replaced = colours.given[1].slice(0, kInputs);
  EXPECT_LE((replaced - rendering).abs().max().item<float>(), 0.5f / 255 + 1e-5f);
  for (int64_t i = 0; i < targets; ++i) {
    const double mse = (replaced[i] - images[kInputs + i]).square().to(torch::kFloat64).mean().item<double>();
    EXPECT_NEAR(labels.psnr[i].item<float>(), -10 * std::log10(mse), 1e-3);
  }
}

TEST_F(LabelMakerTest, FeaturesOfSingleViewsAreAskedForTargetsOnly) {
  Colours colours;
  LabelMaker maker(SmallModel(1), colours.Function(/*joint=*/false), options_);
  const ExplainedLabels explained = maker.Explain(Views(), kInputs);
  ASSERT_EQ(colours.given.size(), 2u);
  EXPECT_TRUE(torch::equal(colours.given[0], Views().slice(0, kInputs)));
  EXPECT_TRUE(torch::equal(colours.given[1], explained.renderings));
  EXPECT_EQ(explained.labels.frames.size(), 4u);
  EXPECT_EQ(explained.labels.frames[0].saliency.size(), 48u);
}

TEST_F(LabelMakerTest, CachedLabelsAreFoundAgain) {
  Colours colours;
  LabelMaker first(SmallModel(1), colours.Function(true), options_);
  const TargetLabels made = first.Labels(Views(), kInputs, scene_);
  const int calls = colours.calls;
  LabelMaker second(SmallModel(1), colours.Function(true), options_);
  const TargetLabels found = second.Labels(Views(), kInputs, scene_);
  EXPECT_EQ(colours.calls, calls);
  EXPECT_EQ(first.made(), 1);
  EXPECT_EQ(second.found(), 1);
  EXPECT_TRUE(torch::equal(made.masks, found.masks));
  EXPECT_TRUE(torch::equal(made.psnr, found.psnr));
}

TEST_F(LabelMakerTest, WhateverDecidesTheLabelsIsInTheKey) {
  const torch::Tensor images = Views();
  Colours colours;
  LabelMaker maker(SmallModel(1), colours.Function(true), options_);
  const fs::path path = maker.CachePath(images, kInputs, scene_);
  EXPECT_NE(maker.CachePath(images, kInputs + 1, scene_), path);
  EXPECT_NE(maker.CachePath(images.slice(2, 0, 40), kInputs, scene_), path);
  LabelScene other = scene_;
  other.name = "hall";
  EXPECT_NE(maker.CachePath(images, kInputs, other), path);
  other = scene_;
  other.frames[3] = 4;
  EXPECT_NE(maker.CachePath(images, kInputs, other), path);
  const auto path_with = [&](uint64_t seed, const std::string& features, const LabelMaker::Options& options) {
    return LabelMaker(SmallModel(seed), colours.Function(true, features), options)
        .CachePath(images, kInputs, scene_);
  };
  EXPECT_EQ(path_with(1, "colours", options_), path);
  EXPECT_NE(path_with(2, "colours", options_), path);
  EXPECT_NE(path_with(1, "edges", options_), path);
  LabelMaker::Options options = options_;
  options.labels.clusters = 13;
  EXPECT_NE(path_with(1, "colours", options), path);
}

TEST_F(LabelMakerTest, DamagedFilesAreMadeAnew) {
  Colours colours;
  LabelMaker maker(SmallModel(1), colours.Function(true), options_);
  const TargetLabels made = maker.Labels(Views(), kInputs, scene_);
  const fs::path path = maker.CachePath(Views(), kInputs, scene_);
  const auto size = static_cast<std::streamoff>(fs::file_size(path));
  const auto damage = [&](const std::string& how) {
    if (how == "cut") return fs::resize_file(path, size / 2);
    if (how == "emptied") return fs::resize_file(path, 0);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(how == "head" ? 20 : size - 1);
    file.put('\x5a');
  };
  int64_t expected = 1;
  for (const std::string how : {"cut", "emptied", "head", "flipped"}) {
    damage(how);
    const TargetLabels again = maker.Labels(Views(), kInputs, scene_);
    EXPECT_TRUE(torch::equal(again.masks, made.masks)) << how;
    EXPECT_EQ(maker.made(), ++expected) << how;
    EXPECT_THAT(Warnings().back(), HasSubstr(path.string())) << how;
    maker.Labels(Views(), kInputs, scene_);
    EXPECT_EQ(maker.made(), expected) << how << " was not repaired";
  }
}

TEST_F(LabelMakerTest, ACacheThatCannotBeWrittenIsNoFault) {
  fs::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "a file where the folder should be";
  Colours colours;
  LabelMaker maker(SmallModel(1), colours.Function(true), options_);
  EXPECT_EQ(maker.Labels(Views(), kInputs, scene_).masks.size(0), 4);
  EXPECT_THAT(Warnings().back(), HasSubstr("not kept"));
}

TEST_F(LabelMakerTest, OwnFeaturesAndMaskedRenderings) {
  const torch::Tensor images = Views();
  WildRayZer model = SmallModel(3, /*use_motion=*/true);
  const FeatureFunction own = OwnFeatures(model);
  EXPECT_TRUE(own.joint);
  {
    const torch::NoGradGuard no_grad;
    const Cameras cameras = model->EstimateCameras(model->Tokenize(images.unsqueeze(0)));
    EXPECT_TRUE(torch::equal(own.features(images), cameras.features[0]));
  }
  LabelMaker plain(model, own, options_);
  options_.mask_tokens = true;
  LabelMaker masked(model, own, options_);
  EXPECT_NE(plain.CachePath(images, kInputs, scene_), masked.CachePath(images, kInputs, scene_));
  const torch::NoGradGuard no_grad;
  const torch::Tensor with_masks = model->forward(images.unsqueeze(0), kInputs).images[0];
  EXPECT_LE((masked.Explain(images, kInputs).renderings - with_masks).abs().max().item<float>(),
            0.5f / 255 + 1e-5f);
  EXPECT_GT((plain.Explain(images, kInputs).renderings - with_masks).abs().max().item<float>(), 0.01f);
  EXPECT_THROW(LabelMaker(SmallModel(3), own, options_), UsageError);
}

TEST_F(LabelMakerTest, DinoFeaturesAreThoseOfItsPatches) {
  Dinov3Config config;
  config.width = 64;
  config.layers = 1;
  config.heads = 1;
  config.hidden = 96;
  Dinov3 dino(config);
  dino->InitializeRandom(5);
  const FeatureFunction function = DinoFeatures(dino, "random");
  EXPECT_FALSE(function.joint);
  const torch::Tensor all = dino->PatchFeatures(Views());
  // Sums may run in another order for another batch size.
  EXPECT_LT((function.features(Views()) - all).abs().max().item<float>(), 1e-4f);
  LabelMaker maker(SmallModel(1), function, options_);
  EXPECT_EQ(maker.Explain(Views(), kInputs).labels.frames[0].saliency.size(), 12u);  // 16 x 16 pixels a patch
}

TEST_F(LabelMakerTest, RefusesWhatDoesNotFit) {
  Colours colours;
  LabelMaker maker(SmallModel(1), colours.Function(true), options_);
  EXPECT_THROW(maker.Labels(Views().unsqueeze(0), kInputs, scene_), UsageError);
  EXPECT_THROW(maker.Labels(Views(), kViews, scene_), UsageError);
  EXPECT_THROW(maker.Labels(Views(), 0, scene_), UsageError);
  EXPECT_THROW(maker.Labels(Views(), kInputs, {"kitchen", {1, 2}}), UsageError);
  FeatureFunction broken{"broken", true, [](const torch::Tensor& images) { return images[0]; }};
  EXPECT_THROW(LabelMaker(SmallModel(1), broken, options_).Labels(Views(), kInputs, scene_), UsageError);
}

}  // namespace
}  // namespace wildrayzer
