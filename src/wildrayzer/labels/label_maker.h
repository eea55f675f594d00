// Pseudo motion labels of training scenes: a frozen renderer, features, a cache on disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/labels/pseudo_labels.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Semantic features of pictures.
struct FeatureFunction {
  std::string name;  // tells these features from others: a part of the key of cached labels
  // The features of a view depend on the other views, so it must be given all of them together, inputs first.
  bool joint = false;
  // images [V, 3, H, W] in [0, 1] -> [V, C, h, w]; h and w divide H and W.
  std::function<torch::Tensor(const torch::Tensor& images)> features;
};

// Patch features of DINOv3, one view at a time. `weights` tells these weights from others (a path or a hash).
FeatureFunction DinoFeatures(Dinov3 dino, const std::string& weights,
                             const PixelStatistics& pixels = kImageNetPixels);

// The image tokens of the model's own camera estimator, after motion.feature_layer of its blocks.
FeatureFunction OwnFeatures(WildRayZer model);

// SHA-256 over names, types, shapes and values of all parameters.
std::string HashParameters(const torch::nn::Module& module);

// Names the views of a sample.
struct LabelScene {
  std::string name;         // unique among all scenes that share a cache
  std::vector<int> frames;  // of every view, inputs first
};

struct TargetLabels {
  torch::Tensor masks;  // uint8 [T, 1, H, W], 1 = moves
  torch::Tensor psnr;   // float32 [T], dB: how well the static rendering agrees with the picture
};

// The labels of one scene with everything that led to them.
struct ExplainedLabels {
  torch::Tensor renderings;  // float32 [T, 3, H, W] in [0, 1], rounded to 8 bits like pictures on disk
  PseudoLabels labels;       // one frame a target
};

class LabelMaker {
 public:
  struct Options {
    LabelOptions labels;
    // Leave dynamic tokens out of the scene, as the renderer's own motion estimator finds them. Otherwise the
    // renderer is plain RayZer.
    bool mask_tokens = false;
    std::filesystem::path cache;  // a folder; empty: nothing is kept
  };

  // The renderer's weights must not change any more: make another LabelMaker for other weights. Raises
  // UsageError for options out of range.
  LabelMaker(WildRayZer renderer, FeatureFunction features, Options options);

  // Labels of the targets: all views of images [V, 3, H, W] (values in [0, 1]) but the first num_inputs.
  // Cached labels are found again by scene, frames, picture size, weights, features and options; a damaged
  // file is made anew with a warning, and so is nothing lost but time when the cache cannot be written.
  // Raises UsageError for numbers of views that do not fit. May be called from several threads at once.
  TargetLabels Labels(const torch::Tensor& images, int64_t num_inputs, const LabelScene& scene);

  // The same without the cache.
  ExplainedLabels Explain(const torch::Tensor& images, int64_t num_inputs);

  // Scenes labelled and scenes found in the cache so far.
  int64_t made() const { return made_; }
  int64_t found() const { return found_; }
  // Where the labels of a scene are cached.
  std::filesystem::path CachePath(const torch::Tensor& images, int64_t num_inputs,
                                  const LabelScene& scene) const;

 private:
  torch::Tensor RenderTargets(const torch::Tensor& images, int64_t num_inputs);
  std::string Key(const torch::Tensor& images, int64_t num_inputs, const LabelScene& scene) const;

  WildRayZer renderer_;
  FeatureFunction features_;
  Options options_;
  std::string renderer_hash_;
  std::atomic<int64_t> made_ = 0, found_ = 0;
};

}  // namespace wildrayzer
