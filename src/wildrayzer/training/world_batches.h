// The stream of worlds that training learns from, drawn ahead of time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/training/train_config.h"
#include "wildrayzer/training/world_batch.h"
#include "wildrayzer/training/worlds_on_device.h"

namespace wildrayzer {

class WorldBatches {
 public:
  // Begins with the batches of update `step`. Reads the textures.
  WorldBatches(const TrainConfig& config, int64_t step);

  // The next batch, on the configuration's device. It depends only on (configuration, seed, rank, its
  // number); of a run with a time budget also on SetProgress.
  WorldBatch Next();

  // Of a run with a time budget: how far it has come, for what changes over the run. Without one the number
  // of the batch tells.
  void SetProgress(double progress) { progress_ = progress; }

 private:
  // Worlds, and for the processor their pictures.
  struct Drawn {
    std::vector<World> worlds;
    torch::Tensor draws;
    FrameShape shape;
    WorldBatch batch;  // undefined tensors until it is rendered
  };
  Drawn Draw(uint64_t number) const;
  WorldBatch Render(const Drawn& drawn) const;

  WorldTraining options_;
  std::vector<FrameShape> shapes_;
  int patch_;
  uint64_t seed_, rank_, world_size_;
  double batches_;  // of the whole run; 0: it has a time budget
  torch::Device device_;
  std::atomic<double> progress_ = 0;
  TextureBank bank_;
  WorldRenderer renderer_;
  std::unique_ptr<Prefetcher<std::shared_ptr<Drawn>>> prefetcher_;  // last: its threads use the others
};

}  // namespace wildrayzer
