#include "wildrayzer/models/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelConfig Parse(const std::string& yaml) {
  return ModelConfig::FromConfig(Config::Parse(yaml, "test.yaml"));
}

std::string ErrorOf(const std::string& yaml) {
  try {
    Parse(yaml);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ModelConfig, EmptyFileIsTheFullSizeBackbone) {
  const ModelConfig config = Parse("{}");
  EXPECT_EQ(config.d, 768);
  EXPECT_EQ(config.camera_estimator_layers, 12);
  EXPECT_EQ(config.scene_encoder_layers, 8);
  EXPECT_EQ(config.renderer_layers, 12);
  EXPECT_EQ(config.scene_tokens, 768);
  EXPECT_FALSE(config.use_motion);
}

// The keys of the published inference configuration, values changed so that defaults cannot pass.
constexpr char kReleaseStyle[] = R"(
model:
  class_name: model.rayzer_official_v3.Images2Latent4D
  image_tokenizer: {image_size: 128, patch_size: 8, in_channels: 3}
  target_pose_tokenizer: {image_size: 128, patch_size: 8, in_channels: 6}
  target_image: {height: 96, width: 160, patch_size: 8, in_channels: 3}
  scene_latent: {length: 100}
  pose_latent: {length: 1, representation: "quat", canonical: "middle"}
  input_with_pe: true
  transformer: {d: 384, d_head: 32, encoder_n_layer: 5, encoder_geom_n_layer: 6, decoder_n_layer: 7,
                special_init: true, depth_init: false, use_qk_norm: true, fix_decoder: false}
  use_motion_mask: true
  use_token_dropping: false
  use_mae_masking: true
  dinov3_pseudolabel: {model_name: "facebook/dinov3-vitl16-pretrain-lvd1689m"}
training: {motion_mask_threshold: 0.08}
)";

TEST(ModelConfig, ReadsTheReleaseKeys) {
  const ModelConfig config = Parse(kReleaseStyle);
  EXPECT_EQ(config.height, 96);
  EXPECT_EQ(config.width, 160);
  EXPECT_EQ(config.patch, 8);
  EXPECT_EQ(config.scene_tokens, 100);
  EXPECT_EQ(config.pose, PoseRepresentation::kQuaternion);
  EXPECT_EQ(config.PoseSize(), 7);
  EXPECT_EQ(config.canonical, CanonicalView::kMiddle);
  EXPECT_EQ(config.d, 384);
  EXPECT_EQ(config.d_head, 32);
  EXPECT_EQ(config.camera_estimator_layers, 5);
  EXPECT_EQ(config.scene_encoder_layers, 6);
  EXPECT_EQ(config.renderer_layers, 7);
  EXPECT_FALSE(config.depth_init);
  EXPECT_TRUE(config.use_motion);
  EXPECT_EQ(config.token_masking, TokenMasking::kNoise);
  EXPECT_EQ(config.motion.dino_width, 1024);
  // Released weights look at each view alone, and their threshold is 0.1 whatever the loss uses.
  EXPECT_FALSE(config.motion.cross_view);
  EXPECT_DOUBLE_EQ(config.motion.threshold, 0.1);
}

TEST(ModelConfig, OwnFilesAreCrossView) {
  EXPECT_TRUE(Parse("model: {use_motion_mask: true}").motion.cross_view);
  EXPECT_FALSE(Parse("model: {use_motion_mask: true, motion: {cross_view: false}}").motion.cross_view);
}

TEST(ModelConfig, TokenMaskingHasTwoSpellings) {
  EXPECT_EQ(Parse("model: {token_masking: noise}").token_masking, TokenMasking::kNoise);
  EXPECT_EQ(Parse("model: {use_token_dropping: true}").token_masking, TokenMasking::kZero);
  EXPECT_THAT(ErrorOf("model: {use_token_dropping: true, use_mae_masking: true}"), HasSubstr("only one"));
}

TEST(ModelConfig, FramesOfAnyShapeNeedSquarePixels) {
  EXPECT_THAT(ErrorOf("model: {any_shape: true}"),
              HasSubstr("model.any_shape needs model.pose_latent.focal"));
  const ModelConfig any = Parse("model: {any_shape: true, pose_latent: {focal: centred}}");
  EXPECT_TRUE(any.any_shape);
  EXPECT_GT(any.TrainingShapes().size(), 5u);
  EXPECT_EQ(ModelConfig().TrainingShapes().size(), 1u);
  EXPECT_EQ(ModelConfig().TrainingShapes()[0].columns, 16);
}

TEST(ModelConfig, YamlRoundTrip) {
  ModelConfig config = Parse(kReleaseStyle);
  config.motion.threshold = 0.0625;
  config.motion.layers = 2;
  config.motion.head_bias = false;
  EXPECT_EQ(Parse(config.ToYaml()), config);
  EXPECT_EQ(Parse(ModelConfig().ToYaml()), ModelConfig());
  config.scene = SceneLayout::kTokens;
  config.view_code = ViewCode::kCanonical;
  config.camera_attention = CameraAttention::kAlternating;
  config.focal = FocalLength::kCentred;
  config.token_masking = TokenMasking::kDrop;
  config.canonical = CanonicalView::kFirst;
  config.match_views = config.adjust_poses = config.copy_inputs = config.motion.compare = config.any_shape =
      true;
  EXPECT_EQ(Parse(config.ToYaml()), config);
}

TEST(ModelConfig, ShippedFilesAreUnderstoodInFull) {
  for (const char* name : {"rayzer", "wildrayzer", "tiny"}) {
    const Config file = Config::Load(std::string("configs/") + name + ".yaml");
    ModelConfig::FromConfig(file);
    EXPECT_THAT(file.UnusedKeys(), IsEmpty()) << name;
  }
  const ModelConfig full = ModelConfig::FromConfig(Config::Load("configs/wildrayzer.yaml"));
  EXPECT_EQ(full.motion.dino_width, 4096);
  EXPECT_TRUE(full.motion.cross_view);
}

TEST(ModelConfig, MistakesAreNamed) {
  EXPECT_THAT(ErrorOf("model: {transformer: {d: 100, d_head: 64}}"), HasSubstr("multiple of the head size"));
  EXPECT_THAT(ErrorOf("model: {target_image: {height: 250}}"), HasSubstr("multiple of the patch size 16"));
  EXPECT_THAT(ErrorOf("model: {target_pose_tokenizer: {patch_size: 8}}"),
              HasSubstr("model.target_pose_tokenizer.patch_size"));
  EXPECT_THAT(ErrorOf("model: {pose_latent: {representation: euler}}"), HasSubstr("6d or quat"));
  EXPECT_THAT(ErrorOf("model: {scene: latents}"), HasSubstr("'latents', it must be codes or tokens"));
  EXPECT_THAT(ErrorOf("model: {view_code: none}"), HasSubstr("number or canonical"));
  EXPECT_THAT(ErrorOf("model: {view_code: canonical}"),
              HasSubstr("needs model.camera_attention: alternating"));
  EXPECT_THAT(
      ErrorOf("model: {match_views: true, image_tokenizer: {patch_size: 12}, target_image: {height: 96, "
              "width: 96}}"),
      HasSubstr("match_views needs patches of a multiple of 8 pixels, not 12"));
  EXPECT_THAT(ErrorOf("model: {match_views: true, pose_latent: {canonical: middle}}"),
              HasSubstr("needs model.pose_latent.canonical: first"));
  EXPECT_THAT(ErrorOf("model: {adjust_poses: true}"),
              HasSubstr("model.adjust_poses needs model.match_views"));
  EXPECT_THAT(ErrorOf("model: {use_motion_mask: true, motion: {compare: true}}"),
              HasSubstr("model.motion.compare needs model.match_views"));
  EXPECT_THAT(ErrorOf("model: {copy_inputs: true, scene: tokens}"), HasSubstr("model.copy_inputs needs"));
  EXPECT_THAT(ErrorOf("model: {copy_inputs: true, match_views: true}"), HasSubstr("model.scene: tokens"));
  EXPECT_THAT(ErrorOf("model: {transformer: {d: wide}}"), HasSubstr("model.transformer.d"));
  EXPECT_THAT(ErrorOf("model: {transformer: {use_qk_norm: false}}"), HasSubstr("use_qk_norm"));
  EXPECT_THAT(ErrorOf("model: {transformer: {encoder_n_layer: 0}}"), HasSubstr("camera estimator layers"));
  EXPECT_THAT(ErrorOf("model: {scene_latent: {length: 99999999999}}"), HasSubstr("scene tokens"));
  EXPECT_THAT(ErrorOf("model: {use_motion_mask: true, motion: {threshold: 2}}"), HasSubstr("[0, 1]"));
}

TEST(DinoWidth, KnowsTheReleasedModels) {
  EXPECT_EQ(DinoWidth("facebook/dinov3-vits16-pretrain-lvd1689m"), 384);
  EXPECT_EQ(DinoWidth("/models/dinov3-vits16plus"), 384);
  EXPECT_EQ(DinoWidth("facebook/dinov3-vitb16-pretrain-lvd1689m"), 768);
  EXPECT_EQ(DinoWidth("facebook/dinov3-vitl16-pretrain-sat493m"), 1024);
  EXPECT_EQ(DinoWidth("facebook/dinov3-vith16plus-pretrain-lvd1689m"), 1280);
  EXPECT_EQ(DinoWidth("facebook/dinov3-vit7b16-pretrain-lvd1689m"), 4096);
  EXPECT_EQ(DinoWidth("another"), 0);
}

TEST(GuessFromCheckpoint, NamesWhatIsMissing) {
  try {
    GuessFromCheckpoint({{"a", {1}}}, "x.pt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.pt: has no tensor 'scene_code'"));
  }
  EXPECT_THROW(GuessFromCheckpoint({{"scene_code", {4}}}, "x.pt"), Error);
  EXPECT_THROW(GuessFromCheckpoint({{"scene_code", {4, 0}}}, "x.pt"), Error);
}

}  // namespace
}  // namespace wildrayzer
