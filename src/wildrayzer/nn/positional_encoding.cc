#include "wildrayzer/nn/positional_encoding.h"

#include <cmath>
#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

torch::Tensor SinCos1d(int64_t dim, const torch::Tensor& positions) {
  if (dim <= 0 || dim % 2 != 0) {
    throw UsageError("a sine-cosine embedding needs a positive even width, not " + std::to_string(dim) +
                     ": choose another model width");
  }
  const int64_t half = dim / 2;
  const torch::Tensor exponents =
      torch::arange(half, torch::kFloat64) * (-std::log(10000.0) / static_cast<double>(half));
  const torch::Tensor angles =
      positions.detach().to(torch::kCPU, torch::kFloat64).reshape({-1, 1}) * exponents.exp().unsqueeze(0);
  return torch::cat({angles.sin(), angles.cos()}, 1).to(torch::kFloat32);
}

torch::Tensor SinCos1d(int64_t dim, int64_t count) {
  return SinCos1d(dim, torch::arange(count, torch::kFloat64));
}

torch::Tensor SinCos2d(int64_t dim, int64_t rows, int64_t columns) {
  if (dim <= 0 || dim % 4 != 0) {
    throw UsageError("a 2-D sine-cosine embedding needs a width that is a multiple of 4, not " +
                     std::to_string(dim) + ": choose another model width");
  }
  const torch::Tensor by_column = SinCos1d(dim / 2, columns).unsqueeze(0).expand({rows, columns, dim / 2});
  const torch::Tensor by_row = SinCos1d(dim / 2, rows).unsqueeze(1).expand({rows, columns, dim / 2});
  return torch::cat({by_column, by_row}, 2).reshape({rows * columns, dim});
}

torch::Tensor CodeCache::Get(const std::vector<int64_t>& sizes, torch::Device device,
                             const std::function<torch::Tensor()>& make) {
  constexpr size_t kMost = 16;  // numbers of views and sizes of pictures that alternate in practice
  const std::lock_guard lock(mutex_);
  const auto key = std::make_pair(sizes, device.str());
  const auto found = codes_.find(key);
  if (found != codes_.end()) return found->second;
  if (codes_.size() >= kMost) codes_.clear();
  const torch::NoGradGuard no_grad;
  return codes_[key] = make().to(device);
}

}  // namespace wildrayzer
