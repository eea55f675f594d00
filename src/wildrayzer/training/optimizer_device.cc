#include "wildrayzer/training/optimizer_device.h"

#include <algorithm>
#include <map>
#include <utility>

#include "wildrayzer/training/muon.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

// The k-th matrix of a parameter that holds several, one below the other; shares its memory.
Tensor MatrixOf(const Tensor& parameter, int64_t k, int64_t matrices) {
  const int64_t rows = parameter.size(0) / matrices;
  return parameter.detach().narrow(0, k * rows, rows);
}

}  // namespace

DeviceUpdate::DeviceUpdate(const NamedParameters& parameters, const OptimizerOptions& options)
    : options_(options) {
  if (!kHasDeviceOperations) throw Error("training on a GPU needs LibTorch 2");
  if (parameters.empty()) return;
  const torch::TensorOptions here(parameters[0].second.device());
  for (size_t i = 0; i < parameters.size(); ++i)
    steps_.push_back(torch::zeros({}, here.dtype(torch::kFloat32)));
  counters_ = torch::zeros({3}, here.dtype(torch::kInt64));
}

Number DeviceUpdate::Norm(const std::vector<Tensor>& gradients) {
  std::vector<Tensor> defined;
  for (const Tensor& gradient : gradients) {
    if (gradient.defined()) defined.push_back(gradient);
  }
  if (defined.empty()) return 0.0;
  return Number(torch::stack(at::_foreach_norm(defined)).to(torch::kFloat64).norm());
}

DeviceUpdate::Decision DeviceUpdate::Decide(const Number& norm, const Number& loss) {
  // Either may be a constant of the processor, which operations take as it is.
  const Tensor size = torch::zeros_like(counters_[0], torch::kFloat64) + norm.tensor();
  const Tensor finite = size.isfinite().logical_and(loss.tensor().isfinite());
  const Tensor too_large = finite.logical_and(size > options_.skip_factor * options_.clip_norm);
  const Tensor applied = finite.logical_and(too_large.logical_not()).logical_and(size > 0.0);
  counters_.add_(torch::stack({applied, finite.logical_not(), too_large}).to(torch::kInt64));
  const Tensor scale = (options_.clip_norm / (size + 1e-6)).clamp_max(1.0).to(torch::kFloat32);
  // Of a gradient that is not finite nothing is used; the scale must not make its neighbours so.
  return {applied, torch::where(finite, scale, torch::ones_like(scale))};
}

StepResult DeviceUpdate::Step(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                              const std::vector<Tensor>& gradients, double rate, const Number& loss) {
  const torch::NoGradGuard no_grad;
  const Number norm = Norm(gradients);
  const Decision decision = Decide(norm, loss);
  UpdateMuon(parameters, slots, gradients, rate * options_.muon_rate_ratio, decision);
  UpdateAdamW(parameters, slots, gradients, rate, decision);
  return {Number(decision.applied), norm, Number(counters_.narrow(0, 1, 2))};
}

void DeviceUpdate::UpdateAdamW(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                               const std::vector<Tensor>& gradients, double rate, const Decision& decision) {
#if WILDRAYZER_TORCH_2
  struct Lists {
    std::vector<Tensor> weights, gradients, first, second, steps;
  };
  std::map<double, Lists> by_decay;
  const Tensor skipped = decision.applied.logical_not().to(torch::kFloat32);
  std::vector<Tensor> counted;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!gradients[i].defined()) continue;
    counted.push_back(steps_[i]);
    if (slots[i].muon) continue;
    Lists& lists = by_decay[slots[i].decay];
    lists.weights.push_back(parameters[i].second.detach());
    lists.gradients.push_back(gradients[i]);
    lists.first.push_back(slots[i].first);
    lists.second.push_back(slots[i].second);
    lists.steps.push_back(steps_[i]);
  }
  if (counted.empty()) return;
  at::_foreach_add_(counted, 1.0);
  for (auto& [decay, lists] : by_decay) {
    at::_fused_adamw_(lists.weights, lists.gradients, lists.first, lists.second, {}, lists.steps, rate,
                      options_.beta1, options_.beta2, decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false,
                      /*grad_scale=*/decision.gradient_scale.reciprocal(), /*found_inf=*/skipped);
  }
  at::_foreach_sub_(counted, std::vector<Tensor>(counted.size(), skipped));
#endif
}

void DeviceUpdate::UpdateMuon(const NamedParameters& parameters, const std::vector<OptimizerSlot>& slots,
                              const std::vector<Tensor>& gradients, double rate, const Decision& decision) {
  struct Matrices {
    std::vector<Tensor> weights, gradients, momenta;
    double decay = 0;
  };
  std::map<std::pair<int64_t, int64_t>, Matrices> by_shape;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!slots[i].muon || !gradients[i].defined()) continue;
    for (int64_t k = 0; k < slots[i].matrices; ++k) {
      const Tensor weight = MatrixOf(parameters[i].second, k, slots[i].matrices);
      Matrices& group = by_shape[{weight.size(0), weight.size(1)}];
      group.weights.push_back(weight);
      group.gradients.push_back(MatrixOf(gradients[i], k, slots[i].matrices));
      group.momenta.push_back(MatrixOf(slots[i].first, k, slots[i].matrices));
      group.decay = slots[i].decay;  // matrices all have the same
    }
  }
  for (auto& [shape, group] : by_shape) {
    const Tensor weights = torch::stack(group.weights), momenta = torch::stack(group.momenta);
    const Tensor gradient = torch::stack(group.gradients) * decision.gradient_scale;
    const Tensor momentum = options_.muon_momentum * momenta + gradient;
    const Tensor direction = options_.muon_nesterov ? gradient + options_.muon_momentum * momentum : momentum;
    const Tensor turned = Orthogonalize(direction, options_.muon_iterations,
                                        options_.muon_bf16 ? torch::kBFloat16 : torch::kFloat32);
    const double scale = MuonScaleOf(options_.muon_scale, shape.first, shape.second);
    const Tensor updated = (1.0 - rate * group.decay) * weights - rate * scale * turned;
    CopyAll(group.weights, torch::where(decision.applied, updated, weights).unbind(0));
    CopyAll(group.momenta, torch::where(decision.applied, momentum, momenta).unbind(0));
  }
}

std::vector<int64_t> DeviceUpdate::Steps() const {
  std::vector<int64_t> steps;
  if (steps_.empty()) return steps;
  const Tensor all = torch::stack(steps_).to(torch::kCPU);
  for (size_t i = 0; i < steps_.size(); ++i) steps.push_back(static_cast<int64_t>(all.data_ptr<float>()[i]));
  return steps;
}

StepCounters DeviceUpdate::Counters() const {
  if (!counters_.defined()) return {};
  const Tensor all = counters_.to(torch::kCPU);
  const int64_t* values = all.data_ptr<int64_t>();
  return {values[0], values[1], values[2]};
}

void DeviceUpdate::Restore(const std::vector<int64_t>& steps, const StepCounters& counters) {
  for (size_t i = 0; i < steps_.size(); ++i) steps_[i].fill_(static_cast<double>(steps.at(i)));
  if (!counters_.defined()) return;
  counters_.copy_(torch::tensor({counters.applied, counters.not_finite, counters.too_large}, torch::kInt64));
}

}  // namespace wildrayzer
