// The data section of the release's configuration files, as options of the loaders.
#pragma once

#include <filesystem>

#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/loader.h"
#include "wildrayzer/util/config.h"

namespace wildrayzer {

// Reads what a training run needs and opens the data sets. Keys below `training.`:
//   static_re10k_path, dynamic_re10k_path (anything OpenScenes takes) with dataset_mix_ratio (share of
//   dynamic samples, default 0.5), or dataset_path alone (static); num_input_views (2), or
//   dynamic_input_view_num for 2, 3 and 4 mixed; num_target_views (6); view_selector, view_selector_static
//   and view_selector_dynamic with min_frame_dist and max_frame_dist, and with use_curriculum also
//   start_min_frame_dist, start_max_frame_dist and curriculum_steps; deterministic_views with
//   deterministic_views_refresh_every (3000 steps); square_crop (true); batch_size_per_gpu (1); num_workers
//   (2); seed (0); copy_paste.enabled, coco_root, coco_ann_file, animal_categories (names or ids, default:
//   all), paste_probability, num_animals_per_scene, scale_range, position_margin, blend, sigma,
//   per_view_objects_prob or per_view_objects, include_crowds (true).
// and model.image_tokenizer.image_size (256), patch_size (16). Raises UsageError or FileError.
LoaderOptions ReadLoaderOptions(const Config& config);

// Keys below `inference.`: view_idx_file_path, and for true masks motion_mask_root (a folder, or a map with
// wildrayzer, dre10k and default; use_gt_motion_masks alone means data/dynamic_re10k/test/binary_masks) and
// motion_mask_preserve_suffix.
ListedScenesOptions ReadEvaluationScenes(const Config& config);

}  // namespace wildrayzer
