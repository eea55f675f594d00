#include "wildrayzer/nn/layers.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <set>
#include <string>

#include "wildrayzer/nn/init.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::RelativeError;

torch::Tensor RmsOf(const torch::Tensor& x, const torch::Tensor& weight) {
  return x / (x * x).mean(-1, true).add(1e-5).sqrt() * weight;
}

// The block written out in double precision from method.md section 2.
torch::Tensor ReferenceBlock(Block& block, const torch::Tensor& input, int64_t head) {
  std::map<std::string, torch::Tensor> p;
  for (const auto& item : block->named_parameters()) p[item.key()] = item.value().to(torch::kFloat64);
  const torch::Tensor x = input.to(torch::kFloat64);
  const auto norm = [](const torch::Tensor& t, const torch::Tensor& weight) {
    const torch::Tensor centred = t - t.mean(-1, true);
    return centred / ((centred * centred).mean(-1, true) + 1e-5).sqrt() * weight;
  };
  const int64_t width = x.size(2);
  const auto split = [&](const torch::Tensor& t) {
    return t.reshape({x.size(0), x.size(1), width / head, head}).permute({0, 2, 1, 3});
  };
  const torch::Tensor qkv = torch::matmul(norm(x, p["norm1.weight"]), p["attn.to_qkv.weight"].t());
  const torch::Tensor q = RmsOf(split(qkv.slice(2, 0, width)), p["attn.q_norm.weight"]);
  const torch::Tensor k = RmsOf(split(qkv.slice(2, width, 2 * width)), p["attn.k_norm.weight"]);
  const torch::Tensor v = split(qkv.slice(2, 2 * width));
  const torch::Tensor weights =
      torch::softmax(torch::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(head)), -1);
  const torch::Tensor mixed = torch::matmul(weights, v).permute({0, 2, 1, 3}).reshape(x.sizes());
  const torch::Tensor attended = x + torch::matmul(mixed, p["attn.fc.weight"].t());
  const torch::Tensor inner = torch::matmul(norm(attended, p["norm2.weight"]), p["mlp.mlp.0.weight"].t());
  const torch::Tensor gelu = 0.5 * inner * (1.0 + torch::erf(inner / std::sqrt(2.0)));
  return attended + torch::matmul(gelu, p["mlp.mlp.2.weight"].t());
}

Block RandomBlock(int64_t width, int64_t head) {
  Block block(width, head);
  torch::manual_seed(11);
  const torch::NoGradGuard guard;
  for (torch::Tensor& parameter : block->parameters()) {
    parameter.copy_(torch::randn(parameter.sizes()) * 0.15 + (parameter.dim() == 1 ? 1.0 : 0.0));
  }
  return block;
}

TEST(Block, HasThePublishedNames) {
  std::set<std::string> names;
  for (const auto& item : Block(128, 64)->named_parameters()) names.insert(item.key());
  EXPECT_EQ(names, (std::set<std::string>{"norm1.weight", "attn.to_qkv.weight", "attn.fc.weight",
                                          "attn.q_norm.weight", "attn.k_norm.weight", "norm2.weight",
                                          "mlp.mlp.0.weight", "mlp.mlp.2.weight"}));
}

TEST(Block, MatchesTheDefinition) {
  Block block = RandomBlock(128, 32);
  const torch::Tensor x = torch::randn({2, 37, 128});
  EXPECT_LT(RelativeError(block->forward(x), ReferenceBlock(block, x, 32)), 1e-6);  // float32 rounding
}

TEST(Block, QueriesOnlyGiveTheSameRows) {
  Block block = RandomBlock(128, 64);
  const torch::Tensor x = torch::randn({3, 200, 128});
  const torch::Tensor all = block->forward(x);
  for (const int64_t queries : {1, 8, 199, 200}) {
    // Products of other sizes may be summed in another order.
    EXPECT_LT(RelativeError(block->forward(x, queries), all.narrow(1, 0, queries)), 1e-6) << queries;
  }
  EXPECT_THROW(block->forward(x, 201), c10::Error);
}

TEST(Block, SamplesOfABatchAreIndependent) {
  Block block = RandomBlock(64, 32);
  const torch::Tensor x = torch::randn({3, 50, 64});
  const torch::Tensor all = block->forward(x);
  for (int64_t b = 0; b < 3; ++b)
    EXPECT_LT(RelativeError(all.narrow(0, b, 1), block->forward(x.narrow(0, b, 1))), 1e-6);
}

TEST(Block, GradientsMatchTheDefinition) {
  Block block = RandomBlock(64, 32);
  torch::Tensor x = torch::randn({2, 20, 64}).set_requires_grad(true);
  const torch::Tensor weight = torch::randn({2, 5, 64});
  const auto inputs = [&] {
    std::vector<torch::Tensor> all = block->parameters();
    all.push_back(x);
    return all;
  }();
  const auto got = torch::autograd::grad({block->forward(x, 5).mul(weight).sum()}, inputs);
  const auto expected =
      torch::autograd::grad({ReferenceBlock(block, x, 32).narrow(1, 0, 5).mul(weight).sum()}, inputs);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_LT(RelativeError(got[i], expected[i]), 1e-5) << i;
}

TEST(Block, Bfloat16MatricesKeepTheStreamInFloat32) {
  Block block = RandomBlock(128, 64);
  const torch::Tensor x = torch::randn({1, 60, 128});
  const torch::Tensor exact = block->forward(x);
  for (torch::Tensor& parameter : block->parameters()) {
    if (parameter.dim() == 2) parameter.set_data(parameter.to(torch::kBFloat16));
  }
  const torch::Tensor out = block->forward(x);
  EXPECT_EQ(out.scalar_type(), torch::kFloat32);
  EXPECT_LT(RelativeError(out, exact),
            2e-2);  // 8-bit mantissas; the golden README gives 5e-3 to 1.6e-2 for whole models
  EXPECT_GT(RelativeError(out, exact), 1e-5);  // it did run in bf16
}

TEST(LayerNorm, KeepsTheTypeOfItsInput) {
  LayerNorm norm(48, /*bias=*/true);
  torch::manual_seed(2);
  const torch::Tensor weight = norm->named_parameters()["weight"], bias = norm->named_parameters()["bias"];
  weight.set_data(torch::randn({48}));
  bias.set_data(torch::randn({48}));
  const torch::Tensor x = torch::randn({3, 48}) * 5.0 + 2.0;
  const torch::Tensor centred = (x - x.mean(-1, true)).to(torch::kFloat64);
  const torch::Tensor expected = centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * weight + bias;
  EXPECT_LT(RelativeError(norm->forward(x), expected), 1e-6);
  EXPECT_EQ(norm->forward(x.to(torch::kBFloat16)).scalar_type(), torch::kBFloat16);
  EXPECT_LT(RelativeError(norm->forward(x.to(torch::kBFloat16)).to(torch::kFloat32), expected), 1e-2);
}

TEST(Linear, ComputesInTheTypeOfItsWeight) {
  Linear linear(40, 24, /*bias=*/true);
  torch::manual_seed(3);
  const torch::Tensor weight = linear->named_parameters()["weight"],
                      bias = linear->named_parameters()["bias"];
  weight.set_data(torch::randn({24, 40}).to(torch::kBFloat16));
  bias.set_data(torch::randn({24}));
  const torch::Tensor x = torch::randn({2, 3, 40});
  const torch::Tensor y = linear->forward(x);
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  const torch::Tensor expected =
      torch::matmul(x.to(torch::kBFloat16).to(torch::kFloat64), weight.to(torch::kFloat64).t()) + bias;
  EXPECT_LT(RelativeError(y, expected), 4e-3);  // the result is rounded to 8 bits
}

TEST(Linear, GivesAnyRangeOfItsOutputsAlone) {
  Linear linear(40, 24, /*bias=*/true);
  torch::manual_seed(4);
  for (torch::Tensor& parameter : linear->parameters()) parameter.set_data(torch::randn(parameter.sizes()));
  const torch::Tensor x = torch::randn({2, 3, 40});
  const torch::Tensor all = linear->forward(x);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 24}, {0, 8}, {5, 7}, {23, 1}}) {
    // Products of other sizes may be summed in another order.
    EXPECT_LT(RelativeError(linear->ForwardOutputs(x, first, count), all.narrow(-1, first, count)), 1e-6);
  }
}

TEST(Conv2d, StridesOverAMapWithMarginsOfZeros) {
  Conv2d convolution(2, 3, 3, /*bias=*/false, /*stride=*/2);
  torch::manual_seed(6);
  const torch::Tensor weight = convolution->named_parameters()["weight"], map = torch::randn({1, 2, 5, 8});
  weight.set_data(torch::randn({3, 2, 3, 3}));
  const torch::Tensor out = convolution->forward(map);
  ASSERT_EQ(out.sizes(), (torch::IntArrayRef{1, 3, 3, 4}));
  for (int64_t o = 0; o < 3; ++o) {
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        double sum = 0;
        for (int64_t i = 0; i < 18; ++i) {
          const int64_t channel = i / 9, row = 2 * y + i / 3 % 3 - 1, column = 2 * x + i % 3 - 1;
          if (row < 0 || row >= 5 || column < 0 || column >= 8) continue;
          sum += weight[o][channel][i / 3 % 3][i % 3].item<double>() *
                 map[0][channel][row][column].item<double>();
        }
        EXPECT_NEAR(out[0][o][y][x].item<double>(), sum, 1e-5);  // 18 products in float32
      }
    }
  }
  weight.set_data(weight.to(torch::kBFloat16));
  EXPECT_EQ(convolution->forward(map).scalar_type(), torch::kBFloat16);
}

TEST(SelfAttention, RefusesWidthsThatHeadsDoNotDivide) { EXPECT_THROW(Block(100, 64), UsageError); }

}  // namespace
}  // namespace wildrayzer
