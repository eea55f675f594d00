#include "wildrayzer/training/virtual_batches.h"

#include <algorithm>
#include <limits>
#include <string>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr int kPicturesOfAScene = 4;

std::vector<PicturePyramid> ReadPictures(const SceneDataset& scenes, const ViewOptions& view, int count,
                                         uint64_t seed) {
  std::vector<PicturePyramid> pictures;
  Random random(seed, "pictures of virtual worlds");
  const auto wanted = static_cast<size_t>(count);
  for (size_t i = 0; i < scenes.size() && pictures.size() < wanted; ++i) {
    try {
      const SceneRecord scene = scenes.Read(i);
      std::vector<int> frames;
      for (int k = 0; k < kPicturesOfAScene && !scene.frames.empty(); ++k) {
        frames.push_back(static_cast<int>(random.Below(scene.frames.size())));
      }
      for (const View& loaded : LoadViews(scene, frames, view)) pictures.emplace_back(loaded.image);
    } catch (const FileError& error) {
      LogWarning("{}", error.what());
    }
  }
  if (pictures.empty())
    throw UsageError("no picture of the static training set can be read for virtual worlds");
  return pictures;
}

}  // namespace

VirtualBatches::VirtualBatches(const TrainConfig& config, int64_t step)
    : options_(config.warmup),
      seed_(config.seed),
      rank_(static_cast<uint64_t>(config.loader.rank)),
      world_size_(static_cast<uint64_t>(config.loader.world_size)),
      accumulation_(config.accumulation) {
  if (!config.loader.static_set.scenes) {
    throw UsageError(
        "the camera warm-up papers its worlds with pictures of the static training set: set "
        "training.static_re10k_path or training.dataset_path");
  }
  world_.width = config.loader.view.width;
  world_.height = config.loader.view.height;
  world_.patch = config.loader.view.patch;
  pictures_ = ReadPictures(*config.loader.static_set.scenes, config.loader.view, options_.pictures, seed_);
  const auto first = static_cast<uint64_t>(step * accumulation_);
  prefetcher_ = std::make_unique<Prefetcher<WarmupBatch>>([this](uint64_t number) { return Make(number); },
                                                          first, std::numeric_limits<uint64_t>::max(),
                                                          std::max(1, config.loader.threads), /*capacity=*/3);
}

WarmupBatch VirtualBatches::Make(uint64_t number) const {
  VirtualWorldOptions world = world_;
  // All ranks and scenes of a step have the same number of views.
  Random shared(seed_, "virtual views " + std::to_string(number));
  world.views =
      options_.min_views +
      static_cast<int>(shared.Below(static_cast<uint64_t>(options_.views - options_.min_views + 1)));
  const int most = std::max(2, std::min(options_.max_inputs, world.views - 1));
  const auto inputs = static_cast<int64_t>(2 + shared.Below(static_cast<uint64_t>(most - 1)));
  const double progress = options_.motion_steps > 0
                              ? std::min(1.0, static_cast<double>(number) /
                                                  static_cast<double>(options_.motion_steps * accumulation_))
                              : 1.0;
  world.motion = options_.start_motion + (1.0 - options_.start_motion) * progress;
  world.min_overlap = options_.min_overlap;
  std::vector<VirtualScene> scenes;
  std::vector<bool> at_truth;
  for (int i = 0; i < options_.scenes; ++i) {
    const uint64_t scene =
        (number * world_size_ + rank_) * static_cast<uint64_t>(options_.scenes) + static_cast<uint64_t>(i);
    Random random(seed_, "virtual scene " + std::to_string(scene));
    scenes.push_back(MakeVirtualScene(pictures_, world, random));
    at_truth.push_back(random.Uniform() < options_.true_cameras);
  }
  WarmupBatch batch = ToTensors(scenes);
  batch.inputs = inputs;
  for (size_t i = 0; i < at_truth.size(); ++i) {
    if (!at_truth[i]) batch.render_true_camera[static_cast<int64_t>(i)].fill_(false);
  }
  return batch;
}

WarmupBatch VirtualBatches::Next() { return *prefetcher_->Next(); }

}  // namespace wildrayzer
