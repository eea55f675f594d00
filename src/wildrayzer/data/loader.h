// Batches for training and scenes for evaluation, decoded ahead of time by several threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/data/augment.h"
#include "wildrayzer/data/copy_paste.h"
#include "wildrayzer/data/mixed_order.h"
#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/data/scene.h"
#include "wildrayzer/data/view_selection.h"
#include "wildrayzer/data/views.h"

namespace wildrayzer {

// The views of one scene: inputs first, then targets, all of one size.
struct Sample {
  std::string scene;
  bool dynamic = false;       // from the dynamic set, and what moves is not known
  int64_t refresh_epoch = 0;  // the views of a scene are the same within one
  ViewList list;              // frame indices
  std::vector<View> views;    // list.inputs, then list.targets
  // Copy-paste, or TrainingSet::truth: View::image shows the objects, View::clean does not, overlays[i] says
  // where they are in views[i].
  bool pasted = false;
  std::vector<GrayImage> overlays;
  // What was wrong with the scenes that were tried before this one.
  std::vector<std::string> skipped;
};

// One set of training scenes.
struct TrainingSet {
  std::shared_ptr<const SceneDataset> scenes;  // null: there is none
  SpanSchedule span;
  bool paste = false;  // copy-paste objects into its scenes
  // Its frames have masks and clean pictures (synthetic rooms), which are taken for true: what moves in a
  // sample then is as well known as if it had been pasted, and told in the same way.
  bool truth = false;
};

struct LoaderOptions {
  TrainingSet static_set;
  TrainingSet dynamic_set;
  double dynamic_ratio = 0.0;  // share of dynamic samples

  std::vector<int> input_counts = {2};  // one is drawn for every step, the same on every rank
  int targets = 6;
  // Steps during which the views of a scene stay the same, so that labels cached for them are found again; 0:
  // fresh views in every pass through the set.
  int64_t refresh_steps = 0;
  ViewOptions view;
  // Sizes in pixels in the place of the view's, one is drawn for every step, the same on every rank; empty:
  // the view's.
  std::vector<std::array<int, 2>> sizes;  // width, height
  std::shared_ptr<const PastePool> pool;  // needed by sets with `paste`
  PasteOptions paste;
  AugmentOptions augment;  // of every sample, after pasting

  int batch_size = 1;  // samples of this rank in a step
  int rank = 0;        // of world_size processes, which share every step
  int world_size = 1;
  int64_t steps_per_epoch = 0;  // 0: as many as make one draw for every scene of both sets, at least 1
  uint64_t seed = 0;
  int threads = 2;         // decoding; 0: in Next()
  int queued_batches = 2;  // decoded ahead
};

// What a checkpoint needs to continue at the next batch.
struct LoaderState {
  uint64_t seed = 0;
  int64_t epoch = 0;
  int64_t position = 0;  // steps of the epoch that were handed out
  bool operator==(const LoaderState&) const = default;
};

struct Batch {
  int64_t epoch = 0;
  int64_t position = 0;  // step within the epoch
  int inputs = 0;        // number of input views of all samples
  std::vector<Sample> samples;
};

// An endless sequence of training batches that depends only on the options (without `threads` and
// `queued_batches`). A scene that cannot be read or is too short for the views is skipped with a warning that
// names the file, counted, and replaced by another scene of its set; FileError only after 20 in a row. Raises
// UsageError for impossible options.
class TrainingLoader {
 public:
  explicit TrainingLoader(LoaderOptions options);
  // Continues where `state` was taken; raises UsageError if it belongs to another seed.
  TrainingLoader(LoaderOptions options, const LoaderState& state);

  Batch Next();
  // The state after the batches handed out so far.
  LoaderState state() const;
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // Scenes skipped on the way to the batches handed out so far.
  int64_t skipped() const { return skipped_; }

 private:
  Sample Make(uint64_t local) const;
  Sample TryScene(const Draw& draw, uint64_t n, uint64_t step) const;
  int InputsOfStep(uint64_t step) const;
  ViewOptions ViewOfStep(uint64_t step) const;

  LoaderOptions options_;
  MixedOrder order_;
  int64_t steps_per_epoch_ = 1;
  uint64_t step_ = 0;  // the next one, counted over all epochs
  int64_t skipped_ = 0;
  std::unique_ptr<Prefetcher<Sample>> prefetcher_;  // last member: its threads use the others
};

// Scenes of one data set in order, each with its evaluation views. A scene that cannot be read raises its
// FileError in Next(); the call after that continues with the following scene.
class EvaluationLoader {
 public:
  struct Options {
    ViewOptions view;  // clean pictures and masks as needed
    // For scenes without a view list: this many views spread evenly; 0 inputs: such scenes raise FileError.
    int inputs = 0;
    int targets = 0;
    int threads = 2;
    int queued = 2;
  };
  // `scenes`: the indices to load, in this order.
  EvaluationLoader(std::shared_ptr<const SceneDataset> dataset, std::vector<size_t> scenes,
                   const Options& options);

  std::optional<Sample> Next() { return prefetcher_.Next(); }

 private:
  std::shared_ptr<const SceneDataset> dataset_;
  std::vector<size_t> scenes_;
  Options options_;
  Prefetcher<Sample> prefetcher_;
};

// One scene with given views, inputs first. Raises FileError.
Sample LoadSample(const SceneRecord& scene, const ViewList& list, const ViewOptions& options);

}  // namespace wildrayzer
