#include "wildrayzer/training/master_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

WildRayZer TinyModel() {
  ModelConfig config;
  config.height = config.width = 16;
  config.patch = 8;
  config.d = 32;
  config.d_head = 16;
  config.scene_tokens = 4;
  config.camera_estimator_layers = config.scene_encoder_layers = config.renderer_layers = 1;
  WildRayZer model(config);
  RandomInit(model, 1);
  return model;
}

bool IsEncoder(const std::string& name) { return name.find("encoder") != std::string::npos; }

std::map<std::string, Tensor> Parameters(const WildRayZer& model) {
  std::map<std::string, Tensor> parameters;
  for (const auto& item : model->named_parameters()) parameters[item.key()] = item.value();
  return parameters;
}

TEST(MasterWeights, KeepFullPrecisionOfWhatIsTrained) {
  WildRayZer model = TinyModel();
  std::map<std::string, Tensor> before;
  for (const auto& [name, tensor] : Parameters(model)) before[name] = tensor.detach().clone();
  const MasterWeights weights(*model, Precision::kBf16, IsEncoder);

  std::set<std::string> trained;
  int rounded = 0;
  const auto parameters = Parameters(model);
  for (const auto& [name, master] : weights.masters()) {
    trained.insert(name);
    EXPECT_TRUE(IsEncoder(name)) << name;
    EXPECT_EQ(master.scalar_type(), torch::kFloat32);
    EXPECT_TRUE(master.is_leaf() && master.requires_grad());
    EXPECT_TRUE(torch::equal(master.detach(), before.at(name))) << name;
    rounded += !parameters.at(name).is_same(master);
  }
  EXPECT_GT(rounded, 0);
  EXPECT_LT(rounded, static_cast<int>(trained.size()));  // norms and biases stay float32
  for (const auto& [name, used] : parameters) {
    EXPECT_EQ(used.requires_grad(), IsEncoder(name)) << name;
    EXPECT_EQ(trained.contains(name), IsEncoder(name)) << name;
    EXPECT_TRUE(torch::equal(used.detach(), before.at(name).to(used.scalar_type()))) << name;
  }
  const auto all = weights.FullPrecision();
  ASSERT_EQ(all.size(), before.size());
  for (const auto& [name, tensor] : all) {
    EXPECT_EQ(tensor.scalar_type(), torch::kFloat32) << name;
    EXPECT_TRUE(torch::equal(tensor.detach(), before.at(name))) << name;
  }
}

TEST(MasterWeights, AreTheParametersThemselvesInFloat32) {
  WildRayZer model = TinyModel();
  MasterWeights weights(*model, Precision::kFp32, [](const std::string&) { return true; });
  const auto parameters = Parameters(model);
  ASSERT_EQ(weights.masters().size(), parameters.size());
  for (const auto& [name, master] : weights.masters()) {
    EXPECT_TRUE(master.is_same(parameters.at(name))) << name;
    parameters.at(name).mutable_grad() = torch::ones_like(master);
  }
  weights.CollectGradients();
  for (const auto& [name, master] : weights.masters()) {
    EXPECT_EQ(master.grad().mean().item<float>(), 1) << name;
  }
}

TEST(MasterWeights, AccumulateGradientsInFloat32) {
  WildRayZer model = TinyModel();
  MasterWeights weights(*model, Precision::kBf16, IsEncoder);
  // In bfloat16 1 + 2^-10 is 1; four of them are told apart only in float32.
  for (const double gradient : {1.0, std::ldexp(1.0, -10), std::ldexp(1.0, -10)}) {
    for (auto& [name, used] : Parameters(model)) {
      if (!IsEncoder(name)) continue;
      const Tensor value = torch::full_like(used.detach(), gradient);
      if (used.grad().defined()) {
        used.mutable_grad().add_(value);  // float32 parameters accumulate in place
      } else {
        used.mutable_grad() = value;
      }
    }
    weights.CollectGradients();
    for (const auto& [name, used] : Parameters(model)) {
      if (used.scalar_type() == torch::kBFloat16) {
        EXPECT_FALSE(used.grad().defined()) << name;
      }
    }
  }
  for (const auto& [name, master] : weights.masters()) {
    EXPECT_TRUE(master.grad().eq(1.0 + std::ldexp(1.0, -9)).all().item<bool>()) << name;
  }
}

TEST(MasterWeights, GatherStepsTooSmallForBfloat16) {
  WildRayZer model = TinyModel();
  MasterWeights weights(*model, Precision::kBf16, IsEncoder);
  const auto parameters = Parameters(model);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, master] : weights.masters()) Tensor(master).fill_(1.0);
  // bfloat16 numbers just above 1 lie 2^-7 apart.
  for (int step = 1; step <= 8; ++step) {
    for (const auto& [name, master] : weights.masters()) Tensor(master).add_(std::ldexp(1.0, -10));
    weights.Publish();
    for (const auto& [name, master] : weights.masters()) {
      const Tensor& used = parameters.at(name);
      // Rounding to the nearest: up from the fifth step on (the fourth is a tie, broken to even).
      const double expected = used.scalar_type() == torch::kFloat32 ? 1 + step * std::ldexp(1.0, -10)
                              : step <= 4                           ? 1.0
                                                                    : 1 + std::ldexp(1.0, -7);
      EXPECT_TRUE(used.eq(expected).all().item<bool>()) << name << " step " << step;
    }
  }
}

// A frozen matrix is computed with in bfloat16 and kept in float32 besides: both must be what was restored,
// whatever the module began with.
TEST(MasterWeights, RestoreFrozenMatricesToo) {
  WildRayZer model = TinyModel();
  MasterWeights weights(*model, Precision::kBf16, [](const std::string&) { return false; });
  NamedParameters stored;
  torch::manual_seed(3);
  for (const auto& [name, tensor] : weights.FullPrecision())
    stored.emplace_back(name, torch::randn(tensor.sizes()));
  weights.Restore(stored, "run/step_1");
  const auto used = model->named_parameters();
  bool rounded = false;
  for (const auto& [name, tensor] : stored) {
    EXPECT_TRUE(torch::equal(used[name], tensor.to(used[name].scalar_type()))) << name;
    rounded = rounded || used[name].scalar_type() == torch::kBFloat16;
  }
  EXPECT_TRUE(rounded);
  for (size_t i = 0; i < stored.size(); ++i)
    EXPECT_TRUE(torch::equal(weights.FullPrecision()[i].second, stored[i].second));
  stored.pop_back();
  EXPECT_THROW(weights.Restore(stored, "run/step_1"), FileError);
}

}  // namespace
}  // namespace wildrayzer
