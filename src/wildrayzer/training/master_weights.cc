#include "wildrayzer/training/master_weights.h"

#include <map>

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
    all_.emplace_back(item.key(), master);
    if (!trained) continue;
    master.set_requires_grad(true);
    pairs_.push_back({used, master});
    masters_.emplace_back(item.key(), master);
  }
}

std::vector<torch::Tensor> MasterWeights::used() const {
  std::vector<torch::Tensor> tensors;
  for (const Pair& pair : pairs_) tensors.push_back(pair.used);
  return tensors;
}

void MasterWeights::CollectGradients() {
  for (Pair& pair : pairs_) {
    if (pair.used.is_same(pair.master) || !pair.used.grad().defined()) continue;
    const torch::Tensor gradient = pair.used.grad().to(torch::kFloat32);
    if (pair.master.grad().defined()) {
      pair.master.mutable_grad().add_(gradient);
    } else {
      pair.master.mutable_grad() = gradient;
    }
    pair.used.mutable_grad().reset();
  }
}

void MasterWeights::Publish() {
  const torch::NoGradGuard no_grad;
  for (Pair& pair : pairs_) {
    if (!pair.used.is_same(pair.master)) pair.used.copy_(pair.master);
  }
}

NamedParameters MasterWeights::FullPrecision() const { return all_; }

}  // namespace wildrayzer
