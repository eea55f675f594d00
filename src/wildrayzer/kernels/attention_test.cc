#include "wildrayzer/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "wildrayzer/kernels/attention_paths.h"
#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

constexpr auto kDouble = torch::kFloat64;

struct Shape {
  int64_t batch, heads, queries, keys, head_size;
};

// Odd sizes, single tokens, block sizes (96 rows, 192 keys, panels of 8, 16 and 64) and their neighbours.
const std::vector<Shape> kShapes = {{1, 1, 1, 1, 64},    {2, 3, 7, 5, 32},     {1, 2, 97, 193, 64},
                                    {1, 2, 96, 192, 64}, {1, 1, 95, 191, 128}, {2, 2, 13, 261, 128},
                                    {1, 3, 200, 65, 64}, {1, 1, 5, 400, 8},    {1, 1, 33, 17, 20},
                                    {1, 1, 50, 385, 65}, {3, 1, 1, 1000, 16}};

struct AttentionInputs {
  torch::Tensor q, k, v;
};

AttentionInputs RandomInputs(const Shape& s, uint64_t seed, torch::ScalarType dtype = torch::kFloat32,
                             double spread = 1.0) {
  torch::manual_seed(seed);
  return {torch::randn({s.batch, s.heads, s.queries, s.head_size}).mul(spread).to(dtype),
          torch::randn({s.batch, s.heads, s.keys, s.head_size}).to(dtype),
          torch::randn({s.batch, s.heads, s.keys, s.head_size}).to(dtype)};
}

double Scale(const Shape& s) { return 1.0 / std::sqrt(static_cast<double>(s.head_size)); }

// The definition, in double precision, differentiable.
torch::Tensor Reference(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        double scale) {
  const torch::Tensor scores = torch::matmul(q.to(kDouble), k.to(kDouble).transpose(2, 3)) * scale;
  return torch::matmul(torch::softmax(scores, -1), v.to(kDouble));
}

using testing::RelativeError;

std::string Text(const Shape& s) {
  return std::to_string(s.batch) + "x" + std::to_string(s.heads) + " q" + std::to_string(s.queries) + " k" +
         std::to_string(s.keys) + " d" + std::to_string(s.head_size);
}

std::vector<const AttentionForwardKernels*> UsableForward() {
  std::vector<const AttentionForwardKernels*> usable = {kPortableForward};
  if (AvailableSimd() >= SimdLevel::kAvx2 && kAvx2Forward) usable.push_back(kAvx2Forward);
  if (AvailableSimd() >= SimdLevel::kAvx512 && kAvx512Forward) usable.push_back(kAvx512Forward);
  return usable;
}

std::vector<const AttentionBackwardKernels*> UsableBackward() {
  std::vector<const AttentionBackwardKernels*> usable = {kPortableBackward};
  if (AvailableSimd() >= SimdLevel::kAvx2 && kAvx2Backward) usable.push_back(kAvx2Backward);
  if (AvailableSimd() >= SimdLevel::kAvx512 && kAvx512Backward) usable.push_back(kAvx512Backward);
  return usable;
}

TEST(Attention, Float32MatchesTheDefinition) {
  for (const Shape& s : kShapes) {
    const AttentionInputs x = RandomInputs(s, 1);
    const torch::Tensor expected = Reference(x.q, x.k, x.v, Scale(s));
    // Float32 rounding over at most 1000 terms is below 1e-6; a wrong key or a missing rescale gives 1e-3 or
    // more.
    EXPECT_LT(RelativeError(Attention(x.q, x.k, x.v, Scale(s)), expected), 2e-6) << Text(s);
    for (const AttentionForwardKernels* kernels : UsableForward()) {
      const AttentionResult result = AttentionForwardCpu(x.q, x.k, x.v, Scale(s), true, *kernels);
      EXPECT_LT(RelativeError(result.out, expected), 2e-6) << kernels->name << " " << Text(s);
      const torch::Tensor lse =
          torch::logsumexp(torch::matmul(x.q.to(kDouble), x.k.to(kDouble).transpose(2, 3)) * Scale(s), -1);
      EXPECT_LT((result.lse - lse).abs().max().item<double>(), 1e-5) << kernels->name << " " << Text(s);
    }
  }
}

TEST(Attention, Bfloat16MatchesTheDefinition) {
  for (const Shape& s : kShapes) {
    const AttentionInputs x = RandomInputs(s, 2, torch::kBFloat16);
    const torch::Tensor out = Attention(x.q, x.k, x.v, Scale(s));
    EXPECT_EQ(out.scalar_type(), torch::kBFloat16);
    // AttentionInputs are exact; probabilities and the result are rounded to 8 bits (2^-9 each, partly
    // averaged out).
    EXPECT_LT(RelativeError(out, Reference(x.q, x.k, x.v, Scale(s))), 4e-3) << Text(s);
    for (const AttentionForwardKernels* kernels : UsableForward()) {  // these only round the result
      const AttentionResult result = AttentionForwardCpu(x.q, x.k, x.v, Scale(s), false, *kernels);
      EXPECT_LT(RelativeError(result.out, Reference(x.q, x.k, x.v, Scale(s))), 2.5e-3)
          << kernels->name << " " << Text(s);
    }
  }
}

TEST(Attention, AtenPathMatchesTheDefinition) {
  for (const Shape& s : kShapes) {
    const AttentionInputs x = RandomInputs(s, 3);
    const AttentionInputs wide = {x.q.to(kDouble), x.k.to(kDouble), x.v.to(kDouble)};
    const torch::Tensor expected = Reference(x.q, x.k, x.v, Scale(s));
    EXPECT_LT(RelativeError(AttentionForwardAten(x.q, x.k, x.v, Scale(s)).out, expected), 2e-6) << Text(s);
    EXPECT_LT(RelativeError(Attention(wide.q, wide.k, wide.v, Scale(s)), expected), 1e-12) << Text(s);
  }
}

TEST(Attention, StridedViewsGiveTheSameBits) {
  torch::manual_seed(4);
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor qkv = torch::randn({2, 150, 3 * 4 * 32}).to(dtype);
    const auto parts = qkv.chunk(3, -1);
    const auto heads = [](const torch::Tensor& x) { return x.view({2, 150, 4, 32}).transpose(1, 2); };
    const torch::Tensor q = heads(parts[0]).narrow(2, 0, 40);
    const torch::Tensor out = Attention(q, heads(parts[1]), heads(parts[2]), 0.2);
    const torch::Tensor packed =
        Attention(q.contiguous(), heads(parts[1]).contiguous(), heads(parts[2]).contiguous(), 0.2);
    EXPECT_TRUE(torch::equal(out, packed));
    EXPECT_TRUE(out.transpose(1, 2).is_contiguous());
    // Rows that are not contiguous are copied, not misread.
    EXPECT_TRUE(torch::equal(out, Attention(q.transpose(2, 3).contiguous().transpose(2, 3), heads(parts[1]),
                                            heads(parts[2]), 0.2)));
  }
}

TEST(Attention, ExtremeLogits) {
  const Shape s = {1, 2, 120, 300, 64};
  AttentionInputs x = RandomInputs(s, 5, torch::kFloat32, /*spread=*/1e4);  // logits up to about 4e4
  const torch::Tensor expected = Reference(x.q, x.k, x.v, Scale(s));
  const torch::Tensor out = Attention(x.q, x.k, x.v, Scale(s));
  EXPECT_TRUE(torch::isfinite(out).all().item<bool>());
  // A float32 logit of 4e4 is uncertain by about 4e-3, so close contests may move by that much; almost all
  // rows are one-hot.
  EXPECT_LT(RelativeError(out, expected), 1e-2);
  // The largest logit of each row in the last, then in the first block of keys: exercises the rescaling
  // either way.
  for (const int64_t winner : {int64_t{0}, int64_t{299}}) {
    x.q = torch::ones({1, 2, 120, 64});
    x.k = torch::full({1, 2, 300, 64}, -100.0);
    x.k.select(2, winner).fill_(100.0);
    EXPECT_LT(RelativeError(Attention(x.q, x.k, x.v, 1.0), x.v.narrow(2, winner, 1).expand({1, 2, 120, 64})),
              1e-6);
  }
}

TEST(Attention, NotANumberIsNotHidden) {
  const Shape s = {1, 1, 10, 300, 64};
  AttentionInputs x = RandomInputs(s, 6);
  x.q[0][0][3][5] = NAN;
  const torch::Tensor bad = torch::isnan(Attention(x.q, x.k, x.v, Scale(s))).any(-1)[0][0];
  for (int64_t row = 0; row < 10; ++row) EXPECT_EQ(bad[row].item<bool>(), row == 3) << row;
  x = RandomInputs(s, 6);
  x.k[0][0][250][1] = NAN;
  EXPECT_TRUE(torch::isnan(Attention(x.q, x.k, x.v, Scale(s))).all().item<bool>());
}

TEST(Attention, GradientsMatchTheDefinition) {
  for (const Shape& s : kShapes) {
    AttentionInputs x = RandomInputs(s, 7);
    AttentionInputs wide = {x.q.to(kDouble), x.k.to(kDouble), x.v.to(kDouble)};
    for (torch::Tensor* t : {&x.q, &x.k, &x.v, &wide.q, &wide.k, &wide.v}) t->set_requires_grad(true);
    const torch::Tensor weight = torch::randn({s.batch, s.heads, s.queries, s.head_size});
    Reference(wide.q, wide.k, wide.v, Scale(s)).mul(weight).sum().backward();
    const double norm = wide.q.grad().norm().item<double>() + wide.k.grad().norm().item<double>();
    const auto check = [&](const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                           const char* name) {
      // With one key dQ and dK vanish, so their errors are measured against both and the size of dV.
      const double floor = 1e-2 * (norm + wide.v.grad().norm().item<double>());
      EXPECT_LT((q - wide.q.grad()).norm().item<double>() / (floor + wide.q.grad().norm().item<double>()),
                5e-6)
          << name << " " << Text(s);
      EXPECT_LT((k - wide.k.grad()).norm().item<double>() / (floor + wide.k.grad().norm().item<double>()),
                5e-6)
          << name << " " << Text(s);
      EXPECT_LT(RelativeError(v, wide.v.grad()), 5e-6) << name << " " << Text(s);
    };
    Attention(x.q, x.k, x.v, Scale(s)).mul(weight).sum().backward();
    check(x.q.grad(), x.k.grad(), x.v.grad(), "autograd");
    torch::NoGradGuard guard;
    const AttentionResult result =
        AttentionForwardCpu(x.q, x.k, x.v, Scale(s), true, SelectAttentionForward(false));
    for (const AttentionBackwardKernels* kernels : UsableBackward()) {
      const auto [q, k, v] = AttentionBackwardCpu(x.q, x.k, x.v, result, weight, Scale(s), *kernels);
      check(q, k, v, kernels->name);
    }
    const auto [q, k, v] = AttentionBackwardAten(x.q, x.k, x.v, result, weight, Scale(s));
    check(q, k, v, "aten");
  }
}

TEST(Attention, GradientsOfStridedBfloat16) {
  torch::manual_seed(8);
  torch::Tensor qkv = torch::randn({2, 70, 3 * 2 * 64}).to(torch::kBFloat16).set_requires_grad(true);
  torch::Tensor wide = qkv.detach().to(kDouble).set_requires_grad(true);
  const auto heads = [](const torch::Tensor& x) { return x.view({2, 70, 2, 64}).transpose(1, 2); };
  const torch::Tensor weight = torch::randn({2, 2, 70, 64}).to(torch::kBFloat16);
  const auto a = qkv.chunk(3, -1);
  Attention(heads(a[0]), heads(a[1]), heads(a[2]), 0.125).mul(weight).sum().backward();
  const auto b = wide.chunk(3, -1);
  Reference(heads(b[0]), heads(b[1]), heads(b[2]), 0.125).mul(weight).sum().backward();
  EXPECT_LT(RelativeError(qkv.grad(), wide.grad()), 6e-3);  // two or three roundings to 8 bits on the way
}

// Central differences of the float32 kernel itself, independent of any reference formula.
TEST(Attention, GradientsMatchFiniteDifferences) {
  const Shape s = {1, 1, 9, 11, 16};
  AttentionInputs x = RandomInputs(s, 9);
  const torch::Tensor weight = torch::randn({1, 1, 9, 16});
  const auto loss = [&](const AttentionInputs& at) {
    return (Attention(at.q, at.k, at.v, 0.25).to(kDouble) * weight).sum().item<double>();
  };
  for (torch::Tensor* t : {&x.q, &x.k, &x.v}) t->set_requires_grad(true);
  Attention(x.q, x.k, x.v, 0.25).mul(weight).sum().backward();
  torch::NoGradGuard guard;
  const auto check = [&](torch::Tensor& t) {
    for (const int64_t i : {int64_t{0}, t.numel() / 2, t.numel() - 1}) {
      float& element = t.data_ptr<float>()[i];
      const float centre = element;
      const float step = 0.0078125f;  // error of the formula about step^2 / 6, of float32 about 1e-6 / step
      element = centre + step;
      const double above = loss(x);
      element = centre - step;
      const double below = loss(x);
      element = centre;
      EXPECT_NEAR(t.grad().view(-1)[i].item<double>(), (above - below) / (2.0 * step), 1e-3);
    }
  };
  check(x.q);
  check(x.k);
  check(x.v);
}

TEST(Attention, BitsDoNotDependOnThreads) {
  const Shape s = {2, 3, 300, 500, 64};
  const int threads = torch::get_num_threads();
  std::vector<torch::Tensor> first;
  for (const int count : {1, 2, 3}) {
    torch::set_num_threads(count);
    AttentionInputs x = RandomInputs(s, 10);
    for (torch::Tensor* t : {&x.q, &x.k, &x.v}) t->set_requires_grad(true);
    const torch::Tensor out = Attention(x.q, x.k, x.v, Scale(s));
    out.sum().backward();
    const std::vector<torch::Tensor> all = {out, x.q.grad(), x.k.grad(), x.v.grad()};
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i)
      EXPECT_TRUE(torch::equal(all[i], first[i])) << count << " threads";
  }
  torch::set_num_threads(threads);
}

// Most memory this process has ever had resident, in bytes, since the last reset (Linux only).
int64_t PeakResident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

TEST(Attention, MemoryIsLinearInTokens) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory, and would take minutes";
#endif
  const Shape s = {1, 1, 20000, 20000, 16};
  AttentionInputs x = RandomInputs(s, 11);
  for (torch::Tensor* t : {&x.q, &x.k, &x.v}) t->set_requires_grad(true);
  std::ofstream("/proc/self/clear_refs") << "5";
  const int64_t before = PeakResident();
  Attention(x.q, x.k, x.v, Scale(s)).sum().backward();
  // Operands, gradients and packed copies: some twenty arrays of 20000 x 64 floats. The score matrix would
  // take 1.6 GB.
  EXPECT_LT(PeakResident() - before, 150 << 20);
  EXPECT_TRUE(torch::isfinite(x.k.grad()).all().item<bool>());
}

TEST(Attention, RefusesMismatches) {
  const torch::Tensor a = torch::zeros({1, 2, 4, 8});
  EXPECT_THROW(Attention(a, torch::zeros({1, 2, 4, 9}), torch::zeros({1, 2, 4, 9}), 1.0), c10::Error);
  EXPECT_THROW(Attention(a, a, torch::zeros({1, 2, 5, 8}), 1.0), c10::Error);
  EXPECT_THROW(Attention(a, a.to(torch::kBFloat16), a, 1.0), c10::Error);
  EXPECT_THROW(Attention(a, a.narrow(2, 0, 0), a.narrow(2, 0, 0), 1.0), c10::Error);
  EXPECT_EQ(Attention(a.narrow(2, 0, 0), a, a, 1.0).size(2), 0);
}

// Keys beyond a sample's number are as if they were not there, for values and for gradients.
TEST(AttentionOfSomeKeys, EqualsAttentionOfThoseAlone) {
  const Shape shape{3, 2, 7, 9, 16};
  AttentionInputs x = RandomInputs(shape, 5);
  for (torch::Tensor* part : {&x.q, &x.k, &x.v}) part->requires_grad_(true);
  const torch::Tensor counts = torch::tensor({9, 4, 0}, torch::kInt64);
  const torch::Tensor out = Attention(x.q, x.k, x.v, Scale(shape), counts);
  ASSERT_EQ(out.sizes(), x.q.sizes());
  EXPECT_TRUE(out.transpose(1, 2).is_contiguous());
  for (int64_t b = 0; b < 2; ++b) {
    const auto first = [&](const torch::Tensor& all) {
      return all.narrow(0, b, 1).narrow(2, 0, counts[b].item<int64_t>());
    };
    const torch::Tensor expected = Reference(x.q.narrow(0, b, 1), first(x.k), first(x.v), Scale(shape));
    EXPECT_LT(RelativeError(out.narrow(0, b, 1), expected), 1e-5);
  }
  EXPECT_EQ(out[2].abs().max().item<float>(), 0.0F);
  out.square().sum().backward();
  for (const torch::Tensor& part : {x.k, x.v}) {
    EXPECT_GT(part.grad()[1].narrow(1, 0, 4).abs().min().item<float>(), 0.0F);
    EXPECT_EQ(part.grad()[1].narrow(1, 4, 5).abs().max().item<float>(), 0.0F);
    EXPECT_EQ(part.grad()[2].abs().max().item<float>(), 0.0F);
  }
  EXPECT_ANY_THROW(Attention(x.q, x.k, x.v, Scale(shape), torch::tensor({9, 4}, torch::kInt64)));
}

}  // namespace
}  // namespace wildrayzer
