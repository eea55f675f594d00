#include "wildrayzer/training/master_weights.h"

#include <map>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {

MasterWeights::MasterWeights(torch::nn::Module& module, Precision precision,
                             const std::function<bool(const std::string&)>& trains) {
  std::map<std::string, torch::Tensor> full;
  for (const auto& item : module.named_parameters()) full[item.key()] = item.value().detach();
  CastWeights(module, precision);
  for (const auto& item : module.named_parameters()) {
    torch::Tensor used = item.value();
    const bool trained = trains(item.key());
    used.set_requires_grad(trained);
    const bool same = used.scalar_type() == torch::kFloat32;
    torch::Tensor master = same ? used : full.at(item.key()).to(torch::kFloat32).clone();
    pairs_.push_back({item.key(), used, master, trained});
    if (!trained) continue;
    master.set_requires_grad(true);
    masters_.emplace_back(item.key(), master);
  }
}

std::vector<torch::Tensor> MasterWeights::used() const {
  std::vector<torch::Tensor> tensors;
  for (const Pair& pair : pairs_) {
    if (pair.trained) tensors.push_back(pair.used);
  }
  return tensors;
}

void MasterWeights::CollectGradients() {
  std::vector<torch::Tensor> rounded, full;
  for (Pair& pair : pairs_) {
    if (pair.used.is_same(pair.master) || !pair.used.grad().defined()) continue;
    rounded.push_back(pair.used.grad());
    full.push_back(torch::empty_like(pair.master, torch::requires_grad(false)));
  }
  CopyAll(full, rounded);
  size_t next = 0;
  for (Pair& pair : pairs_) {
    if (pair.used.is_same(pair.master) || !pair.used.grad().defined()) continue;
    const torch::Tensor& gradient = full[next++];
    if (pair.master.grad().defined()) {
      pair.master.mutable_grad().add_(gradient);
    } else {
      pair.master.mutable_grad() = gradient;
    }
    pair.used.mutable_grad().reset();
  }
}

void MasterWeights::Publish(bool frozen_too) {
  std::vector<torch::Tensor> to, from;
  for (const Pair& pair : pairs_) {
    if (pair.used.is_same(pair.master) || (!pair.trained && !frozen_too)) continue;
    to.push_back(pair.used);
    from.push_back(pair.master);
  }
  CopyAll(to, from);
}

NamedParameters MasterWeights::FullPrecision() const {
  NamedParameters all;
  for (const Pair& pair : pairs_) all.emplace_back(pair.name, pair.master);
  return all;
}

void MasterWeights::Restore(const NamedParameters& stored, const std::string& label) {
  const torch::NoGradGuard no_grad;
  CopyParameters(stored, FullPrecision(), label);
  // The frozen ones too: the module must compute with what it was restored to, whatever it began with.
  Publish(/*frozen_too=*/true);
}

void CopyParameters(const NamedParameters& from, const NamedParameters& to, const std::string& label) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> stored(from.begin(), from.end());
  for (const auto& [name, parameter] : to) {
    const auto found = stored.find(name);
    if (found == stored.end() || found->second.sizes() != parameter.sizes()) {
      throw FileError(label, "does not belong to this configuration: tensor '" + name +
                                 "' is missing or has another shape; give the configuration of that run");
    }
    torch::Tensor target = parameter;
    target.copy_(found->second);
    stored.erase(found);
  }
  if (!stored.empty()) {
    throw FileError(label, "does not belong to this configuration, which has no tensor '" +
                               stored.begin()->first + "'; give the configuration of that run");
  }
}

}  // namespace wildrayzer
