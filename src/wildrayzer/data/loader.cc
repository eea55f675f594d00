#include "wildrayzer/data/loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

constexpr int kAttempts = 20;

size_t Size(const TrainingSet& set) { return set.scenes ? set.scenes->size() : 0; }

void Check(const LoaderOptions& o) {
  if (o.batch_size < 1 || o.batch_size > 65536 || o.world_size < 1 || o.rank < 0 || o.rank >= o.world_size) {
    throw UsageError(fmt::format("batches of {} samples on rank {} of {} are impossible", o.batch_size,
                                 o.rank, o.world_size));
  }
  if (o.input_counts.empty() ||
      std::any_of(o.input_counts.begin(), o.input_counts.end(), [](int k) { return k < 2; }) ||
      o.targets < 1) {
    throw UsageError("training needs at least 2 input views and 1 target view");
  }
  if (o.threads < 0 || o.threads > 1024 || o.queued_batches < 1 || o.steps_per_epoch < 0 ||
      o.refresh_steps < 0) {
    throw UsageError("threads, queued batches, steps per epoch and refresh steps must not be negative");
  }
  if ((o.static_set.paste || o.dynamic_set.paste) && !o.pool) {
    throw UsageError("copy-paste is on, but no COCO annotations are given");
  }
}

int64_t StepsPerEpoch(const LoaderOptions& o) {
  if (o.steps_per_epoch > 0) return o.steps_per_epoch;
  const size_t scenes = Size(o.static_set) + Size(o.dynamic_set);
  const size_t step = static_cast<size_t>(o.batch_size) * static_cast<size_t>(o.world_size);
  return static_cast<int64_t>(std::max<size_t>(1, scenes / step));
}

// What moves is known from the data's own masks and clean pictures.
void TakeTruth(const SceneRecord& scene, Sample& sample) {
  sample.pasted = true;
  for (View& view : sample.views) {
    if (view.clean.rgb.empty() || view.mask.empty()) {
      throw FileError(scene.source.string(),
                      fmt::format("frame {} has no clean picture (gt_image_path) or no mask, which "
                                  "training.dynamic_masks_path asks for",
                                  view.frame));
    }
    sample.overlays.push_back(std::move(view.mask));
  }
}

// Turns the views into pasted ones; what they were becomes the clean pictures.
void Paste(const PastePool& pool, const PasteOptions& options, Random random, Sample& sample) {
  std::vector<Image> images;
  for (View& view : sample.views) images.push_back(std::move(view.image));
  Pasted pasted = PasteObjects(images, pool, options, random);
  sample.pasted = !pasted.images.empty();
  for (size_t i = 0; i < images.size(); ++i) {
    View& view = sample.views[i];
    view.image = sample.pasted ? std::move(pasted.images[i]) : std::move(images[i]);
    if (sample.pasted) view.clean = std::move(images[i]);
  }
  sample.overlays = std::move(pasted.overlays);
}

void AugmentSample(const Augmentation& drawn, Sample& sample) {
  for (View& view : sample.views) Augment(drawn, view);
  for (GrayImage& overlay : sample.overlays) Augment(drawn, overlay);
}

void CheckSizes(const Batch& batch) {
  const Image& first = batch.samples.front().views.front().image;
  for (const Sample& sample : batch.samples) {
    const Image& image = sample.views.front().image;
    if (image.width != first.width || image.height != first.height) {
      throw Error(fmt::format(
          "scene '{}' gives views of {} x {}, scene '{}' of {} x {}: turn square_crop on or use batches of "
          "one",
          batch.samples.front().scene, first.width, first.height, sample.scene, image.width, image.height));
    }
  }
}

}  // namespace

TrainingLoader::TrainingLoader(LoaderOptions options)
    : TrainingLoader(options, LoaderState{options.seed, 0, 0}) {}

TrainingLoader::TrainingLoader(LoaderOptions options, const LoaderState& state)
    : options_(std::move(options)),
      order_(Size(options_.static_set), Size(options_.dynamic_set), options_.dynamic_ratio, options_.seed) {
  Check(options_);
  steps_per_epoch_ = StepsPerEpoch(options_);
  if (state.seed != options_.seed || state.epoch < 0 || state.position < 0 ||
      state.position >= steps_per_epoch_) {
    throw UsageError(
        fmt::format("the data position (seed {}, epoch {}, step {}) does not belong to this training (seed "
                    "{}, {} steps an epoch)",
                    state.seed, state.epoch, state.position, options_.seed, steps_per_epoch_));
  }
  step_ = static_cast<uint64_t>(state.epoch * steps_per_epoch_ + state.position);
  const auto batch = static_cast<uint64_t>(options_.batch_size);
  prefetcher_ = std::make_unique<Prefetcher<Sample>>([this](uint64_t local) { return Make(local); },
                                                     step_ * batch, UINT64_MAX, options_.threads,
                                                     options_.queued_batches * options_.batch_size);
}

int TrainingLoader::InputsOfStep(uint64_t step) const {
  Random random(options_.seed, fmt::format("inputs/{}", step));
  return options_.input_counts[random.Below(options_.input_counts.size())];
}

ViewOptions TrainingLoader::ViewOfStep(uint64_t step) const {
  ViewOptions view = options_.view;
  if (options_.sizes.empty()) return view;
  Random random(options_.seed, fmt::format("size/{}", step));
  const auto [width, height] = options_.sizes[random.Below(options_.sizes.size())];
  view.width = width;
  view.height = height;
  return view;
}

Sample TrainingLoader::TryScene(const Draw& draw, uint64_t n, uint64_t step) const {
  const TrainingSet& set = draw.dynamic ? options_.dynamic_set : options_.static_set;
  const SceneRecord scene = set.scenes->Read(draw.scene);
  // Views, and therefore the span they are drawn from, must not change within a refresh epoch.
  const int64_t every = options_.refresh_steps;
  const auto now = static_cast<int64_t>(step);
  const int64_t refresh = every > 0 ? now / every : static_cast<int64_t>(draw.pass);
  const SpanLimits span = set.span.At(every > 0 ? refresh * every : now);
  std::optional<ViewList> list = SelectViews(static_cast<int>(scene.frames.size()),
                                             ViewSampling{span, InputsOfStep(step), options_.targets},
                                             scene.name, refresh, options_.seed);
  if (!list) {
    throw FileError(scene.source.string(),
                    fmt::format("{} frames are too few for {} views over at least {} frames",
                                scene.frames.size(), InputsOfStep(step) + options_.targets, span.min));
  }
  Random random(options_.seed, fmt::format("augment/{}", n));
  const Augmentation drawn = DrawAugmentation(options_.augment, random);
  if (drawn.reverse) {
    std::reverse(list->inputs.begin(), list->inputs.end());
    std::reverse(list->targets.begin(), list->targets.end());
  }
  ViewOptions views = ViewOfStep(step);
  views.clean = views.masks = set.truth;
  Sample sample = LoadSample(scene, *list, views);
  sample.dynamic = draw.dynamic && !set.truth;
  if (set.truth) TakeTruth(scene, sample);
  sample.refresh_epoch = refresh;
  if (set.paste)
    Paste(*options_.pool, options_.paste, Random(options_.seed, fmt::format("paste/{}", n)), sample);
  if (options_.augment.Any()) AugmentSample(drawn, sample);
  return sample;
}

// Sample `local` of this rank; over all ranks it is number n.
Sample TrainingLoader::Make(uint64_t local) const {
  const auto batch = static_cast<uint64_t>(options_.batch_size);
  const uint64_t step = local / batch;
  const uint64_t n =
      (step * static_cast<uint64_t>(options_.world_size) + static_cast<uint64_t>(options_.rank)) * batch +
      local % batch;
  Draw draw = order_.At(n);
  std::vector<std::string> skipped;
  for (int attempt = 1;; ++attempt) {
    try {
      Sample sample = TryScene(draw, n, step);
      sample.skipped = std::move(skipped);
      return sample;
    } catch (const FileError& error) {
      skipped.emplace_back(error.what());
    }
    if (attempt == kAttempts) {
      throw Error(fmt::format("{} scenes in a row cannot be used for training; the last: {}", kAttempts,
                              skipped.back()));
    }
    Random random(options_.seed, fmt::format("replacement/{}/{}", n, attempt));
    draw.scene = random.Below(Size(draw.dynamic ? options_.dynamic_set : options_.static_set));
  }
}

Batch TrainingLoader::Next() {
  const auto steps = static_cast<uint64_t>(steps_per_epoch_);
  Batch batch;
  batch.epoch = static_cast<int64_t>(step_ / steps);
  batch.position = static_cast<int64_t>(step_ % steps);
  batch.inputs = InputsOfStep(step_);
  for (int i = 0; i < options_.batch_size; ++i) {
    batch.samples.push_back(*prefetcher_->Next());
    for (const std::string& problem : batch.samples.back().skipped) {
      ++skipped_;
      LogWarning("scene skipped: {}", problem);
    }
  }
  CheckSizes(batch);
  ++step_;
  return batch;
}

LoaderState TrainingLoader::state() const {
  const auto steps = static_cast<uint64_t>(steps_per_epoch_);
  return {options_.seed, static_cast<int64_t>(step_ / steps), static_cast<int64_t>(step_ % steps)};
}

EvaluationLoader::EvaluationLoader(std::shared_ptr<const SceneDataset> dataset, std::vector<size_t> scenes,
                                   const Options& options)
    : dataset_(std::move(dataset)),
      scenes_(std::move(scenes)),
      options_(options),
      prefetcher_(
          [this](uint64_t i) {
            const size_t index = scenes_[i];
            const SceneRecord scene = dataset_->Read(index);
            const ViewList list = ViewsToJudge(*dataset_, index, scene, options_.inputs, options_.targets);
            return LoadSample(scene, list, options_.view);
          },
          0, scenes_.size(), options.threads, options.queued) {}

Sample LoadSample(const SceneRecord& scene, const ViewList& list, const ViewOptions& options) {
  CheckViews(list, scene);
  std::vector<int> frames = list.inputs;
  frames.insert(frames.end(), list.targets.begin(), list.targets.end());
  Sample sample;
  sample.scene = scene.name;
  sample.list = list;
  sample.views = LoadViews(scene, frames, options);
  return sample;
}

}  // namespace wildrayzer
