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

// A backbone of one layer with random weights.
Dinov3 TinyDino(uint64_t seed = 5) {
  Dinov3Config config;
  config.width = 64;
  config.layers = 1;
  config.heads = 1;
  config.hidden = 96;
  Dinov3 dino(config);
  dino->InitializeRandom(seed);
  return dino;
}

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

  static Pass PassOf(const WildRayZer& model, const FeatureSource& features = {},
                     const torch::Tensor& images = Views(), int64_t inputs = kInputs) {
    return {model, features, images.unsqueeze(0), inputs};
  }

  fs::path folder_;
  LabelMaker::Options options_;
  const LabelScene scene_{"kitchen", {0, 9, 2, 3, 5, 7}};
};

TEST_F(LabelMakerTest, RendersLikeTheModelAndMeasuresIt) {
  WildRayZer model = SmallModel(1);
  LabelMaker maker(model, {}, options_);
  const TargetLabels labels = maker.Labels(PassOf(model), scene_);
  const int64_t targets = kViews - kInputs;
  EXPECT_EQ(labels.masks.sizes(), (std::vector<int64_t>{targets, 1, kHeight, kWidth}));
  EXPECT_EQ(labels.masks.scalar_type(), torch::kUInt8);
  EXPECT_LE(labels.masks.max().item<int>(), 1);
  EXPECT_FALSE(labels.psnr.requires_grad());

  const torch::NoGradGuard no_grad;
  const torch::Tensor rendering = Predict(model, Views().unsqueeze(0), kInputs).images[0];
  const torch::Tensor seen = maker.Explain(PassOf(model)).renderings;  // rounded to 8 bits
  EXPECT_LE((seen - rendering).abs().max().item<float>(), 0.5f / 255 + 1e-5f);
  for (int64_t i = 0; i < targets; ++i) {
    const double mse = (seen[i] - Views()[kInputs + i]).square().to(torch::kFloat64).mean().item<double>();
    EXPECT_NEAR(labels.psnr[i].item<float>(), -10 * std::log10(mse), 1e-3);
  }
}

// The dissimilarity of features is that of the targets and of their renderings, both beside the same inputs.
TEST_F(LabelMakerTest, ComparesFeaturesOfTargetsAndOfTheirRenderings) {
  const torch::NoGradGuard no_grad;
  WildRayZer model = SmallModel(1);
  for (const FeatureSource& features : {FeatureSource(), FeatureSource(TinyDino())}) {
    LabelMaker maker(model, features, options_);
    const ExplainedLabels explained = maker.Explain(PassOf(model, features));
    const torch::Tensor shown = torch::cat({Views().slice(0, 0, kInputs), explained.renderings});
    const torch::Tensor real = PassOf(model, features).Features(kInputs, 4)[0];
    const torch::Tensor rendered = PassOf(model, features, shown).Features(kInputs, 4)[0];
    const torch::Tensor cosine = torch::cosine_similarity(real, rendered, 1).flatten(1);  // [T, h w]
    ASSERT_EQ(explained.labels.frames.size(), 4u);
    for (int64_t t = 0; t < 4; ++t) {
      const auto& found = explained.labels.frames[static_cast<size_t>(t)].features;
      ASSERT_EQ(static_cast<int64_t>(found.size()), cosine.size(1));
      for (int64_t i = 0; i < cosine.size(1); ++i)
        EXPECT_NEAR(found[static_cast<size_t>(i)], 1 - cosine[t][i].item<float>(), 1e-4);
    }
  }
}

TEST_F(LabelMakerTest, CachedLabelsAreFoundAgain) {
  WildRayZer model = SmallModel(1);
  LabelMaker first(model, {}, options_);
  const TargetLabels made = first.Labels(PassOf(model), scene_);
  WildRayZer same = SmallModel(1);
  LabelMaker second(same, {}, options_);
  const TargetLabels found = second.Labels(PassOf(same), scene_);
  EXPECT_EQ(first.made(), 1);
  EXPECT_EQ(second.made(), 0);
  EXPECT_EQ(second.found(), 1);
  EXPECT_TRUE(torch::equal(made.masks, found.masks));
  EXPECT_TRUE(torch::equal(made.psnr, found.psnr));
}

TEST_F(LabelMakerTest, WhateverDecidesTheLabelsIsInTheKey) {
  WildRayZer model = SmallModel(1);
  LabelMaker maker(model, {}, options_);
  const fs::path path = maker.CachePath(PassOf(model), scene_);
  EXPECT_NE(maker.CachePath(PassOf(model, {}, Views(), kInputs + 1), scene_), path);
  EXPECT_NE(maker.CachePath(PassOf(model, {}, Views().slice(2, 0, 40)), scene_), path);
  LabelScene other = scene_;
  other.name = "hall";
  EXPECT_NE(maker.CachePath(PassOf(model), other), path);
  other = scene_;
  other.frames[3] = 4;
  EXPECT_NE(maker.CachePath(PassOf(model), other), path);
  const auto path_with = [&](WildRayZer renderer, const FeatureSource& features,
                             const LabelMaker::Options& options) {
    return LabelMaker(renderer, features, options).CachePath(PassOf(renderer, features), scene_);
  };
  EXPECT_EQ(path_with(SmallModel(1), {}, options_), path);
  EXPECT_NE(path_with(SmallModel(2), {}, options_), path);
  const fs::path with_dino = path_with(SmallModel(1), FeatureSource(TinyDino()), options_);
  EXPECT_NE(with_dino, path);
  EXPECT_EQ(path_with(SmallModel(1), FeatureSource(TinyDino()), options_), with_dino);
  EXPECT_NE(path_with(SmallModel(1), FeatureSource(TinyDino(6)), options_), with_dino);
  WildRayZer rounded = SmallModel(1);
  CastWeights(*rounded, Precision::kBf16);
  EXPECT_NE(path_with(rounded, {}, options_), path);
  LabelMaker::Options options = options_;
  options.labels.clusters = 13;
  EXPECT_NE(path_with(SmallModel(1), {}, options), path);
}

// A trainer makes its objective first, then rounds the weights and restores them from a checkpoint: the key
// is that of the weights that label.
TEST_F(LabelMakerTest, TheKeyIsThatOfTheWeightsInUse) {
  WildRayZer model = SmallModel(2);
  LabelMaker made_early(model, {}, options_);
  {
    const torch::NoGradGuard no_grad;
    const auto restored = SmallModel(1)->parameters();
    auto parameters = model->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i].copy_(restored[i]);
  }
  CastWeights(*model, Precision::kBf16);
  LabelMaker made_late(model, {}, options_);
  EXPECT_EQ(made_early.CachePath(PassOf(model), scene_), made_late.CachePath(PassOf(model), scene_));
}

TEST_F(LabelMakerTest, DamagedFilesAreMadeAnew) {
  WildRayZer model = SmallModel(1);
  LabelMaker maker(model, {}, options_);
  const TargetLabels made = maker.Labels(PassOf(model), scene_);
  const fs::path path = maker.CachePath(PassOf(model), scene_);
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
    const TargetLabels again = maker.Labels(PassOf(model), scene_);
    EXPECT_TRUE(torch::equal(again.masks, made.masks)) << how;
    EXPECT_EQ(maker.made(), ++expected) << how;
    EXPECT_THAT(Warnings().back(), HasSubstr(path.string())) << how;
    maker.Labels(PassOf(model), scene_);
    EXPECT_EQ(maker.made(), expected) << how << " was not repaired";
  }
}

TEST_F(LabelMakerTest, ACacheThatCannotBeWrittenIsNoFault) {
  fs::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "a file where the folder should be";
  WildRayZer model = SmallModel(1);
  LabelMaker maker(model, {}, options_);
  EXPECT_EQ(maker.Labels(PassOf(model), scene_).masks.size(0), 4);
  EXPECT_THAT(Warnings().back(), HasSubstr("not kept"));
}

TEST_F(LabelMakerTest, MaskedRenderingsLeaveOutWhatMoves) {
  WildRayZer model = SmallModel(3, /*use_motion=*/true);
  LabelMaker plain(model, {}, options_);
  options_.mask_tokens = true;
  LabelMaker masked(model, {}, options_);
  EXPECT_NE(plain.CachePath(PassOf(model), scene_), masked.CachePath(PassOf(model), scene_));
  const torch::NoGradGuard no_grad;
  const torch::Tensor with_masks = Predict(model, Views().unsqueeze(0), kInputs).images[0];
  EXPECT_LE((masked.Explain(PassOf(model)).renderings - with_masks).abs().max().item<float>(),
            0.5f / 255 + 1e-5f);
  EXPECT_GT((plain.Explain(PassOf(model)).renderings - with_masks).abs().max().item<float>(), 0.01f);
  EXPECT_THROW(LabelMaker(SmallModel(3), {}, options_), UsageError);
}

TEST_F(LabelMakerTest, RefusesWhatDoesNotFit) {
  WildRayZer model = SmallModel(1);
  LabelMaker maker(model, {}, options_);
  EXPECT_THROW(maker.Labels(PassOf(model, {}, Views(), kViews), scene_), UsageError);
  EXPECT_THROW(maker.Labels(PassOf(model), {"kitchen", {1, 2}}), UsageError);
  EXPECT_THROW(maker.Labels(Pass(model, {}, torch::stack({Views(), Views()}), kInputs), scene_), UsageError);
}

}  // namespace
}  // namespace wildrayzer
