#include "wildrayzer/training/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "wildrayzer/testing/generator.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::GeneratedTensor;
using testing::GoldenFile;
using testing::RelativeError;
using torch::Tensor;

// VGG19 with the goldens' generated weights.
std::shared_ptr<const PerceptualLoss> GoldenVgg() {
  static const auto loss = [] {
    std::map<std::string, testing::ManifestEntry> entries;
    for (auto& entry : testing::ReadManifest(testing::GoldenDir() / "vgg19.weights.json"))
      entries[entry.name.substr(entry.name.find("features."))] = entry;
    const auto source = [&](const std::string& key) { return testing::Generate(entries.at(key)); };
    return std::make_shared<VggPerceptualLoss>(
        VggTrunk(VggDepth::k19, VggPooling::kAverage, VggPerceptualLoss::Taps(VggDepth::k19), source),
        "golden weights");
  }();
  return loss;
}

Tensor Stride(const Tensor& gradient, int64_t step) {
  return gradient.slice(-2, 0, {}, step).slice(-1, 0, {}, step);
}

// ---- loss_unit: the loss alone, with the arguments of each case.

void CheckUnitCase(const GoldenFile& golden, const std::string& name, const nlohmann::json& test_case) {
  SCOPED_TRACE(name);
  const auto given = [&](const char* argument) {
    const auto& args = test_case["args"];
    return std::find(args.begin(), args.end(), argument) != args.end();
  };
  LossOptions options;
  options.mse = test_case["l2_loss_weight"];
  options.perceptual = test_case["perceptual_loss_weight"];
  options.motion = test_case.value("mask_distill_loss_weight", 0.0);
  options.static_pixels_only = test_case.value("use_masked_reconstruction_loss", false);
  options.motion_threshold = test_case.value("motion_mask_threshold", 0.1);
  if (test_case.contains("psnr_filter_threshold")) options.psnr_gate = test_case["psnr_filter_threshold"];

  LossInputs inputs;
  inputs.target = golden.Get("target");
  inputs.rendering = golden.Get("rendering").set_requires_grad(true);
  const int64_t scenes = inputs.target.size(0);
  const auto views = [&](const Tensor& flat) { return flat.unflatten(0, {scenes, -1}); };
  Tensor logits, input_logits;
  if (given("predicted_target_masks")) {
    const std::string key = name == "logits32" ? "logits32" : "logits";
    logits = golden.Get(key);
    if (name == "too_few_static") logits = logits + 6;
    logits.set_requires_grad(true);
    inputs.target_logits = views(logits);
  }
  if (given("dinov3_target_masks")) inputs.target_labels = views(golden.Get("pseudo"));
  if (given("predicted_input_masks")) {
    input_logits = golden.Get("input_logits").set_requires_grad(true);
    inputs.input_logits = views(input_logits);
  }
  if (given("copy_paste_input_masks")) inputs.input_labels = views(golden.Get("copy_paste"));
  if (!test_case["dataset_sources"].is_null()) {
    for (const std::string source : test_case["dataset_sources"])
      inputs.scene_is_dynamic.push_back(source.find("dre10k") != std::string::npos || source == "dynamic");
  }

  const LossTerms terms = Losses(options, options.perceptual != 0 ? GoldenVgg() : nullptr)(inputs);
  terms.total.backward();
  const auto expect = [&](const char* what, double value) {
    const double wanted = golden.Get(name + "/" + what).item<double>();
    EXPECT_NEAR(value, wanted, 1e-5 * std::abs(wanted)) << what;  // the README asks for 1e-4
  };
  expect("loss", terms.loss);
  expect("l2_loss", terms.mse);
  expect("psnr", terms.psnr);
  expect("perceptual_loss", terms.perceptual);
  expect("mask_bce_loss", terms.target_mask);
  expect("input_mask_bce_loss", terms.input_mask);
  expect("grad_rendering_l2", inputs.rendering.grad().norm().item<double>());
  EXPECT_LT(RelativeError(Stride(inputs.rendering.grad(), 8), golden.Get(name + "/grad_rendering_stride8")),
            1e-4);
  if (golden.Has(name + "/grad_predicted_target_masks_l2"))
    expect("grad_predicted_target_masks_l2", logits.grad().norm().item<double>());
  if (golden.Has(name + "/grad_predicted_input_masks_l2"))
    expect("grad_predicted_input_masks_l2", input_logits.grad().norm().item<double>());
  if (!options.static_pixels_only) {
    const Tensor psnr = golden.Get("psnr_per_view").to(torch::kFloat64);
    EXPECT_LT(RelativeError(terms.view_psnr, psnr), 1e-5);
  }
}

TEST(LossesGolden, UnitCases) {
  WRZ_NEED_GOLDEN();
  for (const auto& path : testing::GoldenFiles("loss_unit")) {
    std::ifstream stream(path.parent_path() / (path.stem().string() + ".cases.json"));
    const nlohmann::json cases = nlohmann::json::parse(stream);
    const GoldenFile golden(path);
    for (const auto& [name, test_case] : cases.items()) CheckUnitCase(golden, name, test_case);
  }
}

TEST(LossesGolden, Perceptual) {
  WRZ_NEED_GOLDEN();
  const GoldenFile golden(testing::GoldenFiles("perceptual").front());
  const int64_t views = golden.Shape("mask_static")[0], size = golden.Shape("mask_static")[2];
  const auto [truth, rendering] = testing::MakePicturePair(golden, "perc", views, size);
  testing::CheckInput(golden, "check/pred_corner", rendering);
  const auto& vgg = dynamic_cast<const VggPerceptualLoss&>(*GoldenVgg());
  for (const std::string name : {"nomask", "mask"}) {
    Tensor x = rendering.clone().set_requires_grad(true);
    const Tensor mask = name == "mask" ? golden.Get("mask_static").squeeze(1) : Tensor();
    const Tensor terms = vgg.WeightedTerms(x, truth, mask).mean(0);
    const Tensor loss = vgg.Distances(x, truth, mask).mean();
    loss.backward();
    EXPECT_LT(RelativeError(terms, golden.Get(name + "/weighted_terms")), 1e-5);
    EXPECT_LT(RelativeError(loss.view({1}), golden.Get(name + "/loss")), 1e-5);
    EXPECT_LT(RelativeError(x.grad().norm().view({1}), golden.Get(name + "/grad_l2")), 1e-4);
    // The gradient of |d| is its sign: one of a million that rounding turns over is a thousandth of the
    // whole.
    EXPECT_LT(RelativeError(Stride(x.grad(), 8), golden.Get(name + "/grad_stride8")), 3e-3);
  }
}

// ---- without goldens

struct Pair {
  Tensor x, y;
};

Pair Pictures(int64_t views, int64_t height, int64_t width) {
  const Tensor y = testing::SmoothImage("loss/y", views, height, width);
  const Tensor x = y + GeneratedTensor("loss/x", y.sizes().vec(), 0.1);
  return {x, y};
}

Tensor Mask(int64_t views, int64_t height, int64_t width) {
  return testing::GeneratedField("loss/mask", views, 4, std::max(height, width))
      .slice(2, 0, height)
      .slice(3, 0, width)
      .squeeze(1)
      .gt(-0.2)
      .to(torch::kUInt8)
      .contiguous();
}

// The derivative along random directions against central differences.
void CheckGradient(const std::function<Tensor(const Tensor&)>& loss, const Tensor& at, double step,
                   double tolerance) {
  Tensor x = at.clone().set_requires_grad(true);
  loss(x).backward();
  const torch::NoGradGuard no_grad;
  for (int i = 0; i < 4; ++i) {
    // Along the gradient and along noise.
    Tensor direction = i == 0 ? x.grad() / x.grad().norm()
                              : GeneratedTensor("direction" + std::to_string(i), at.sizes().vec());
    direction = direction / direction.abs().max();
    const double up = loss(at + step * direction).item<double>(),
                 down = loss(at - step * direction).item<double>();
    const double analytic = (x.grad() * direction).sum().item<double>();
    const double scale = x.grad().norm().item<double>() * direction.norm().item<double>();
    EXPECT_NEAR((up - down) / (2 * step), analytic, tolerance * scale) << i;
  }
}

TEST(SquaredErrors, IsTheSumOverWhatCounts) {
  const auto [x, y] = Pictures(3, 9, 13);
  const Tensor mask = Mask(3, 9, 13);
  const Tensor all = (x - y).square().flatten(1).sum(1);
  const Tensor some = ((x - y).square() * mask.unsqueeze(1)).flatten(1).sum(1);
  EXPECT_LT(RelativeError(SquaredErrors(x, y, {}), all), 1e-6);
  EXPECT_LT(RelativeError(SquaredErrors(x, y, mask), some), 1e-6);
  CheckGradient([&, y = y](const Tensor& v) { return SquaredErrors(v, y, mask).sum(); }, x, 1e-2, 1e-4);
}

TEST(SquaredErrors, DoesNotReadWhatDoesNotCount) {
  const auto [x, y] = Pictures(1, 8, 8);
  const Tensor mask = torch::ones({1, 8, 8}, torch::kUInt8);
  mask[0][3][4] = 0;
  Tensor damaged = x.clone();
  damaged[0][1][3][4] = NAN;
  damaged.set_requires_grad(true);
  const Tensor sum = SquaredErrors(damaged, y, mask).sum();
  sum.backward();
  EXPECT_TRUE(std::isfinite(sum.item<float>()));
  EXPECT_TRUE(torch::isfinite(damaged.grad()).all().item<bool>());
}

// The definition in loss_kernels.h with LibTorch's operations, in double.
Tensor StructuralReference(Tensor x, Tensor y, const Tensor& mask) {
  x = x.to(torch::kFloat64);
  y = y.to(torch::kFloat64);
  if (mask.defined()) x = torch::where(mask.unsqueeze(1).to(torch::kBool), x, y);
  Tensor sum = torch::zeros({x.size(0)}, torch::kFloat64);
  int levels = 0;
  while (levels < 3 && (levels == 0 || std::min(x.size(2), x.size(3)) >= 8)) {
    if (std::min(x.size(2), x.size(3)) >= 8) {
      const auto mean = [](const Tensor& v) { return torch::avg_pool2d(v, 8, 1); };
      const Tensor mx = mean(x), my = mean(y);
      const Tensor vx = mean(x * x) - mx * mx, vy = mean(y * y) - my * my, cxy = mean(x * y) - mx * my;
      const double c1 = 1e-4, c2 = 9e-4;
      const Tensor ssim = (2 * mx * my + c1) * (2 * cxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
      sum = sum + (1 - ssim).flatten(1).mean(1) / 2;
    }
    const Tensor e = x - y;
    const Tensor dx = e.slice(3, 1) - e.slice(3, 0, -1), dy = e.slice(2, 1) - e.slice(2, 0, -1);
    const Tensor slopes = torch::cat({dx.flatten(1), dy.flatten(1)}, 1);
    sum = sum + ((slopes * slopes + 1e-6).sqrt() - 1e-3).mean(1);
    x = torch::avg_pool2d(x, 2, 2);
    y = torch::avg_pool2d(y, 2, 2);
    ++levels;
  }
  return sum / levels;
}

TEST(StructuralLoss, MatchesItsDefinition) {
  const StructuralPerceptualLoss loss;
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{64, 64}, {33, 50}, {8, 300}, {5, 9}}) {
    const auto [x, y] = Pictures(2, height, width);
    const Tensor mask = Mask(2, height, width);
    for (const Tensor& m : {Tensor(), mask}) {
      Tensor a = x.clone().set_requires_grad(true), b = x.clone().set_requires_grad(true);
      const Tensor value = loss.Distances(a, y, m), reference = StructuralReference(b, y, m);
      // float32 moments of values up to 1: 1e-6 absolute, against distances of about 0.1.
      EXPECT_LT(RelativeError(value, reference), 2e-5) << height << " x " << width;
      value.sum().backward();
      reference.sum().backward();
      EXPECT_LT(RelativeError(a.grad(), b.grad()), 2e-4) << height << " x " << width;
    }
  }
}

TEST(StructuralLoss, GradientIsTheDerivative) {
  const auto [x, y] = Pictures(2, 24, 40);
  const Tensor mask = Mask(2, 24, 40);
  const StructuralPerceptualLoss loss;
  CheckGradient([&, y = y](const Tensor& v) { return loss.Distances(v, y, {}).sum(); }, x, 2e-3, 5e-3);
  CheckGradient([&, y = y](const Tensor& v) { return loss.Distances(v, y, mask).sum(); }, x, 2e-3, 5e-3);
}

TEST(StructuralLoss, IsZeroForEqualPicturesAndLargerForBlurThanForABrighterPicture) {
  const Tensor y = testing::NoiseImage("loss/noise", {1, 3, 32, 32});
  const StructuralPerceptualLoss loss;
  EXPECT_NEAR(loss.Distances(y, y, {}).item<double>(), 0.0, 1e-6);
  const Tensor blurred = torch::avg_pool2d(y, 5, 1, 2);
  const Tensor brighter = y + (blurred - y).square().mean().sqrt();  // as far in MSE
  EXPECT_GT(loss.Distances(blurred, y, {}).item<double>(),
            4 * loss.Distances(brighter, y, {}).item<double>());
}

TEST(MaskLosses, AreTheClosedForm) {
  // -log sigmoid(2) for a 1, -log(1 - sigmoid(2)) for a 0.
  const Tensor logits = torch::full({2, 1, 2, 2}, 2.0f);
  const Tensor labels = torch::tensor({1, 1, 1, 1, 0, 0, 0, 1}, torch::kUInt8).view({2, 1, 2, 2});
  const double one = std::log1p(std::exp(-2.0)), zero = 2 + one;
  const Tensor losses = MaskLosses(logits, labels);
  EXPECT_NEAR(losses[0].item<double>(), one, 1e-6);
  EXPECT_NEAR(losses[1].item<double>(), 0.75 * zero + 0.25 * one, 1e-6);
  const Tensor z = GeneratedTensor("mask/z", {2, 1, 6, 6}, 3.0);
  const Tensor y = GeneratedTensor("mask/y", {2, 1, 12, 12}).gt(0);
  CheckGradient([&](const Tensor& v) { return MaskLosses(v, y).sum(); }, z, 1e-2, 1e-3);

  // Weight 3 on the ones; Dice of p = sigmoid(2) everywhere with a quarter of ones.
  const double p = 1 / (1 + std::exp(-2.0));
  const double dice = 1 - (2 * p * 0.25 + 0.01) / (p + 0.25 + 0.01);
  EXPECT_NEAR(MaskLosses(logits, labels, 3, 0)[1].item<double>(), 0.75 * zero + 3 * 0.25 * one, 1e-6);
  EXPECT_NEAR(MaskLosses(logits, labels, 3, 0.5)[1].item<double>(), 0.75 * zero + 0.75 * one + 0.5 * dice,
              1e-6);
  // Nothing moves and nothing is said to move: no loss.
  EXPECT_NEAR(MaskLosses(torch::full({1, 1, 2, 2}, -30.0f), torch::zeros({1, 1, 2, 2}), 3, 1).item<double>(),
              0, 1e-6);
  CheckGradient([&](const Tensor& v) { return MaskLosses(v, y, 3, 1).sum(); }, z, 1e-2, 1e-3);
}

// Two scenes of two targets: the first dynamic, its left half moves by the logits.
LossInputs TwoScenes() {
  LossInputs inputs;
  inputs.target = torch::zeros({2, 2, 3, 8, 8});
  inputs.rendering = torch::zeros({2, 2, 3, 8, 8});
  inputs.rendering.slice(4, 0, 4) += 0.5;  // wrong on the left
  inputs.rendering.slice(4, 4, 8) += 0.1;
  inputs.target_logits = torch::full({2, 2, 1, 8, 8}, -9.0f);
  inputs.target_logits.slice(4, 0, 4).fill_(9.0f);
  inputs.scene_is_dynamic = {true, false};
  return inputs;
}

LossOptions PlainOptions() {
  LossOptions options;
  options.perceptual = 0;
  return options;
}

TEST(Losses, DynamicScenesCountWhereTheyAreStatic) {
  LossOptions options = PlainOptions();
  const LossInputs inputs = TwoScenes();
  EXPECT_NEAR(Losses(options, nullptr)(inputs).mse, (0.25 + 0.01) / 2, 1e-6);
  options.static_pixels_only = true;
  const LossTerms terms = Losses(options, nullptr)(inputs);
  // Half of the first scene and all of the second count.
  EXPECT_NEAR(terms.mse, (0.5 * 0.01 + 0.5 * 0.25 + 0.5 * 0.01) / 1.5, 1e-6);
  EXPECT_NEAR(terms.static_share, 0.75, 1e-6);
  EXPECT_FALSE(terms.all_pixels);
  EXPECT_NEAR(terms.view_psnr[0].item<double>(), 20.0, 1e-4);
  EXPECT_NEAR(terms.view_psnr[2].item<double>(), -10 * std::log10(0.13), 1e-4);
}

TEST(Losses, TooLittleStaticMeansAllPixels) {
  LossOptions options = PlainOptions();
  options.static_pixels_only = true;
  LossInputs inputs = TwoScenes();
  inputs.scene_is_dynamic = {};  // all
  inputs.target_logits.fill_(9.0f);
  inputs.target_logits.select(3, 0).fill_(-9.0f);  // 1 row of 8: 12.5 %
  EXPECT_FALSE(Losses(options, nullptr)(inputs).all_pixels);
  inputs.target_logits.select(0, 1).fill_(9.0f);  // now 6.25 %
  const LossTerms terms = Losses(options, nullptr)(inputs);
  EXPECT_TRUE(terms.all_pixels);
  EXPECT_NEAR(terms.mse, 0.13, 1e-6);
}

TEST(Losses, ScenesHaveTheirWeights) {
  LossOptions options = PlainOptions();
  options.dynamic_scenes = 2.0;
  options.other_scenes = 0.5;
  LossInputs inputs = TwoScenes();
  inputs.rendering[1].zero_();
  const LossTerms terms = Losses(options, nullptr)(inputs);
  EXPECT_NEAR(terms.loss, 2 * 0.13 / 2, 1e-6);
  EXPECT_NEAR(terms.mse, 0.13 / 2, 1e-6) << "what is reported has no weights";
}

TEST(Losses, GateDropsBadViewsFromTheTargetMaskOnly) {
  LossOptions options = PlainOptions();
  options.psnr_gate = 17;
  LossInputs inputs = TwoScenes();
  inputs.rendering[1] = 0.1;  // 20 dB; the first scene has 8.9 dB
  inputs.target_labels = torch::ones({2, 2, 1, 8, 8});
  inputs.target_labels[1].zero_();
  inputs.target_logits.zero_();
  inputs.target_logits[0].fill_(100.0f);
  inputs.target_logits.set_requires_grad(true);
  const LossTerms terms = Losses(options, nullptr)(inputs);
  EXPECT_EQ(terms.gated_views, 2);
  EXPECT_NEAR(terms.target_mask, std::log(2.0), 1e-6);
  terms.total.backward();
  EXPECT_EQ(inputs.target_logits.grad()[0].abs().max().item<float>(), 0.0f);
  EXPECT_GT(inputs.target_logits.grad()[1].abs().min().item<float>(), 0.0f);
  EXPECT_NEAR(terms.loss, terms.mse + terms.target_mask, 1e-6);

  options.psnr_gate = 60;
  inputs.target_logits.mutable_grad() = Tensor();
  const LossTerms none = Losses(options, nullptr)(inputs);
  EXPECT_EQ(none.target_mask, 0.0);
  none.total.backward();  // still differentiable: a step in which nothing passes must not stop the run
  EXPECT_EQ(inputs.target_logits.grad().abs().max().item<float>(), 0.0f);
}

TEST(Losses, ScenesWithoutInputLabelsTeachNothing) {
  LossOptions options = PlainOptions();
  LossInputs inputs = TwoScenes();
  inputs.input_logits = torch::zeros({2, 3, 1, 8, 8});
  inputs.input_logits[0].fill_(50.0f);
  inputs.input_labels = torch::zeros({2, 3, 1, 8, 8}, torch::kUInt8);
  inputs.scene_has_input_labels = {false, true};
  EXPECT_NEAR(Losses(options, nullptr)(inputs).input_mask, std::log(2.0), 1e-6);
  inputs.scene_has_input_labels = {};
  EXPECT_NEAR(Losses(options, nullptr)(inputs).input_mask, (50 + std::log(2.0)) / 2, 1e-4);
}

TEST(Losses, NanReachesTheTotal) {
  LossInputs inputs = TwoScenes();
  inputs.rendering[0][0][0][7][7] = NAN;
  EXPECT_TRUE(std::isnan(Losses(PlainOptions(), nullptr)(inputs).loss));
}

TEST(Losses, RefusesShapesThatDoNotFit) {
  const Losses losses(PlainOptions(), nullptr);
  LossInputs inputs = TwoScenes();
  inputs.target = torch::zeros({2, 2, 3, 8, 4});
  EXPECT_THROW(losses(inputs), Error);
  inputs = TwoScenes();
  inputs.target_logits = torch::zeros({2, 3, 1, 8, 8});
  EXPECT_THROW(losses(inputs), Error);
  inputs = TwoScenes();
  inputs.scene_is_dynamic = {true};
  EXPECT_THROW(losses(inputs), Error);
  LossOptions options;
  options.perceptual = 0.2;
  EXPECT_THROW(Losses(options, nullptr), Error);
}

// The second ReLU of every block: torchvision's VGG has convolutions at even places but for the pools.
TEST(VggPerceptualLoss, TapsTheSecondReluOfEveryBlock) {
  for (const VggDepth depth : {VggDepth::k16, VggDepth::k19}) {
    std::vector<int> expected;
    int in_block = 0;
    for (const VggLayer& layer : VggLayers(depth)) {
      in_block = layer.pool ? 0 : in_block + 1;
      if (in_block == 2) expected.push_back(layer.index + 1);
    }
    EXPECT_EQ(VggPerceptualLoss::Taps(depth), expected);
  }
}

TEST(MakePerceptualLoss, SaysWhichOneItIs) {
  EXPECT_THAT(MakePerceptualLoss(std::nullopt, torch::kCPU)->Description(),
              ::testing::HasSubstr("substitute"));
  EXPECT_THROW(MakePerceptualLoss("/nonexistent/vgg19.pth", torch::kCPU), FileError);
}

}  // namespace
}  // namespace wildrayzer
