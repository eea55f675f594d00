#include "wildrayzer/kernels/replay.h"

#include <utility>

#ifdef WILDRAYZER_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/StreamGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "wildrayzer/util/log.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {

using torch::Tensor;

struct Replay::Recording {
  std::vector<Tensor> inputs;  // where the recorded operations read
  Tensor output;               // and write
#ifdef WILDRAYZER_CUDA
  at::cuda::CUDAGraph graph;
#endif
};

Replay::Replay(Function function) : function_(std::move(function)) {}
Replay::~Replay() = default;

// Streams through LibTorch's common interface: c10/cuda/CUDAGuard.h would have the program itself call the
// CUDA runtime, which only LibTorch knows where to find on a machine without the toolkit.
std::unique_ptr<Replay::Recording> Replay::Record([[maybe_unused]] const std::vector<Tensor>& inputs) {
#ifdef WILDRAYZER_CUDA
  auto recording = std::make_unique<Recording>();
  for (const Tensor& input : inputs) recording->inputs.push_back(input.clone());
  // Recording needs a stream of its own, which has to begin after what was done so far and end before what
  // follows.
  c10::cuda::getCurrentCUDAStream().unwrap().synchronize();
  const c10::StreamGuard guard(c10::cuda::getStreamFromPool().unwrap());
  bool capturing = false;
  try {
    function_(recording->inputs);  // makes what libraries keep, which must not be recorded
    c10::cuda::getCurrentCUDAStream().unwrap().synchronize();
    recording->graph.capture_begin();
    capturing = true;
    recording->output = function_(recording->inputs);
    capturing = false;
    recording->graph.capture_end();
    c10::cuda::getCurrentCUDAStream().unwrap().synchronize();
    return recording;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    LogWarning("this GPU work cannot be recorded and runs operation by operation: {}",
               text.substr(0, text.find('\n')));
    try {
      if (capturing) recording->graph.capture_end();
    } catch (const std::exception&) {  // of a recording that failed already
    }
  }
#endif
  return nullptr;
}

Tensor Replay::operator()(const std::vector<Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  if (inputs.empty() || !inputs[0].device().is_cuda()) return function_(inputs);
  const std::lock_guard lock(mutex_);
  if (++calls_ == 2) recording_ = Record(inputs);
  if (!recording_) return function_(inputs);
  CopyAll(recording_->inputs, inputs);
#ifdef WILDRAYZER_CUDA
  recording_->graph.replay();
#endif
  return recording_->output.clone();
}

}  // namespace wildrayzer
