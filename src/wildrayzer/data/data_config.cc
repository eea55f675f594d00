#include "wildrayzer/data/data_config.h"

#include <fmt/format.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

SpanSchedule ReadSpan(const Config& config, const std::string& key, const SpanLimits& fallback) {
  SpanSchedule span;
  span.end.min = config.Get<int>(key + ".min_frame_dist", fallback.min);
  span.end.max = config.Get<int>(key + ".max_frame_dist", fallback.max);
  span.start = span.end;
  if (config.Get<bool>(key + ".use_curriculum", false)) {
    span.start.min = config.Get<int>(key + ".start_min_frame_dist", span.end.min);
    span.start.max = config.Get<int>(key + ".start_max_frame_dist", span.end.max);
    span.steps = config.Get<int64_t>(key + ".curriculum_steps", 0);
  }
  for (const SpanLimits& limits : {span.start, span.end}) {
    if (limits.min < 1 || limits.max < limits.min) {
      throw UsageError(fmt::format("{}: {}: frame distances {} to {} are impossible", config.name(), key,
                                   limits.min, limits.max));
    }
  }
  return span;
}

// A pair of numbers, smaller first.
template <typename T>
std::pair<T, T> ReadRange(const Config& config, const std::string& key, T low, T high) {
  const auto range = config.Get<std::vector<T>>(key, {low, high});
  if (range.size() != 2 || !(range[0] <= range[1])) {
    throw UsageError(
        fmt::format("{}: key '{}' takes two numbers, the smaller one first", config.name(), key));
  }
  return {range[0], range[1]};
}

double ReadWithin(const Config& config, const std::string& key, double fallback, double low, double high) {
  const double value = config.Get<double>(key, fallback);
  if (!(value >= low && value <= high)) {
    throw UsageError(fmt::format("{}: key '{}' is {}, it must lie between {} and {}", config.name(), key,
                                 value, low, high));
  }
  return value;
}

AugmentOptions ReadAugment(const Config& config) {
  const std::string key = "training.augment.";
  AugmentOptions augment;
  augment.flip = ReadWithin(config, key + "flip", augment.flip, 0.0, 1.0);
  augment.reverse = ReadWithin(config, key + "reverse", augment.reverse, 0.0, 1.0);
  augment.colour = ReadWithin(config, key + "colour", augment.colour, 0.0, 0.5);
  augment.zoom = ReadWithin(config, key + "zoom", augment.zoom, 1.0, 4.0);
  return augment;
}

void ReadCopyPaste(const Config& config, LoaderOptions& options) {
  const std::string key = "training.copy_paste.";
  PasteOptions& paste = options.paste;
  paste.probability = config.Get<double>(key + "paste_probability", paste.probability);
  std::tie(paste.min_objects, paste.max_objects) =
      ReadRange<int>(config, key + "num_animals_per_scene", paste.min_objects, paste.max_objects);
  std::tie(paste.min_scale, paste.max_scale) =
      ReadRange<double>(config, key + "scale_range", paste.min_scale, paste.max_scale);
  paste.margin = config.Get<double>(key + "position_margin", paste.margin);
  const double sigma = config.Get<double>(key + "sigma", 1.0);
  paste.edge_sigma = config.Get<bool>(key + "blend", false) ? sigma : 0.0;
  const bool per_view = config.Get<bool>(key + "per_view_objects", false);
  const double fallback =
      config.Has(key + "per_view_objects") ? (per_view ? 1.0 : 0.0) : paste.per_view_objects;
  paste.per_view_objects = config.Get<double>(key + "per_view_objects_prob", fallback);

  const auto annotations = config.Get<std::string>(key + "coco_ann_file", "");
  const auto root = config.Get<std::string>(key + "coco_root", "");
  const auto categories = config.Get<std::vector<std::string>>(key + "animal_categories", {});
  const bool crowds = config.Get<bool>(key + "include_crowds", true);
  // Last, so that a section that is switched off is read as known.
  if (!config.Get<bool>(key + "enabled", false)) return;
  if (annotations.empty() || root.empty()) {
    throw UsageError(config.name() + ": copy_paste needs coco_ann_file and coco_root");
  }
  options.pool = std::make_shared<PastePool>(annotations, root, categories, crowds);
  options.static_set.paste = true;
}

std::shared_ptr<const SceneDataset> OpenIfGiven(const std::string& path, const std::string& masks = "") {
  if (path.empty()) return nullptr;
  ListedScenesOptions listed;
  if (!masks.empty()) listed.masks.roots["default"] = masks;
  return OpenScenes(path, listed);
}

}  // namespace

LoaderOptions ReadLoaderOptions(const Config& config) {
  LoaderOptions options;
  const auto fixed = config.Get<std::string>("training.static_re10k_path", "");
  const auto moving = config.Get<std::string>("training.dynamic_re10k_path", "");
  const auto single = config.Get<std::string>("training.dataset_path", "");
  const bool mixed = !fixed.empty() || !moving.empty();
  options.dynamic_ratio =
      mixed ? config.Get<double>("training.dataset_mix_ratio", fixed.empty() ? 1.0 : 0.5) : 0.0;
  // A set without a share is not opened: the release's own files name folders that need not be there.
  if (!mixed || options.dynamic_ratio < 1) options.static_set.scenes = OpenIfGiven(mixed ? fixed : single);
  const auto masks = config.Get<std::string>("training.dynamic_masks_path", "");
  if (mixed && options.dynamic_ratio > 0) options.dynamic_set.scenes = OpenIfGiven(moving, masks);
  options.dynamic_set.truth = !masks.empty();
  // The general selector is that of the static set where it has none of its own.
  const SpanSchedule general = ReadSpan(config, "training.view_selector", kStaticSpan);
  options.static_set.span = config.Has("training.view_selector_static")
                                ? ReadSpan(config, "training.view_selector_static", kStaticSpan)
                                : general;
  options.dynamic_set.span = ReadSpan(config, "training.view_selector_dynamic", kDynamicSpan);

  options.input_counts = {config.Get<int>("training.num_input_views", 2)};
  if (config.Get<bool>("training.dynamic_input_view_num", false)) options.input_counts = {2, 3, 4};
  options.targets = config.Get<int>("training.num_target_views", 6);
  const auto refresh = config.Get<int64_t>("training.deterministic_views_refresh_every", 3000);
  options.refresh_steps = config.Get<bool>("training.deterministic_views", false) ? refresh : 0;
  options.view.width = options.view.height = config.Get<int>("model.image_tokenizer.image_size", 256);
  options.view.patch = config.Get<int>("model.image_tokenizer.patch_size", 16);
  options.view.crop = config.Get<bool>("training.square_crop", true);
  options.batch_size = config.Get<int>("training.batch_size_per_gpu", 1);
  options.threads = config.Get<int>("training.num_workers", 2);
  options.seed = config.Get<uint64_t>("training.seed", 0);
  options.augment = ReadAugment(config);
  ReadCopyPaste(config, options);
  return options;
}

ListedScenesOptions ReadEvaluationScenes(const Config& config) {
  ListedScenesOptions options;
  options.view_index = config.Get<std::string>("inference.view_idx_file_path", "");
  const std::string key = "inference.motion_mask_root";
  if (!config.Get<bool>("inference.use_gt_motion_masks", false) && !config.Has(key)) return options;
  for (const char* const name : {"wildrayzer", "dre10k", "default"}) {
    const std::string member = key + "." + name;
    if (config.Has(member)) options.masks.roots[name] = config.Get<std::string>(member, "");
  }
  if (options.masks.roots.empty()) {
    options.masks.roots["default"] = config.Get<std::string>(key, "data/dynamic_re10k/test/binary_masks");
  }
  options.masks.preserve_suffix = config.Get<bool>("inference.motion_mask_preserve_suffix", false);
  return options;
}

}  // namespace wildrayzer
