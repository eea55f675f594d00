#include "wildrayzer/nn/recompute.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "wildrayzer/nn/layers.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

struct Gradients {
  Tensor value;
  std::vector<Tensor> of;
};

// Two blocks, of which the middle of the second is frozen.
struct Net {
  Net() : first(32, 16), second(32, 16) {
    torch::manual_seed(5);
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : Parameters()) parameter.copy_(torch::randn(parameter.sizes()) * 0.2);
    second->named_parameters()["norm2.weight"].set_requires_grad(false);
  }
  std::vector<Tensor> Parameters() const {
    std::vector<Tensor> all = first->parameters();
    for (const Tensor& parameter : second->parameters()) all.push_back(parameter);
    return all;
  }
  std::vector<Tensor> Trained() const {
    std::vector<Tensor> all;
    for (const Tensor& parameter : Parameters()) {
      if (parameter.requires_grad()) all.push_back(parameter);
    }
    return all;
  }
  Block first, second;
  int runs = 0;
};

TEST(Recomputed, HasTheValueAndGradientsOfTheFunction) {
  Net net;
  const auto body = [&net](const std::vector<Tensor>& in) {
    ++net.runs;
    return net.second->forward(net.first->forward(in[0])) * in[1];
  };
  torch::manual_seed(6);
  const Tensor x = torch::randn({2, 9, 32}).set_requires_grad(true);
  const Tensor weight = torch::randn({2, 9, 32});
  std::vector<Tensor> inputs = net.Trained();
  inputs.push_back(x);
  // Of the second input too, which shares its history with the first.
  const Tensor scale = (x * 2).sin();
  const Tensor direct = body({x, scale});
  const auto expected = torch::autograd::grad({(direct * weight).sum()}, inputs, {}, /*retain_graph=*/true);
  net.runs = 0;
  const Tensor y = Recomputed(body, {x, scale}, net.Parameters());
  EXPECT_EQ(net.runs, 1);
  const auto got = torch::autograd::grad({(y * weight).sum()}, inputs);
  EXPECT_EQ(net.runs, 2);
  // The same operations; only of x, which is read twice, the gradients are added in another order.
  EXPECT_TRUE(torch::equal(y, direct));
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(torch::allclose(got[i], expected[i], 1e-5, 1e-6)) << i;
}

TEST(Recomputed, AccumulatesWithBackward) {
  Net net;
  const auto body = [&net](const std::vector<Tensor>& in) { return net.first->forward(in[0]); };
  const Tensor x = torch::randn({1, 5, 32});  // itself without gradient, as the first block of a model has it
  body({x}).sum().backward();
  const Tensor once = net.first->named_parameters()["attn.fc.weight"].grad().clone();
  Recomputed(body, {x}, net.first->parameters()).sum().backward();
  EXPECT_TRUE(torch::allclose(net.first->named_parameters()["attn.fc.weight"].grad(), 2 * once));
}

TEST(Recomputed, RunsOnceWhenNothingWantsAGradient) {
  int runs = 0;
  const auto body = [&runs](const std::vector<Tensor>& in) {
    ++runs;
    return in[0] * 2;
  };
  const Tensor x = torch::ones({3});
  EXPECT_FALSE(Recomputed(body, {x}, {torch::ones({1})}).requires_grad());
  {
    const torch::NoGradGuard no_grad;
    EXPECT_FALSE(Recomputed(body, {torch::ones({3}).set_requires_grad(true)}, {}).requires_grad());
  }
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace wildrayzer
