#include "wildrayzer/training/world_batches.h"

#include <algorithm>
#include <limits>
#include <string>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/threads.h"

namespace wildrayzer {
namespace {

constexpr int kDrawnAhead = 3;  // batches beyond those that the threads are drawing

}  // namespace

WorldBatches::WorldBatches(const TrainConfig& config, int64_t step)
    : options_(config.worlds),
      shapes_(config.model.TrainingShapes()),
      patch_(static_cast<int>(config.model.patch)),
      seed_(config.seed),
      rank_(static_cast<uint64_t>(config.loader.rank)),
      world_size_(static_cast<uint64_t>(config.loader.world_size)),
      batches_(config.time_budget > 0
                   ? 0.0
                   : static_cast<double>(config.schedule.total_steps * config.accumulation)),
      device_(config.device),
      bank_(TextureBank::Make(config.worlds.textures, config.seed, NumThreads())),
      renderer_(bank_, config.device, 1) {
  const auto first = static_cast<uint64_t>(step * config.accumulation);
  const int threads = std::max(1, config.loader.threads);
  prefetcher_ = std::make_unique<Prefetcher<std::shared_ptr<Drawn>>>(
      [this](uint64_t number) {
        auto drawn = std::make_shared<Drawn>(Draw(number));
        // A GPU renders in its own order, between the steps.
        if (device_.is_cpu()) drawn->batch = Render(*drawn);
        return drawn;
      },
      first, std::numeric_limits<uint64_t>::max(), threads, threads - 1 + kDrawnAhead);
}

WorldBatches::Drawn WorldBatches::Draw(uint64_t number) const {
  // All ranks and worlds of a step have the same shape and numbers of views.
  Random shared(seed_, "views of worlds " + std::to_string(number));
  Drawn drawn;
  drawn.shape = shapes_[shared.Below(shapes_.size())];
  WorldOptions world = options_.drawn;
  world.width = drawn.shape.columns * patch_;
  world.height = drawn.shape.rows * patch_;
  world.views =
      options_.min_views +
      static_cast<int>(shared.Below(static_cast<uint64_t>(options_.views - options_.min_views + 1)));
  const int most = std::max(2, std::min(options_.max_inputs, world.views - 1));
  world.inputs = 2 + static_cast<int>(shared.Below(static_cast<uint64_t>(most - 1)));
  const double progress =
      batches_ > 0 ? std::min(1.0, static_cast<double>(number) / batches_) : progress_.load();
  world.min_overlap = options_.min_overlap.At(progress);
  world.motion = options_.motion.At(progress);
  drawn.draws = torch::empty({options_.scenes, 2});
  float* draws = drawn.draws.data_ptr<float>();
  for (int i = 0; i < options_.scenes; ++i) {
    const uint64_t index =
        (number * world_size_ + rank_) * static_cast<uint64_t>(options_.scenes) + static_cast<uint64_t>(i);
    const uint64_t which = options_.distinct > 0 ? index % static_cast<uint64_t>(options_.distinct) : index;
    Random random(seed_, "world " + std::to_string(which));
    drawn.worlds.push_back(DrawWorld(bank_, world, random));
    Random choice(seed_, "truth of world " + std::to_string(index));
    for (int k = 0; k < 2; ++k) *draws++ = static_cast<float>(choice.Uniform());
  }
  return drawn;
}

WorldBatch WorldBatches::Render(const Drawn& drawn) const {
  WorldBatch batch;
  static_cast<WorldTensors&>(batch) =
      renderer_.Render(drawn.worlds, {drawn.shape.columns * patch_, drawn.shape.rows * patch_, patch_});
  batch.draws = Upload(drawn.draws, device_);
  batch.inputs = drawn.worlds[0].inputs;
  batch.patch = patch_;
  return batch;
}

WorldBatch WorldBatches::Next() {
  const std::shared_ptr<Drawn> drawn = *prefetcher_->Next();
  return drawn->batch.images.defined() ? drawn->batch : Render(*drawn);
}

}  // namespace wildrayzer
