#include "wildrayzer/nn/grid.h"

namespace wildrayzer {

torch::Tensor GridCentres(int64_t rows, int64_t columns, torch::Device device) {
  const auto centres = [&](int64_t count) {
    return (torch::arange(count, torch::TensorOptions(device).dtype(torch::kFloat32)) + 0.5) /
           static_cast<double>(count);
  };
  const torch::Tensor v = centres(rows), u = centres(columns);
  return torch::stack({u.unsqueeze(0).expand({rows, columns}), v.unsqueeze(1).expand({rows, columns})}, -1)
      .reshape({rows * columns, 2});
}

}  // namespace wildrayzer
