#include "wildrayzer/kernels/norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/norm_kernels.h"
#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

using testing::RelativeError;

// The definitions in double precision.
Tensor LayerReference(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const Tensor centred = x - x.mean(-1, true);
  const Tensor y = centred / (centred.square().mean(-1, true) + eps).sqrt() * weight;
  return bias.defined() ? y + bias : y;
}
Tensor RmsReference(const Tensor& x, const Tensor& weight, double eps) {
  return x / (x.square().mean(-1, true) + eps).sqrt() * weight;
}

Tensor Leaf(const Tensor& x, torch::ScalarType type) {
  return x.detach().to(type).clone().set_requires_grad(true);
}

struct NormCase {
  torch::ScalarType type;
  double tolerance;  // float32 sums of up to 800 terms; one rounding to 8 bits of mantissa
};
const NormCase kCases[] = {{torch::kFloat32, 2e-6}, {torch::kBFloat16, 4e-3}};

TEST(LayerNormalize, ValuesAndGradientsMatchTheDefinition) {
  torch::manual_seed(1);
  for (const NormCase& c : kCases) {
    for (const int64_t size : {3, 7, 16, 37, 768}) {
      for (const bool with_bias : {false, true}) {
        const Tensor x = Leaf(torch::randn({3, 41, size}) * 3 + 1, c.type);
        const Tensor weight = Leaf(torch::randn({size}), torch::kFloat32);
        const Tensor bias = with_bias ? Leaf(torch::randn({size}), torch::kFloat32) : Tensor();
        const Tensor out_grad = torch::randn({3, 41, size}).to(c.type);
        LayerNormalize(x, weight, bias, 1e-3, c.type).backward(out_grad);

        const Tensor xd = Leaf(x, torch::kFloat64), wd = Leaf(weight, torch::kFloat64);
        const Tensor bd = with_bias ? Leaf(bias, torch::kFloat64) : Tensor();
        const Tensor expected = LayerReference(xd, wd, bd, 1e-3);
        expected.backward(out_grad.to(torch::kFloat64));
        const torch::NoGradGuard no_grad;
        const Tensor got = LayerNormalize(x, weight, bias, 1e-3, c.type);
        EXPECT_EQ(got.scalar_type(), c.type);
        EXPECT_LT(RelativeError(got, expected), c.tolerance) << size;
        EXPECT_LT(RelativeError(x.grad(), xd.grad()), c.tolerance) << size;
        EXPECT_LT(RelativeError(weight.grad(), wd.grad()), 4e-6) << size;
        if (with_bias) {
          EXPECT_LT(RelativeError(bias.grad(), bd.grad()), 4e-6) << size;
        }
      }
    }
  }
}

TEST(LayerNormalize, WritesTheTypeThatIsAskedFor) {
  torch::manual_seed(2);
  const Tensor x = Leaf(torch::randn({5, 48}), torch::kFloat32);
  const Tensor weight = Leaf(torch::randn({48}), torch::kFloat32);
  const Tensor y = LayerNormalize(x, weight, {}, 1e-5, torch::kBFloat16);
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  // Rounding is the same as that of a cast afterwards.
  EXPECT_TRUE(torch::equal(y, LayerNormalize(x, weight, {}, 1e-5, torch::kFloat32).to(torch::kBFloat16)));
  y.backward(torch::ones_like(y));
  EXPECT_EQ(x.grad().scalar_type(), torch::kFloat32);
}

TEST(LayerNormalize, ReadsTensorsThatAreNotContiguous) {
  torch::manual_seed(3);
  const Tensor wide = torch::randn({4, 32, 9});
  const Tensor weight = torch::randn({32});
  EXPECT_TRUE(
      torch::equal(LayerNormalize(wide.transpose(1, 2), weight, {}, 1e-5, torch::kFloat32),
                   LayerNormalize(wide.transpose(1, 2).contiguous(), weight, {}, 1e-5, torch::kFloat32)));
}

TEST(RmsNormalize, ValuesAndGradientsMatchTheDefinition) {
  torch::manual_seed(4);
  for (const NormCase& c : kCases) {
    const Tensor x = Leaf(torch::randn({2, 50, 3, 32}) * 2 + 0.5, c.type);
    const Tensor weight = Leaf(torch::randn({32}), torch::kFloat32);
    const Tensor out_grad = torch::randn(x.sizes()).to(c.type);
    const Tensor got = RmsNormalize(x, weight, 1e-3);
    got.backward(out_grad);
    const Tensor xd = Leaf(x, torch::kFloat64), wd = Leaf(weight, torch::kFloat64);
    const Tensor expected = RmsReference(xd, wd, 1e-3);
    expected.backward(out_grad.to(torch::kFloat64));
    EXPECT_LT(RelativeError(got.detach(), expected.detach()), c.tolerance);
    EXPECT_LT(RelativeError(x.grad(), xd.grad()), c.tolerance);
    EXPECT_LT(RelativeError(weight.grad(), wd.grad()), 4e-6);
  }
}

TEST(NormalizeQueriesAndKeys, ValuesAndGradientsMatchTheDefinition) {
  torch::manual_seed(5);
  constexpr int64_t kHeads = 3, kSize = 16;
  for (const NormCase& c : kCases) {
    const Tensor qkv = Leaf(torch::randn({2, 75, 3 * kHeads * kSize}), c.type);
    const Tensor q_weight = Leaf(torch::randn({kSize}), torch::kFloat32);
    const Tensor k_weight = Leaf(torch::randn({kSize}), torch::kFloat32);
    const std::vector<Tensor> weights = {torch::randn({2, 75, kHeads, kSize}).to(c.type),
                                         torch::randn({2, 75, kHeads, kSize}).to(c.type),
                                         torch::randn({2, 75, kHeads, kSize}).to(c.type)};
    const AttentionOperands got = NormalizeQueriesAndKeys(qkv, q_weight, k_weight, 1e-5);
    ((got.q * weights[0]).sum() + (got.k * weights[1]).sum() + (got.v * weights[2]).sum()).backward();

    const Tensor wide = Leaf(qkv, torch::kFloat64);
    const Tensor qd = Leaf(q_weight, torch::kFloat64), kd = Leaf(k_weight, torch::kFloat64);
    const auto parts = wide.chunk(3, -1);
    const auto heads = [](const Tensor& flat) { return flat.view({2, 75, kHeads, kSize}); };
    const Tensor q = RmsReference(heads(parts[0]), qd, 1e-5), k = RmsReference(heads(parts[1]), kd, 1e-5);
    ((q * weights[0]).sum() + (k * weights[1]).sum() + (heads(parts[2]) * weights[2]).sum()).backward();
    EXPECT_LT(RelativeError(got.q.detach(), q.detach()), c.tolerance);
    EXPECT_LT(RelativeError(got.k.detach(), k.detach()), c.tolerance);
    EXPECT_EQ(RelativeError(got.v.detach(), heads(parts[2]).detach()), 0.0);
    EXPECT_LT(RelativeError(qkv.grad(), wide.grad()), c.tolerance);
    EXPECT_LT(RelativeError(q_weight.grad(), qd.grad()), 4e-6);
    EXPECT_LT(RelativeError(k_weight.grad(), kd.grad()), 4e-6);
  }
}

TEST(NormalizeQueriesAndKeys, ValuesAloneHaveAGradientToo) {
  const Tensor qkv = Leaf(torch::randn({1, 4, 48}), torch::kFloat32);
  const Tensor weight = torch::ones({16});
  NormalizeQueriesAndKeys(qkv, weight, weight, 1e-5).v.sum().backward();
  EXPECT_EQ(qkv.grad().narrow(2, 0, 32).abs().sum().item<float>(), 0.0f);
  EXPECT_EQ(qkv.grad().narrow(2, 32, 16).sum().item<float>(), 64.0f);
}

TEST(NormalizeQueriesAndKeys, ValuesLieWhereTheyLay) {
  const Tensor weight = torch::ones({16});
  for (const bool differentiate : {false, true}) {
    const Tensor qkv = torch::randn({2, 4, 96}).set_requires_grad(differentiate);
    const Tensor v = NormalizeQueriesAndKeys(qkv, weight, weight, 1e-5).v;
    EXPECT_EQ(v.data_ptr<float>(), qkv.data_ptr<float>() + 64) << differentiate;  // no copy
    EXPECT_EQ(v.requires_grad(), differentiate);
  }
}

TEST(NormKernels, AllInstructionSetsAgree) {
  torch::manual_seed(6);
  constexpr int64_t kRows = 9, kSize = 53;
  const Tensor x = torch::randn({kRows, kSize}), grad = torch::randn({kRows, kSize});
  const Tensor weight = torch::randn({kSize});
  const auto run = [&](const NormKernels& kernels) {
    const Tensor y = torch::empty({kRows, kSize}), grad_x = torch::empty({kRows, kSize});
    const Tensor mean = torch::empty({kRows}), inverse = torch::empty({kRows});
    const Tensor grad_weight = torch::zeros({kSize}), scratch = torch::empty({2 * kSize});
    const RowsIn rows{x.data_ptr(), kSize, false};
    kernels.forward({rows,
                     {y.data_ptr(), kSize, false},
                     weight.data_ptr<float>(),
                     nullptr,
                     kRows,
                     kSize,
                     1e-5f,
                     true,
                     mean.data_ptr<float>(),
                     inverse.data_ptr<float>()},
                    scratch.data_ptr<float>());
    kernels.backward({{grad.data_ptr(), kSize, false},
                      rows,
                      {grad_x.data_ptr(), kSize, false},
                      weight.data_ptr<float>(),
                      kRows,
                      kSize,
                      true,
                      mean.data_ptr<float>(),
                      inverse.data_ptr<float>(),
                      grad_weight.data_ptr<float>(),
                      nullptr,
                      scratch.data_ptr<float>()});
    return torch::cat({y.flatten(), grad_x.flatten(), grad_weight});
  };
  const Tensor portable = run(*kPortableNorm);
  const SimdLevel level = AvailableSimd();
  // Sums in another order, nothing else.
  if (level >= SimdLevel::kAvx2 && kAvx2Norm != nullptr) {
    EXPECT_LT(RelativeError(run(*kAvx2Norm), portable), 1e-6);
  }
  if (level >= SimdLevel::kAvx512 && kAvx512Norm != nullptr) {
    EXPECT_LT(RelativeError(run(*kAvx512Norm), portable), 1e-6);
  }
}

}  // namespace
}  // namespace wildrayzer
