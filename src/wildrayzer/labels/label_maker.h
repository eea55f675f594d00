// Pseudo motion labels of training scenes: a frozen renderer, features, a cache on disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "wildrayzer/labels/pseudo_labels.h"
#include "wildrayzer/models/pass.h"

namespace wildrayzer {

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

  // Raises UsageError for options out of range. With a cache, the renderer's weights must not change any more
  // once the first label was asked for: make another LabelMaker for other weights.
  LabelMaker(WildRayZer renderer, FeatureSource features, Options options);

  // Labels of the targets of one scene ([1, V, 3, H, W]), of whose pass through the renderer with the same
  // features whatever is known already is used. Cached labels are found again by scene, frames, picture size,
  // weights in their precision, features and options; a damaged file is made anew with a warning, and so is
  // nothing lost but time when the cache cannot be written. Raises UsageError for numbers of views that do
  // not fit. May be called from several threads at once. Records no gradient.
  TargetLabels Labels(Pass pass, const LabelScene& scene);

  // The same without the cache.
  ExplainedLabels Explain(Pass pass);

  // Scenes labelled and scenes found in the cache so far.
  int64_t made() const { return made_; }
  int64_t found() const { return found_; }
  // Where the labels of a scene are cached.
  std::filesystem::path CachePath(const Pass& pass, const LabelScene& scene);

 private:
  std::string Key(const Pass& pass, const LabelScene& scene);

  WildRayZer renderer_;
  FeatureSource features_;
  Options options_;
  std::once_flag hashed_;
  std::string weights_;  // of renderer and features; hashed when first asked for
  std::atomic<int64_t> made_ = 0, found_ = 0;
};

}  // namespace wildrayzer
