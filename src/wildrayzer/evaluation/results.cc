#include "wildrayzer/evaluation/results.h"

#include <algorithm>

namespace wildrayzer {
namespace {

// Means over the frames of a scene that have a motion mask.
void AddMaskScores(const SceneResult& scene, std::map<std::string, Estimate>& scores) {
  if (scene.masks.empty()) return;
  std::vector<Confusion> frames;
  for (const MaskResult& mask : scene.masks) frames.push_back(mask.counts);
  const MaskSummary summary = SummariseMasks(frames);
  const auto add = [&](const std::string& key, double value, int counted, int skipped) {
    scores[key] = {.mean = value, .low = value, .high = value, .counted = counted, .skipped = skipped};
  };
  add("mask_iou", summary.iou, summary.frames, summary.empty_frames);
  add("mask_recall", summary.recall, summary.frames, summary.empty_frames);
  add("mask_precision", summary.precision, summary.frames, summary.empty_frames);
  add("mask_f1", summary.f1, summary.frames, summary.empty_frames);
  add("mask_false_alarm", summary.empty_false_alarm, summary.empty_frames, summary.frames);
}

void AddSweep(const SceneResult& scene, std::vector<Confusion>& sum) {
  for (const MaskResult& mask : scene.masks) {
    if (mask.sweep.empty() || mask.counts.truth() == 0) continue;
    if (sum.empty()) sum.resize(mask.sweep.size());
    for (size_t i = 0; i < std::min(sum.size(), mask.sweep.size()); ++i) sum[i] += mask.sweep[i];
  }
}

}  // namespace

const std::vector<MetricInfo>& AllMetrics() {
  static const std::vector<MetricInfo> metrics = {
      {"psnr", "PSNR", "whole frame", 2, true},
      {"ssim", "SSIM", "whole frame", 3, true},
      {"lpips", "LPIPS", "whole frame", 3, false},
      {"psnr_static", "PSNR static", "static region", 2, true},
      {"ssim_static", "SSIM static", "static region", 3, true},
      {"lpips_spatial_static", "LPIPS static", "static region", 3, false},
      {"lpips_released_static", "LPIPS static (release's formula)", "static region", 3, false},
      {"psnr_transient", "PSNR transient", "transient region", 2, true},
      {"ssim_transient", "SSIM transient", "transient region", 3, true},
      {"lpips_spatial_transient", "LPIPS transient", "transient region", 3, false},
      {"lpips_released_transient", "LPIPS transient (release's formula)", "transient region", 3, false},
      {"mask_iou", "mIoU %", "motion masks", 1, true, 100},
      {"mask_recall", "Recall %", "motion masks", 1, true, 100},
      {"mask_precision", "Precision %", "motion masks", 1, true, 100},
      {"mask_f1", "F1 %", "motion masks", 1, true, 100},
      {"mask_false_alarm", "False alarms in still frames %", "motion masks", 1, false, 100},
      {"camera_relative_rotation", "Relative rotation error (degrees)", "cameras", 2, false},
      {"camera_direction", "Translation direction error (degrees)", "cameras", 1, false},
      {"camera_rra_5", "RRA@5 %", "cameras", 1, true, 100},
      {"camera_rra_15", "RRA@15 %", "cameras", 1, true, 100},
      {"camera_rra_30", "RRA@30 %", "cameras", 1, true, 100},
      {"camera_rta_5", "RTA@5 %", "cameras", 1, true, 100},
      {"camera_rta_15", "RTA@15 %", "cameras", 1, true, 100},
      {"camera_rta_30", "RTA@30 %", "cameras", 1, true, 100},
      {"camera_auc_30", "AUC@30 %", "cameras", 1, true, 100},
      {"camera_rotation", "Rotation error, aligned (degrees)", "cameras", 2, false},
      {"camera_translation", "Position error, aligned (relative)", "cameras", 3, false},
  };
  return metrics;
}

const MetricInfo* FindMetric(const std::string& key) {
  const auto found = std::find_if(AllMetrics().begin(), AllMetrics().end(),
                                  [&](const MetricInfo& m) { return m.key == key; });
  return found == AllMetrics().end() ? nullptr : &*found;
}

std::map<std::string, Estimate> SceneScores(const SceneResult& scene) {
  std::map<std::string, Estimate> scores;
  if (!scene.failure.empty()) return scores;
  std::map<std::string, std::vector<double>> values;
  for (const ImageResult& image : scene.images) {
    for (const auto& [key, value] : image.scores) values[key].push_back(value);
  }
  for (const auto& [key, list] : values) scores[key] = MeanOf(list);
  for (const auto& [key, value] : scene.cameras) scores[key] = MeanOf(std::vector<double>{value});
  AddMaskScores(scene, scores);
  return scores;
}

MethodSummary Summarise(const MethodResult& method, uint64_t seed) {
  MethodSummary summary;
  std::map<std::string, std::vector<double>> scene_means;
  std::vector<Confusion> frames;
  for (const SceneResult& scene : method.scenes) {
    ++summary.scenes;
    summary.seconds += scene.seconds;
    if (!scene.failure.empty()) {
      ++summary.failed;
      continue;
    }
    for (const auto& [key, estimate] : SceneScores(scene)) {
      scene_means[key].push_back(estimate.mean);
      summary.scores[key].images += estimate.counted;
      summary.scores[key].skipped_images += estimate.skipped;
    }
    for (const MaskResult& mask : scene.masks) frames.push_back(mask.counts);
    AddSweep(scene, summary.sweep);
  }
  for (const auto& [key, means] : scene_means)
    summary.scores[key].over_scenes = MeanWithInterval(means, seed);
  summary.micro_masks = MicroMasks(frames);
  return summary;
}

}  // namespace wildrayzer
