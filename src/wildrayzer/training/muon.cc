#include "wildrayzer/training/muon.h"

namespace wildrayzer {
namespace {

// beta a + alpha b c, of matrices or of stacks of them.
torch::Tensor AddProduct(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& c, double beta,
                         double alpha) {
  return a.dim() == 2 ? torch::addmm(a, b, c, beta, alpha) : torch::baddbmm(a, b, c, beta, alpha);
}

}  // namespace

torch::Tensor Orthogonalize(const torch::Tensor& matrices, int steps, torch::ScalarType dtype) {
  const torch::NoGradGuard no_grad;  // of this thread: the optimizer calls from its worker threads
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  const bool tall = matrices.size(-2) > matrices.size(-1);  // iterate on the smaller Gram matrix
  const torch::Tensor norm = matrices.square().sum({-2, -1}, /*keepdim=*/true).sqrt();
  torch::Tensor x = matrices.div(norm + 1e-7).to(dtype);
  if (tall) x = x.transpose(-2, -1).contiguous();
  for (int step = 0; step < steps; ++step) {
    const torch::Tensor gram = x.matmul(x.transpose(-2, -1));
    const torch::Tensor polynomial = AddProduct(gram, gram, gram, kB, kC);
    x = AddProduct(x, polynomial, x, kA, 1.0);
  }
  if (tall) x = x.transpose(-2, -1);
  return x.to(torch::kFloat32).contiguous();
}

}  // namespace wildrayzer
