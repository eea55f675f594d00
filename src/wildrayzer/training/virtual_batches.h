// The stream of virtual worlds of the camera warm-up, drawn ahead of time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/data/virtual_worlds.h"
#include "wildrayzer/training/camera_warmup.h"
#include "wildrayzer/training/train_config.h"

namespace wildrayzer {

class VirtualBatches {
 public:
  // Begins with the batches of update `step`. The worlds are papered with pictures of the static training
  // set; a picture that cannot be read is passed over with a warning, and FileError is raised when none can.
  VirtualBatches(const TrainConfig& config, int64_t step);

  // The next batch, which depends only on (configuration, seed, rank, its number).
  WarmupBatch Next();

 private:
  WarmupBatch Make(uint64_t number) const;

  CameraWarmupOptions options_;
  VirtualWorldOptions world_;
  uint64_t seed_;
  uint64_t rank_, world_size_;
  int64_t accumulation_;
  std::vector<PicturePyramid> pictures_;
  std::unique_ptr<Prefetcher<WarmupBatch>> prefetcher_;  // last member: its threads use the others
};

}  // namespace wildrayzer
