#include "wildrayzer/training/number.h"

namespace wildrayzer {

std::map<std::string, double> Read(const Numbers& numbers) {
  // Those of the processor are constants; the others travel together.
  std::vector<torch::Tensor> on_device;
  for (const auto& [name, number] : numbers) {
    if (!number.tensor().device().is_cpu()) on_device.push_back(number.tensor());
  }
  const torch::Tensor fetched = on_device.empty() ? torch::Tensor() : torch::stack(on_device).to(torch::kCPU);
  std::map<std::string, double> values;
  int64_t next = 0;
  for (const auto& [name, number] : numbers) {
    values[name] =
        number.tensor().device().is_cpu() ? static_cast<double>(number) : fetched.data_ptr<double>()[next++];
  }
  return values;
}

}  // namespace wildrayzer
