#include "wildrayzer/evaluation/floors.h"

#include <cstdlib>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

size_t NearestView(std::span<const int> inputs, int target) {
  if (inputs.empty()) throw Error("there is no input view");
  size_t best = 0;
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (std::abs(inputs[i] - target) < std::abs(inputs[best] - target)) best = i;
  }
  return best;
}

Planes MeanOfViews(std::span<const Planes> inputs) {
  if (inputs.empty()) throw Error("there is no input view");
  Planes mean = inputs[0];
  for (size_t v = 1; v < inputs.size(); ++v) {
    CheckComparable(inputs[v], mean, "mean of the inputs");
    for (size_t i = 0; i < mean.values.size(); ++i) mean.values[i] += inputs[v].values[i];
  }
  for (float& value : mean.values) value /= static_cast<float>(inputs.size());
  return mean;
}

}  // namespace wildrayzer
