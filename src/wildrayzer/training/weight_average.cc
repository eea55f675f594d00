#include "wildrayzer/training/weight_average.h"

#include <algorithm>
#include <vector>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/training/optimizer_kernels.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {

WeightAverage::WeightAverage(NamedParameters parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  for (const auto& [name, parameter] : parameters_)
    averages_.emplace_back(name, parameter.detach().clone(torch::MemoryFormat::Contiguous));
}

void WeightAverage::Update() {
  const double n = static_cast<double>(updates_++);
  const auto weight = static_cast<float>(std::min(decay_, (1.0 + n) / (10.0 + n)));
  if (!parameters_.empty() && !OnCpu(parameters_[0].second)) return UpdateOnDevice(weight);
  ParallelFor(static_cast<int64_t>(parameters_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const torch::Tensor& parameter = parameters_[i].second;
      Average(weight, parameter.numel(), parameter.data_ptr<float>(), averages_[i].second.data_ptr<float>());
    }
  });
}

void WeightAverage::UpdateOnDevice(double weight) {
#if WILDRAYZER_TORCH_2
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> averages, values;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    averages.push_back(averages_[i].second);
    values.push_back(parameters_[i].second.detach());
  }
  at::_foreach_lerp_(averages, values, 1.0 - weight);
#else
  throw Error("averaged weights on a GPU need LibTorch 2");
#endif
}

void WeightAverage::Swap() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const torch::Tensor trained = parameters_[i].second.detach().clone();
    parameters_[i].second.detach().copy_(averages_[i].second);
    averages_[i].second.copy_(trained);
  }
}

std::map<std::string, torch::Tensor> WeightAverage::ExportState() const {
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, average] : averages_) state["average/" + name] = average;
  state["updates"] = torch::tensor(updates_, torch::kInt64);
  return state;
}

void WeightAverage::ImportState(const std::map<std::string, torch::Tensor>& state, const std::string& label) {
  for (const auto& [name, like] : ExportState()) {
    const auto found = state.find(name);
    if (found == state.end()) throw FileError(label, "the averaged weights lack '" + name + "'");
    if (found->second.sizes() != like.sizes() || found->second.scalar_type() != like.scalar_type())
      throw FileError(label, "'" + name + "' of the averaged weights does not fit the model");
  }
  for (auto& [name, average] : averages_) average.copy_(state.at("average/" + name));
  updates_ = state.at("updates").item<int64_t>();
}

}  // namespace wildrayzer
