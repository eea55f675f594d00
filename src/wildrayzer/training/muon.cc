#include "wildrayzer/training/muon.h"

namespace wildrayzer {

torch::Tensor Orthogonalize(const torch::Tensor& matrix, int steps, torch::ScalarType dtype) {
  const torch::NoGradGuard no_grad;  // of this thread: the optimizer calls from its worker threads
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  const bool tall = matrix.size(0) > matrix.size(1);  // iterate on the smaller Gram matrix
  const double norm = matrix.norm().item<double>();
  torch::Tensor x = matrix.div(norm + 1e-7).to(dtype);
  if (tall) x = x.t().contiguous();
  for (int step = 0; step < steps; ++step) {
    const torch::Tensor gram = x.mm(x.t());
    const torch::Tensor polynomial = torch::addmm(gram, gram, gram, /*beta=*/kB, /*alpha=*/kC);
    x = torch::addmm(x, polynomial, x, /*beta=*/kA, /*alpha=*/1.0);
  }
  if (tall) x = x.t();
  return x.to(torch::kFloat32).contiguous();
}

}  // namespace wildrayzer
