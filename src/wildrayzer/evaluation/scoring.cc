#include "wildrayzer/evaluation/scoring.h"

#include <algorithm>

#include "wildrayzer/evaluation/camera_metrics.h"
#include "wildrayzer/evaluation/image_metrics.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

void ScoreFrame(const Planes& picture, const Planes& truth, const LpipsMaps* maps, ImageResult& result) {
  result.scores["psnr"] = Psnr(picture, truth);
  result.scores["ssim"] = Ssim(picture, truth);
  if (maps) result.scores["lpips"] = LpipsDistance(*maps);
}

void ScoreRegion(const Planes& picture, const Planes& truth, const Planes& region, const std::string& name,
                 const LpipsMaps* maps, ImageResult& result) {
  result.scores["psnr_" + name] = MaskedPsnr(picture, truth, region);
  result.scores["ssim_" + name] = MaskedSsim(picture, truth, region);
  if (!maps) return;
  result.scores["lpips_spatial_" + name] = MaskedLpips(*maps, region);
  result.scores["lpips_released_" + name] = ReleasedMaskedLpips(*maps, region);
}

ImageResult ScoreTarget(const EvaluationScene& scene, size_t target, const Planes& picture,
                        const Protocol& protocol, const LpipsFunction& lpips) {
  const size_t view = scene.num_inputs + target;
  const Planes& truth = scene.truth[target];
  CheckComparable(picture, truth, "rendering of frame " + std::to_string(scene.frames[view]));
  LpipsMaps maps;
  if (lpips) maps = lpips(picture, truth);
  const LpipsMaps* measured = lpips ? &maps : nullptr;
  ImageResult result;
  result.frame = scene.frames[view];
  if (protocol.frame) ScoreFrame(picture, truth, measured, result);
  const Planes& mask = scene.masks[view];
  if (protocol.regions && !mask.values.empty()) {
    ScoreRegion(picture, truth, Complement(mask), "static", measured, result);
    // Without a clean picture the transient region of the truth shows what the renderer must not draw.
    if (scene.clean_truth) ScoreRegion(picture, truth, mask, "transient", measured, result);
  }
  return result;
}

void ScoreMasks(const EvaluationScene& scene, const MethodOutput& output, double threshold,
                SceneResult& result) {
  for (size_t view = 0; view < output.masks.size(); ++view) {
    if (output.masks[view].values.empty() || scene.masks[view].values.empty()) continue;
    MaskResult mask;
    mask.frame = scene.frames[view];
    mask.is_input = view < static_cast<size_t>(scene.num_inputs);
    mask.counts = CompareMasks(output.masks[view], scene.masks[view], threshold);
    if (output.soft_masks) mask.sweep = SweepMasks(output.masks[view], scene.masks[view]);
    result.masks.push_back(std::move(mask));
  }
}

}  // namespace

Protocol FindProtocol(const std::string& name) {
  const std::vector<Protocol> protocols = {{"re10k", true, false, false},
                                           {"dre10k", false, false, true},
                                           {"iphone", true, true, true},
                                           {"masks", false, false, false},
                                           {"davis", false, false, false}};
  for (const Protocol& protocol : protocols) {
    if (protocol.name == name) return protocol;
  }
  throw UsageError("there is no protocol '" + name + "'; choose re10k, dre10k, iphone, masks or davis");
}

SceneResult ScoreScene(const EvaluationScene& scene, const MethodOutput& output, const Protocol& protocol,
                       double mask_threshold, const LpipsFunction& lpips) {
  SceneResult result;
  result.scene = scene.name;
  const bool judge_renders = protocol.frame || protocol.regions;
  if (judge_renders && !output.renders.empty()) {
    if (output.renders.size() != scene.num_targets()) {
      throw Error(std::to_string(output.renders.size()) + " renderings for " +
                  std::to_string(scene.num_targets()) + " targets");
    }
    if (protocol.clean && !scene.clean_truth) {
      throw Error("has no clean target pictures (gt_image_path), which protocol " + protocol.name +
                  " is judged on");
    }
    const auto unknown = [](const Planes& mask) { return mask.values.empty(); };
    if (protocol.regions && !protocol.frame &&
        std::all_of(scene.masks.begin() + scene.num_inputs, scene.masks.end(), unknown)) {
      throw Error("has no true masks of its targets, which protocol " + protocol.name + " is judged on");
    }
    for (size_t t = 0; t < scene.num_targets(); ++t) {
      result.images.push_back(ScoreTarget(scene, t, output.renders[t], protocol, lpips));
    }
  }
  ScoreMasks(scene, output, mask_threshold, result);
  if (!output.cameras.empty() && !scene.cameras.empty()) {
    const CameraAccuracy accuracy = CompareCameras(output.cameras, scene.cameras);
    result.cameras = {{"camera_relative_rotation", accuracy.relative_rotation_degrees},
                      {"camera_direction", accuracy.direction_degrees},
                      {"camera_auc_30", accuracy.auc_30}};
    for (size_t i = 0; i < kPoseBounds.size(); ++i) {
      const std::string bound = std::to_string(kPoseBounds[i]);
      result.cameras["camera_rra_" + bound] = accuracy.rotations_within[i];
      result.cameras["camera_rta_" + bound] = accuracy.directions_within[i];
    }
    if (scene.cameras.size() >= kFewestToAlign) {
      result.cameras["camera_rotation"] = accuracy.rotation_degrees;
      result.cameras["camera_translation"] = accuracy.translation;
    }
  }
  return result;
}

}  // namespace wildrayzer
