// Data parallel training: every process has the whole model and a share of the batch; gradients are averaged
// (LibTorch's c10d). What lies in the processor's memory travels by Gloo over TCP, what lies on a GPU by
// NCCL.
//
// With one process nothing happens and no socket is opened. Every process must make the same calls in the
// same order. A call that cannot reach another process (it ended, or was silent for the timeout) throws an
// Error of one line; the group is of no use afterwards, and the run goes on from its last checkpoint.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wildrayzer/training/optimizer.h"
#include "wildrayzer/training/process_environment.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct ProcessGroupOptions {
  // How long to wait for the others, when they start and in every call. A process that validates or makes
  // labels while the others wait must be done by then.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  // Gradients are exchanged in pieces of about this size, two at a time, while the next ones are gathered.
  int64_t bucket_bytes = 4 << 20;
};

class ProcessGroup {
 public:
  // Meets the other processes. Error when they do not come within the timeout, or when the address cannot be
  // listened on.
  // device: where this process computes; a GPU of its own, or the processor in all of them. Error for a GPU
  // in a build without NCCL.
  explicit ProcessGroup(const ProcessEnvironment& environment, torch::Device device = torch::kCPU,
                        const ProcessGroupOptions& options = {});
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return environment_.rank; }
  int local_rank() const { return environment_.local_rank; }
  int world_size() const { return environment_.world_size; }
  // Writes files and talks: rank 0.
  bool is_main() const { return environment_.rank == 0; }

  // Replaces the gradients of float32 parameters (the same ones, in the same order, in all processes) by
  // their mean over the processes; no gradient counts as zero, unless no process has one. The same bits
  // everywhere. Gradients then look into buffers of this object, which the next call overwrites. With
  // gradient accumulation call it once, after the last backward pass.
  void AverageGradients(const NamedParameters& parameters);

  // Copies rank 0's values into everybody's tensors (any type; the same shapes everywhere).
  void Broadcast(const std::vector<torch::Tensor>& tensors);

  // Mean over the processes of a number of a step, where it is; waits for nothing.
  Number Mean(const Number& value);

  // Sums over the processes, element by element, of what the processor knows.
  std::vector<double> AllReduceSum(const std::vector<double>& values);

  // Returns when all processes have called it.
  void Barrier();

 private:
  struct Connection;
  struct Bucket {
    size_t first;  // parameters [first, last)
    size_t last;
    torch::Tensor flat;
  };

  void Connect();
  void MakeBuckets(const NamedParameters& parameters);
  // Which parameters have a gradient in some process.
  std::vector<bool> HaveGradients(const NamedParameters& parameters);
  // Runs a step of the exchange and turns what LibTorch throws into an Error of one line.
  void Exchange(const char* what, const std::function<void()>& step);

  ProcessEnvironment environment_;
  torch::Device device_;
  ProcessGroupOptions options_;
  std::vector<int64_t> layout_;  // sizes of the parameters that the buckets were made for
  std::vector<Bucket> buckets_;
  std::unique_ptr<Connection> connection_;  // null with one process
};

}  // namespace wildrayzer
