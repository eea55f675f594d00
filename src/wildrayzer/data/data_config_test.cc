#include "wildrayzer/data/data_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/data/testing/small_coco.h"
#include "wildrayzer/data/testing/small_scenes.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// The data keys of the release's third stage, with small data in their place.
Config Stage3(const fs::path& root) {
  testing::WriteList(root / "static", 2, 30);
  testing::WriteSmallCoco(root / "coco");
  return Config::Parse(fmt::format(R"(
model:
  image_tokenizer: {{image_size: 64, patch_size: 16}}
training:
  copy_paste:
    enabled: true
    coco_root: {0}/coco/images
    coco_ann_file: {0}/coco/instances.json
    paste_probability: 0.7
    num_animals_per_scene: [1, 3]
    animal_categories: [17, 18]
    scale_range: [0.2, 0.4]
    position_margin: 0.1
    blend: false
    sigma: 2
    per_view_objects: false
    per_view_objects_prob: 0.25
  deterministic_views: true
  deterministic_views_refresh_every: 1500
  batch_size_per_gpu: 2
  dynamic_re10k_path: {0}/nowhere/full_list.txt
  static_re10k_path: {0}/static/full_list.txt
  dataset_mix_ratio: 0
  num_input_views: 3
  num_target_views: 4
  view_selector: {{type: two_frame, min_frame_dist: 10, max_frame_dist: 20, use_curriculum: false}}
  view_selector_dynamic: {{type: two_frame, min_frame_dist: 8, max_frame_dist: 12}}
  num_workers: 1
  square_crop: true
)",
                                   root.string()),
                       "stage3.yaml");
}

TEST(DataConfig, ReadsTheReleasesKeys) {
  const LoaderOptions options = ReadLoaderOptions(Stage3(FreshFolder("config_stage3")));
  EXPECT_EQ(options.static_set.scenes->size(), 2u);
  EXPECT_EQ(options.dynamic_set.scenes, nullptr);  // no share of it, so it need not exist
  EXPECT_EQ(options.static_set.span.At(0), (SpanLimits{10, 20}));
  EXPECT_EQ(options.dynamic_set.span.At(0), kDynamicSpan);
  EXPECT_TRUE(options.static_set.paste);
  EXPECT_FALSE(options.dynamic_set.paste);
  EXPECT_EQ(options.pool->size(), 2u);
  EXPECT_EQ(options.paste.max_objects, 3);
  EXPECT_EQ(options.paste.probability, 0.7);
  EXPECT_EQ(options.paste.max_scale, 0.4);
  EXPECT_EQ(options.paste.edge_sigma, 0.0);
  EXPECT_EQ(options.paste.per_view_objects, 0.25);
  EXPECT_EQ(options.refresh_steps, 1500);
  EXPECT_THAT(options.input_counts, ElementsAre(3));
  EXPECT_EQ(options.view.width, 64);
  TrainingLoader loader(options);
  EXPECT_EQ(loader.Next().samples[1].views.size(), 7u);
}

TEST(DataConfig, OverridesAndMistakes) {
  const fs::path root = FreshFolder("config_mistakes");
  const Config base = Stage3(root);
  const auto with = [&](const std::vector<std::string>& assignments) {
    Config config = Config::Parse(base.Dump(), "stage3.yaml");
    for (const std::string& assignment : assignments) config.Override(assignment);
    return ReadLoaderOptions(config);
  };
  EXPECT_THAT(with({"training.dynamic_input_view_num=true"}).input_counts, ElementsAre(2, 3, 4));
  EXPECT_EQ(with({"training.copy_paste.blend=true"}).paste.edge_sigma, 2.0);
  EXPECT_EQ(with({"training.deterministic_views=false"}).refresh_steps, 0);
  EXPECT_FALSE(with({}).augment.Any());
  const AugmentOptions augment =
      with({"training.augment={flip: 0.5, reverse: 0.25, colour: 0.1, zoom: 1.3}"}).augment;
  EXPECT_EQ(augment.flip, 0.5);
  EXPECT_EQ(augment.reverse, 0.25);
  EXPECT_EQ(augment.colour, 0.1);
  EXPECT_EQ(augment.zoom, 1.3);
  EXPECT_THAT([&] { with({"training.augment.zoom=0.9"}); },
              ThrowsMessage<UsageError>(HasSubstr("key 'training.augment.zoom' is 0.9")));
  EXPECT_THAT([&] { with({"training.augment.flip=.nan"}); },
              ThrowsMessage<UsageError>(HasSubstr("training.augment.flip")));
  const SpanSchedule span =
      with({"training.view_selector.use_curriculum=true", "training.view_selector.curriculum_steps=10",
            "training.view_selector.start_max_frame_dist=12"})
          .static_set.span;
  EXPECT_EQ(span.At(0), (SpanLimits{10, 12}));
  EXPECT_EQ(span.At(10), (SpanLimits{10, 20}));
  EXPECT_THAT([&] { with({"training.dataset_mix_ratio=0.5"}); },
              ThrowsMessage<FileError>(HasSubstr("nowhere")));
  EXPECT_THAT([&] { with({"training.view_selector.min_frame_dist=30"}); },
              ThrowsMessage<UsageError>(HasSubstr("training.view_selector")));
  EXPECT_THAT([&] { with({"training.copy_paste.scale_range=[0.4, 0.2]"}); },
              ThrowsMessage<UsageError>(HasSubstr("scale_range")));
  EXPECT_THAT([&] { with({"training.copy_paste.coco_root=''"}); },
              ThrowsMessage<UsageError>(HasSubstr("coco_root")));
}

TEST(DataConfig, EvaluationMasks) {
  const auto read = [](const std::string& text) {
    return ReadEvaluationScenes(Config::Parse("inference: " + text, "eval.yaml"));
  };
  EXPECT_TRUE(read("{view_idx_file_path: x.json}").masks.roots.empty());
  EXPECT_EQ(read("{view_idx_file_path: x.json}").view_index, "x.json");
  EXPECT_EQ(read("{motion_mask_root: m}").masks.roots.at("default"), "m");
  const MaskFolders masks = read(
                                "{use_gt_motion_masks: true, motion_mask_preserve_suffix: true, "
                                "motion_mask_root: {dre10k: a, wildrayzer: b}}")
                                .masks;
  EXPECT_EQ(masks.roots.at("dre10k"), "a");
  EXPECT_EQ(masks.roots.at("wildrayzer"), "b");
  EXPECT_TRUE(masks.preserve_suffix);
}

}  // namespace
}  // namespace wildrayzer
