#include "wildrayzer/training/train_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/images.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Keys and shape of the release's training files.
constexpr char kRelease[] = R"(
model:
  class_name: model.rayzer_official_v3.RayZer
  image_tokenizer: {image_size: 256, patch_size: 16, in_channels: 3}
  target_pose_tokenizer: {image_size: 256, patch_size: 16, in_channels: 6}
  target_image: {height: 256, width: 256, patch_size: 16, in_channels: 3}
  scene_latent: {length: 768}
  pose_latent: {length: 1, representation: 6d, canonical: first}
  camera_estimator: {n_layers: 2, use_qk_norm: true, canonical_view: first}
  input_with_pe: true
  transformer: {d: 768, d_head: 64, encoder_n_layer: 12, encoder_geom_n_layer: 8, decoder_n_layer: 12,
                special_init: true, depth_init: true, use_qk_norm: true, fix_decoder: false}
  use_find_unused_parameters: true
training:
  dataset_name: re10k
  batch_size_per_gpu: 8
  grad_accum_steps: 2
  beta1: 0.9
  beta2: 0.95
  weight_decay: 0.05
  lr: 0.0001
  warmup: 6000
  train_steps: 100000
  grad_clip_norm: 1.0
  allowed_gradnorm_factor: 5
  use_amp: true
  amp_dtype: fp32
  use_tf32: true
  num_views: 8
  dynamic_input_view_num: true
  num_target_views: 6
  square_crop: true
  target_has_input: false
  random_split: true
  view_selector: {type: two_frame, min_frame_dist: 25, max_frame_dist: 192}
  l2_loss_weight: 1.0
  lpips_loss_weight: 0.0
  perceptual_loss_weight: 0.2
  num_workers: 0
  num_threads: 4
  prefetch_factor: 8
  checkpoint_every: 1000
  print_every: 20
  vis_every: 1000
  wandb_project: p
  wandb_exp_name: e
  wandb_log_every: 50
  api_key_path: keys.yaml
)";

class TrainConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::FreshFolder("train_config");
    for (const char* scene : {"static/a", "moving/b"}) {
      std::filesystem::create_directories(root_ / scene);
      for (int i = 0; i < 8; ++i) {
        WritePng(root_ / scene / ("frame" + std::to_string(i) + ".png"), Image(16, 16));
      }
    }
  }

  Config Release(const std::vector<std::string>& overrides = {}) const {
    Config config = Config::Parse(kRelease, "release.yaml");
    config.Override("training.dataset_path=" + (root_ / "static").string());
    for (const std::string& setting : overrides) config.Override(setting);
    return config;
  }
  std::vector<std::string> MixedSets() const {
    return {"training.static_re10k_path=" + (root_ / "static").string(),
            "training.dynamic_re10k_path=" + (root_ / "moving").string(),
            "training.dataset_mix_ratio=0.5",
            "training.view_selector_dynamic={type: two_frame, min_frame_dist: 8, max_frame_dist: 12}",
            "model.use_motion_mask=true",
            "model.motion_mask_threshold=0.1"};
  }
  void ExpectError(const std::vector<std::string>& overrides, const std::string& message) const {
    try {
      TrainConfig::Read(Release(overrides));
      FAIL() << "no error; expected: " << message;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }

  std::filesystem::path root_;
};

TEST_F(TrainConfigTest, ReadsTheReleasesPretraining) {
  const TrainConfig train = TrainConfig::Read(Release());
  EXPECT_EQ(train.stage, Stage::kPretraining);
  EXPECT_EQ(train.lr, 1e-4);
  EXPECT_EQ(train.schedule.total_steps, 100000);
  EXPECT_EQ(train.schedule.warmup_steps, 6000);
  EXPECT_EQ(train.schedule.final_factor, 0);
  EXPECT_EQ(train.accumulation, 2);
  EXPECT_EQ(train.optimizer.kind, OptimizerKind::kAdamW);
  EXPECT_EQ(train.optimizer.weight_decay, 0.05);
  EXPECT_EQ(train.optimizer.beta2, 0.95);
  EXPECT_EQ(train.optimizer.clip_norm, 1.0);
  EXPECT_EQ(train.optimizer.skip_factor, 5);
  EXPECT_EQ(train.precision, Precision::kFp32);
  EXPECT_EQ(train.loader.batch_size, 8);
  EXPECT_EQ(train.loader.input_counts, (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(train.loader.targets, 6);
  EXPECT_EQ(train.loader.dynamic_ratio, 0);
  EXPECT_EQ(train.loader.static_set.span.end.max, 192);
  EXPECT_EQ(train.loss.mse, 1);
  EXPECT_EQ(train.loss.perceptual, 0.2);
  EXPECT_FALSE(train.loss.psnr_gate);
  EXPECT_EQ(train.worlds.scenes, 0);  // the paper has no such thing
  EXPECT_EQ(train.token_dropout, 0);
  EXPECT_EQ(train.ema_decay, 0);
  EXPECT_EQ(train.recompute_every, 0);
  EXPECT_FALSE(train.yaml.empty());
  EXPECT_EQ(TrainConfig::Read(Config::Parse(train.yaml, "again")).yaml, train.yaml);
}

TEST_F(TrainConfigTest, ReadsTheReleasesMotionMasks) {
  auto overrides = MixedSets();
  for (const char* const more :
       {"training.motion_mask_only_training=true", "model.use_dinov3_pseudolabel=true",
        "model.dinov3_pseudolabel={model_name: facebook/dinov3-vits16-pretrain-lvd1689m, use_ssim: true, "
        "target_size: 256, w_dino: 0.4, w_ssim: 0.6, use_coseg_binary: true, coseg_k: 64, "
        "coseg_frame_saliency_quantile: 0.75, coseg_consistency_min_frames: 4, "
        "coseg_cluster_top_percent: 0.05, coseg_morph_kernel: 3, coseg_morph_iters: 1, "
        "coseg_grabcut_kernel: 7, coseg_min_component_area_ratio: 0.0025, enable_mask_cache: true}",
        "training.mask_distill_loss_weight=1.0", "training.psnr_filter_threshold=17.0",
        "training.deterministic_views=true", "training.deterministic_views_refresh_every=3000"}) {
    overrides.emplace_back(more);
  }
  const TrainConfig train = TrainConfig::Read(Release(overrides));
  EXPECT_EQ(train.stage, Stage::kMotionMasks);
  EXPECT_EQ(train.loader.dynamic_ratio, 0.5);
  EXPECT_EQ(train.loader.dynamic_set.span.end.min, 8);
  EXPECT_EQ(train.loader.dynamic_set.span.end.max, 12);
  EXPECT_EQ(train.loader.refresh_steps, 3000);
  EXPECT_EQ(train.loss.psnr_gate, 17.0);
  EXPECT_EQ(train.labels.weights, SaliencyWeights::kFixed);  // as in the release, since w_ssim is given
  EXPECT_EQ(train.labels.fixed_ssim_weight, 0.6);
  EXPECT_EQ(train.labels.clusters, 64);
  EXPECT_FALSE(train.model.motion.cross_view);  // the release's estimator sees each view alone
  overrides.emplace_back("training.augment.flip=0.5");
  EXPECT_NO_THROW(TrainConfig::Read(Release(overrides)));
  overrides.emplace_back("model.dinov3_pseudolabel.mask_cache_dir=labels");
  ExpectError(overrides, "labels of augmented pictures fit no other ones");
  overrides.resize(overrides.size() - 2);
  overrides.emplace_back("model.dinov3_pseudolabel.coseg_grabcut_kernel=5");
  ExpectError(overrides, "coseg_grabcut_kernel");
}

TEST_F(TrainConfigTest, DeducesTheStage) {
  const auto stage = [&](std::vector<std::string> overrides) {
    return static_cast<int>(StageOf(Release(std::move(overrides))));
  };
  EXPECT_EQ(stage({}), 1);
  EXPECT_EQ(stage({"model.use_motion_mask=true", "training.motion_mask_only_training=true"}), 2);
  EXPECT_EQ(stage({"model.use_motion_mask=true"}), 3);
  EXPECT_EQ(stage({"model.use_motion_mask=true", "training.copy_paste.enabled=true"}), 4);
  EXPECT_EQ(stage({"model.use_motion_mask=true", "training.stage=0"}), 0);
}

TEST_F(TrainConfigTest, StagesChooseTheirOwn) {
  auto overrides = MixedSets();
  overrides.emplace_back("training.stage=3");
  TrainConfig train = TrainConfig::Read(Release(overrides));
  EXPECT_EQ(train.token_dropout, 0.1);
  EXPECT_FALSE(train.loss.psnr_gate);
  EXPECT_FALSE(train.loss.static_pixels_only);
  overrides.back() = "training.stage=4";
  train = TrainConfig::Read(Release(overrides));
  EXPECT_EQ(train.token_dropout, 0);
  EXPECT_EQ(train.loss.psnr_gate, 17.0);
  EXPECT_TRUE(train.loss.static_pixels_only);
  overrides.back() = "training.stage=1";
  EXPECT_EQ(TrainConfig::Read(Release(overrides)).loader.dynamic_ratio, 0);
  overrides.back() = "training.stage=0";
  EXPECT_EQ(TrainConfig::Read(Release(overrides)).worlds.scenes, 8);  // the batch size
}

TEST_F(TrainConfigTest, FindingsAreOptionsAndTheReleasesDefaultsStay) {
  const TrainConfig release = TrainConfig::Read(Release());
  EXPECT_EQ(release.model.scene, SceneLayout::kCodes);
  EXPECT_EQ(release.model.view_code, ViewCode::kNumber);
  EXPECT_EQ(release.model.focal, FocalLength::kPublished);
  EXPECT_EQ(release.loss.mask_positive_weight, 1);
  EXPECT_EQ(release.loss.mask_dice, 0);
  EXPECT_EQ(release.ema_decay, 0);
  EXPECT_EQ(release.worlds.scenes, 0);
  const TrainConfig own = TrainConfig::Read(
      Release({"training.mask_positive_weight=3", "training.mask_dice_weight=0.5",
               "training.worlds={scenes: 2, views: 6, max_inputs: 3, true_cameras: [1, 0.25], huber: 0.01, "
               "min_overlap: 0.35, match_attention: 2, look_attention: [1, 0.5]}",
               "model.scene=tokens"}));
  EXPECT_EQ(own.loss.mask_positive_weight, 3);
  EXPECT_EQ(own.loss.mask_dice, 0.5);
  EXPECT_EQ(own.worlds.max_inputs, 3);
  EXPECT_EQ(own.worlds.true_cameras.end, 0.25);
  EXPECT_EQ(own.worlds.huber, 0.01);
  EXPECT_FALSE(release.worlds.match_attention.IsEverPositive());
  EXPECT_EQ(own.worlds.match_attention.end, 2);
  EXPECT_EQ(own.worlds.look_attention.end, 0.5);
  EXPECT_EQ(own.worlds.min_overlap.start, 0.35);
  ExpectError({"training.worlds={scenes: 1, look_attention: 1}"}, "needs model.scene: tokens");
  ExpectError({"training.worlds.min_overlap=1"}, "must lie between 0 and 0.9");
}

TEST_F(TrainConfigTest, AWeightMayChangeOverTheRun) {
  EXPECT_FALSE(TrainConfig::Read(Release()).known_cameras.IsEverPositive());
  Ramp weight = TrainConfig::Read(Release({"training.known_camera_weight=0.5"})).known_cameras;
  EXPECT_EQ(weight.start, 0.5);
  EXPECT_EQ(weight.end, 0.5);
  weight = TrainConfig::Read(Release({"training.known_camera_weight=[1, 0.25]"})).known_cameras;
  EXPECT_EQ(weight.start, 1.0);
  EXPECT_EQ(weight.end, 0.25);
  ExpectError({"training.known_camera_weight=[1]"}, "takes a number, or two of them in a list");
  ExpectError({"training.known_camera_weight=[1, much]"}, "takes a number, or two of them in a list");
  ExpectError({"training.known_camera_weight=[1, -1]"}, "must lie between 0 and");
  ExpectError({"training.known_camera_weight=[.nan, 1]"}, "must lie between 0 and");
  ExpectError({"training.known_camera_weight=much"}, "has a value of the wrong type");
}

TEST_F(TrainConfigTest, ARunMayBeLimitedByTime) {
  EXPECT_EQ(TrainConfig::Read(Release()).time_budget, 0);
  TrainConfig train = TrainConfig::Read(Release({"training.time_budget=9min"}));
  EXPECT_EQ(train.time_budget, 540);
  EXPECT_EQ(train.schedule.total_steps, 100000);  // still an upper bound
  train = TrainConfig::Read(Release({"training.time_budget=540", "training.train_steps=null"}));
  EXPECT_EQ(train.time_budget, 540);
  EXPECT_EQ(train.schedule.total_steps, 1'000'000'000);
  EXPECT_EQ(train.schedule.warmup_steps, 6000);
  EXPECT_EQ(train.export_every, 0);
  EXPECT_EQ(TrainConfig::Read(Release({"training.export_every=90s"})).export_every, 90);
  ExpectError({"training.export_every=often"}, "key 'training.export_every' is 'often'");
  ExpectError({"training.time_budget=soon"}, "key 'training.time_budget' is 'soon', it must be a time");
  ExpectError({"training.time_budget=0"}, "from a second to a year");
  ExpectError({"training.time_budget=9000h"}, "from a second to a year");
  ExpectError({"training.time_budget=[1, 2]"}, "has a value of the wrong type");
}

TEST_F(TrainConfigTest, NamesTheKeysThatChangeNothing) {
  EXPECT_THAT(
      KeysWithoutEffect(Release()),
      ElementsAre("model.input_with_pe", "model.pose_latent.length", "model.camera_estimator.n_layers",
                  "model.camera_estimator.use_qk_norm", "model.camera_estimator.canonical_view",
                  "model.transformer.fix_decoder", "model.use_find_unused_parameters",
                  "training.api_key_path", "training.dataset_name", "training.num_threads",
                  "training.num_views", "training.prefetch_factor", "training.random_split",
                  "training.target_has_input", "training.use_tf32", "training.wandb_exp_name",
                  "training.wandb_log_every", "training.wandb_project", "training.lpips_loss_weight",
                  "training.view_selector.type"));
  // The class name of the release says that its motion estimator sees each view alone, unless our key
  // decides.
  EXPECT_THAT(KeysWithoutEffect(Release({"model.motion.cross_view=true"})), Contains("model.class_name"));
  EXPECT_THAT(KeysWithoutEffect(Config()), IsEmpty());
}

TEST_F(TrainConfigTest, ASectionThatIsSwitchedOffIsKnown) {
  EXPECT_NO_THROW(TrainConfig::Read(Release(
      {"training.copy_paste={enabled: false, coco_root: nowhere, coco_ann_file: nowhere.json, blend: true, "
       "animal_categories: [17], include_crowds: false, per_view_objects: true}"})));
  ExpectError({"training.copy_paste={enabled: false, coco_rot: nowhere}"},
              "key 'training.copy_paste.coco_rot' is unknown");
}

TEST_F(TrainConfigTest, NamesWhatIsWrong) {
  ExpectError({"training.learning_rate=1"}, "key 'training.learning_rate' is unknown");
  ExpectError({"model.transformer.encoder_layers=3"}, "key 'model.transformer.encoder_layers' is unknown");
  ExpectError({"training.lr=-1"}, "key 'training.lr' is -1");
  ExpectError({"training.lr=.nan"}, "key 'training.lr'");
  ExpectError({"training.lr=fast"}, "key 'training.lr' has a value of the wrong type");
  ExpectError({"training.warmup=200000"}, "key 'training.warmup'");
  ExpectError({"training.amp_dtype=fp16"}, "it must be bf16 or fp32");
  ExpectError({"training.optimizer=sgd"}, "it must be adamw or muon");
  ExpectError({"training.stage=5"}, "key 'training.stage' is 5");
  ExpectError({"training.stage=2"}, "set model.use_motion_mask: true");
  ExpectError({"training.worlds={scenes: 2, views: 3, min_views: 4}"}, "worlds.min_views");
  ExpectError({"training.ema_decay=1"}, "training.ema_decay");
  ExpectError({"training.dataset_path=''"}, "no data");
  ExpectError({"training.dataset_path=" + (root_ / "nowhere").string()}, "nowhere");
}

}  // namespace
}  // namespace wildrayzer
