// What an evaluation found, as plain values: nothing here knows models, data sets or files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/evaluation/aggregate.h"
#include "wildrayzer/evaluation/mask_metrics.h"

namespace wildrayzer {

// One score: its key in files, how it is titled and printed, and which way is better.
struct MetricInfo {
  std::string key;
  std::string title;
  std::string group;  // "whole frame", "static region", "transient region", "motion masks", "cameras"
  int decimals = 3;
  bool higher_is_better = true;
  double scale = 1.0;  // factor in printed tables (100: per cent); files hold plain values
};

// All scores in the order of the reports. lpips_spatial_* is masked LPIPS as the paper words it,
// lpips_released_* what the release's script prints (weights.md 6.5).
const std::vector<MetricInfo>& AllMetrics();
// nullptr for an unknown key.
const MetricInfo* FindMetric(const std::string& key);

// Scores of one rendered view. A key that is absent was not measured; NaN: not defined for this view (an
// empty mask).
struct ImageResult {
  int frame = 0;
  std::map<std::string, double> scores;
};

// Pixel counts of one motion mask at the method's threshold and at every SweepThresholds() (empty for binary
// masks).
struct MaskResult {
  int frame = 0;
  bool is_input = false;
  Confusion counts;
  std::vector<Confusion> sweep;
};

struct SceneResult {
  std::string scene;
  std::string failure;  // not empty: why nothing was measured; such scenes are listed and never averaged in
  double seconds = 0.0;
  std::vector<ImageResult> images;
  std::vector<MaskResult> masks;
  std::map<std::string, double> cameras;  // camera scores of the whole scene
};

struct MethodResult {
  std::string name;  // unique, usable as a folder name
  std::string title;
  std::string note;  // what it is, in a sentence
  std::vector<SceneResult> scenes;
};

// One table: all methods on one data set with one number of inputs.
struct SettingResult {
  std::string label;     // "2 views"
  std::string protocol;  // "re10k", "dre10k", "iphone", "masks", "davis"
  std::string data;
  int num_inputs = 0;
  double mask_threshold = 0.1;
  std::vector<MethodResult> methods;
  int outdated = 0;  // stored results that had to be measured anew; not reported
};

struct EvaluationResult {
  std::string title;
  uint64_t bootstrap_seed = 0;
  std::map<std::string, std::string> absent;               // metric group or key -> why it was not measured
  std::vector<std::pair<std::string, std::string>> facts;  // settings, weights, versions: name and value
  std::vector<SettingResult> settings;
};

// A score over a data set: mean of scene means with its interval, and how many images stand behind it.
struct Score {
  Estimate over_scenes;
  int images = 0;          // that have the score
  int skipped_images = 0;  // for which it is NaN
};

struct MethodSummary {
  std::map<std::string, Score> scores;  // only what was measured at least once, even if always NaN
  // Motion masks over all frames with motion, counts summed ("micro"); NaN when there are none.
  MaskSummary micro_masks;
  // Summed counts at SweepThresholds(), frames with motion only; empty without probabilities.
  std::vector<Confusion> sweep;
  int scenes = 0;
  int failed = 0;
  double seconds = 0.0;
};

// Means over the images (or frames with motion) of one scene, by key; a failed scene gives nothing.
std::map<std::string, Estimate> SceneScores(const SceneResult& scene);
MethodSummary Summarise(const MethodResult& method, uint64_t seed);

}  // namespace wildrayzer
