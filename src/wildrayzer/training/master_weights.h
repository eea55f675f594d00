// Mixed precision in training: the model computes with bfloat16 matrices, the optimizer works on float32
// masters of them (method.md section 6).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/models/weights.h"
#include "wildrayzer/nn/module.h"
#include "wildrayzer/training/optimizer.h"

namespace wildrayzer {

class MasterWeights {
 public:
  // The parameters of `module` (float32 now) whose names `trains` accepts are trained; the others are frozen
  // (no gradient is recorded for them). Then the module is cast to `precision` (CastWeights): a matrix that
  // becomes bfloat16 gets a float32 master, any other parameter is its own master.
  MasterWeights(torch::nn::Module& module, Precision precision,
                const std::function<bool(const std::string& name)>& trains);

  // What the optimizer updates: float32, in state-dict order.
  const NamedParameters& masters() const { return masters_; }

  // The module's own tensors of the same parameters, in the same order.
  std::vector<torch::Tensor> used() const;

  // Adds the module's gradients to the masters' and drops the module's: after every backward pass, so that
  // accumulation over passes is in float32.
  void CollectGradients();

  // Rounds the masters of what is trained to the module's precision: after every update.
  void Publish() { Publish(/*frozen_too=*/false); }

  // All parameters of the module in float32, trained or not: what checkpoints hold.
  NamedParameters FullPrecision() const;
  // Puts other values in their place, frozen ones too, and publishes all. FileError naming `label` and the
  // tensor when one is missing, unknown or of another shape.
  void Restore(const NamedParameters& stored, const std::string& label);

 private:
  void Publish(bool frozen_too);

  struct Pair {
    std::string name;
    torch::Tensor used;    // the module's parameter
    torch::Tensor master;  // float32; the same tensor if the module computes in float32
    bool trained;
  };
  std::vector<Pair> pairs_;  // of all parameters
  NamedParameters masters_;
};

// Copies `from` into `to`, name by name. FileError naming `label` and the tensor unless both have the same
// names and shapes.
void CopyParameters(const NamedParameters& from, const NamedParameters& to, const std::string& label);

}  // namespace wildrayzer
