#include "wildrayzer/training/weight_average.h"

#include <algorithm>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/training/optimizer_kernels.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

WeightAverage::WeightAverage(NamedParameters parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  for (const auto& [name, parameter] : parameters_)
    averages_.emplace_back(name, parameter.detach().clone(torch::MemoryFormat::Contiguous));
}

void WeightAverage::Update() {
  const double n = static_cast<double>(updates_++);
  const auto weight = static_cast<float>(std::min(decay_, (1.0 + n) / (10.0 + n)));
  ParallelFor(static_cast<int64_t>(parameters_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const torch::Tensor& parameter = parameters_[i].second;
      Average(weight, parameter.numel(), parameter.data_ptr<float>(), averages_[i].second.data_ptr<float>());
    }
  });
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
