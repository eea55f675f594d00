// What a function does on a GPU, recorded once and played again and again (CUDA graphs): for work that
// consists of so many small operations that starting them takes longer than doing them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

class Replay {
 public:
  using Function = std::function<torch::Tensor(const std::vector<torch::Tensor>& inputs)>;

  // function: of inputs whose shapes and types never change; whatever else it reads must stay where it is as
  // long as this object lives, and it must not wait for the GPU. Records no gradient.
  explicit Replay(Function function);
  ~Replay();

  // On the processor, and the first time, the function itself. The second call records it, the others play.
  // Where it cannot be recorded, a warning says so and it is always called. One caller at a time; others
  // wait.
  torch::Tensor operator()(const std::vector<torch::Tensor>& inputs);

 private:
  struct Recording;
  // Null, after a warning, when it cannot be recorded.
  std::unique_ptr<Recording> Record(const std::vector<torch::Tensor>& inputs);

  Function function_;
  std::mutex mutex_;
  int calls_ = 0;
  std::unique_ptr<Recording> recording_;
};

}  // namespace wildrayzer
