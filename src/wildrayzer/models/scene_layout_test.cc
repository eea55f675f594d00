// Scenes of the inputs' tokens: the renderer that attends to them, tokens that leave the attention, codes of
// views, and models of other patches. The published layout is in model_test.cc and the golden tests.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>

#include "wildrayzer/geometry/plucker.h"
#include "wildrayzer/models/camera_head.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/patch_resize.h"
#include "wildrayzer/models/testing/small_model.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Images;
using testing::kRounding;
using testing::SmallConfig;
using testing::SmallModel;
using torch::Tensor;

constexpr auto kDouble = torch::kFloat64;

ModelConfig TokensConfig() {
  ModelConfig config = SmallConfig();
  config.scene = SceneLayout::kTokens;
  config.use_motion = false;
  return config;
}

// The renderer written down once more: double precision, one view at a time, nothing kept, plain operations.
class PlainRenderer {
 public:
  explicit PlainRenderer(const WildRayZer& model) : config_(model->config()) {
    for (const auto& item : model->named_parameters())
      weights_[item.key()] = item.value().detach().to(kDouble).requires_grad_(true);
  }
  std::map<std::string, Tensor>& weights() { return weights_; }

  // scene [B, S, d] and ray tokens [B, n, d] of one view -> [B, 3, height, width].
  Tensor operator()(const Tensor& scene, const Tensor& rays, int64_t height, int64_t width) const {
    const Tensor normalised = Norm(scene, "decoder_ln");
    Tensor x = Norm(rays, "decoder_ln");
    for (int64_t i = 0; i < config_.renderer_layers; ++i) {
      const std::string block = "transformer_decoder." + std::to_string(i) + ".";
      const Tensor own = Norm(x, block + "norm1");
      const auto qkv = Times(own, block + "attn.to_qkv").chunk(3, -1);
      x = x + Attend(qkv[0], qkv[1], qkv[2], block + "attn");
      const auto kv = Times(normalised, block + "cross_attn.to_kv").chunk(2, -1);
      const Tensor asking = Times(Norm(x, block + "norm_cross"), block + "cross_attn.to_q");
      x = x + Attend(asking, kv[0], kv[1], block + "cross_attn");
      const Tensor hidden = Times(Norm(x, block + "norm2"), block + "mlp.mlp.0");
      x = x + Times(torch::gelu(hidden), block + "mlp.mlp.2");
    }
    const Tensor pixels = torch::sigmoid(Times(Norm(x, "image_token_decoder.0"), "image_token_decoder.1"));
    return Unpatchify(pixels, config_.patch, height, width);
  }

 private:
  const Tensor& Weight(const std::string& name) const { return weights_.at(name + ".weight"); }
  Tensor Times(const Tensor& x, const std::string& name) const { return x.matmul(Weight(name).t()); }
  Tensor Norm(const Tensor& x, const std::string& name) const {
    const Tensor centred = x - x.mean(-1, true);
    return centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * Weight(name);
  }
  Tensor Attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::string& name) const {
    const auto heads = [&](const Tensor& flat) {
      return flat.view({flat.size(0), flat.size(1), -1, config_.d_head}).transpose(1, 2);
    };
    const auto rms = [&](const Tensor& x, const std::string& norm) {
      return x / (x.square().mean(-1, true) + 1e-5).sqrt() * Weight(name + "." + norm);
    };
    const Tensor scores = rms(heads(q), "q_norm").matmul(rms(heads(k), "k_norm").transpose(2, 3)) /
                          std::sqrt(static_cast<double>(config_.d_head));
    return Times(scores.softmax(-1).matmul(heads(v)).transpose(1, 2).flatten(2), name + ".fc");
  }

  ModelConfig config_;
  std::map<std::string, Tensor> weights_;
};

struct Rendered {
  WildRayZer model = SmallModel(TokensConfig());
  Prediction result = Predict(model, Images("attend", 2, 5, 32, 48), 2);
  Cameras targets = result.cameras.Views(2, 3);
};

TEST(AttendingRenderer, IsWhatItsDefinitionSays) {
  const torch::NoGradGuard no_grad;
  Rendered test;
  const PlainRenderer plain(test.model);
  const Tensor rays = test.model->RenderRayTokens(test.targets, 32, 48).to(kDouble);
  EXPECT_EQ(test.result.scene.tokens.sizes(), (torch::IntArrayRef{2, 2 * 24, 64}));
  for (int64_t t = 0; t < 3; ++t) {
    const Tensor expected = plain(test.result.scene.tokens.to(kDouble), rays.select(1, t), 32, 48);
    EXPECT_LT(Difference(test.result.images.select(1, t).to(kDouble), expected), kRounding);
  }
  // The scene matters: with that of the other sample the picture is another.
  const Tensor swapped = plain(test.result.scene.tokens.flip(0).to(kDouble), rays.select(1, 0), 32, 48);
  EXPECT_GT(Difference(test.result.images.select(1, 0).to(kDouble), swapped), 1e-2);
}

TEST(AttendingRenderer, KeptKeysAndValuesGiveTheBitsOfFreshOnes) {
  const torch::NoGradGuard no_grad;
  Rendered test;
  const TokenSet scene{test.result.scene.tokens, {}};
  const SceneMemory kept = test.model->Remember(scene);
  for (int64_t t = 0; t < 3; ++t) {
    const Cameras one = test.targets.Views(t, 1);
    EXPECT_TRUE(torch::equal(test.model->Render(kept, one, 32, 48),
                             test.model->Render(test.model->Remember(scene), one, 32, 48)));
  }
}

// Against automatic differentiation of the plain definition, and against finite differences.
TEST(AttendingRenderer, HasTheGradientsOfItsDefinition) {
  Rendered test;
  const Tensor tokens = test.result.scene.tokens.detach().requires_grad_(true);
  const Cameras cameras = Cameras::Given(test.targets.c2w.detach(), test.targets.fxfycxcy.detach());
  const Tensor weights = testing::GeneratedTensor("attend/weights", {2, 3, 3, 32, 48}, 1.0);
  const auto loss = [&](const Tensor& scene) {
    return (test.model->Render(test.model->Remember({scene, {}}), cameras, 32, 48) * weights).sum();
  };
  test.model->zero_grad();
  loss(tokens).backward();

  PlainRenderer plain(test.model);
  const Tensor scene = tokens.detach().to(kDouble).requires_grad_(true);
  const Tensor rays = test.model->RenderRayTokens(cameras, 32, 48).detach().to(kDouble);
  Tensor expected = torch::zeros({}, kDouble);
  for (int64_t t = 0; t < 3; ++t)
    expected = expected + (plain(scene, rays.select(1, t), 32, 48) * weights.select(1, t)).sum();
  expected.backward();
  EXPECT_LT(Difference(tokens.grad().to(kDouble), scene.grad()), 1e-4);
  int compared = 0;
  for (const auto& item : test.model->named_parameters()) {
    if (!item.key().starts_with("transformer_decoder.")) continue;
    const Tensor& right = plain.weights().at(item.key()).grad();
    EXPECT_LT(Difference(item.value().grad().to(kDouble), right), 1e-4) << item.key();
    ++compared;
  }
  EXPECT_EQ(compared, 2 * 14);

  // Along one direction: the error of the quotient is of h^2 and of float32's rounding of a sum of 28,000.
  const torch::NoGradGuard no_grad;
  const Tensor direction = testing::GeneratedTensor("attend/direction", tokens.sizes().vec(), 1.0);
  const double h = 1e-2;
  const double quotient =
      (loss(tokens + h * direction) - loss(tokens - h * direction)).item<double>() / (2 * h);
  const double slope = (tokens.grad() * direction).sum().item<double>();
  EXPECT_NEAR(quotient, slope, 0.01 * std::abs(slope) + 0.05);
}

TEST(DroppedTokens, AreAsIfTheyHadNeverBeen) {
  const torch::NoGradGuard no_grad;
  for (const SceneLayout layout : {SceneLayout::kCodes, SceneLayout::kTokens}) {
    ModelConfig config = TokensConfig();
    config.scene = layout;
    config.token_masking = TokenMasking::kDrop;
    config.motion.threshold = 0.5;
    WildRayZer model = SmallModel(config);
    const ViewTokens views = model->Tokenize(Images("drop", 2, 2, 32, 48));
    const Cameras cameras = model->EstimateCameras(views);
    const Tensor rays = testing::RaysOf(model, cameras, views);
    Tensor masks = torch::zeros({2, 2, 1, 32, 48});
    masks[0][0].slice(1, 0, 16).fill_(1);  // twelve patches of the first scene, four of the second
    masks[1][1].slice(2, 0, 8).fill_(1);
    const EncodedScene both = model->EncodeScene(views, rays, masks);
    const Tensor pictures = model->Render(both.memory, cameras, 32, 48);
    const Tensor fused = model->FuseTokens(views.tokens, rays).flatten(1, 2);
    for (int64_t b = 0; b < 2; ++b) {
      const Tensor kept = fused[b].index({both.patch_is_dynamic[b].flatten().logical_not()}).unsqueeze(0);
      EXPECT_EQ(kept.size(1), b == 0 ? 36 : 44);
      const SceneMemory alone = model->Remember(model->EncodeTokens({kept, {}}));
      const Cameras own = Cameras::Given(cameras.c2w.narrow(0, b, 1), cameras.fxfycxcy.narrow(0, b, 1));
      EXPECT_LT(Difference(pictures.narrow(0, b, 1), model->Render(alone, own, 32, 48)), kRounding);
      EXPECT_LT(Difference(pictures.narrow(0, b, 1), model->Render(both.memory.Scene(b), own, 32, 48)),
                kRounding);
    }
  }
}

TEST(DroppedTokens, MayBeAll) {
  const torch::NoGradGuard no_grad;
  ModelConfig config = TokensConfig();
  config.token_masking = TokenMasking::kDrop;
  WildRayZer model = SmallModel(config);
  const ViewTokens a = model->Tokenize(Images("none/a", 1, 2, 32, 48));
  const ViewTokens b = model->Tokenize(Images("none/b", 1, 2, 32, 48));
  const Cameras cameras = model->EstimateCameras(a);
  const Tensor rays = testing::RaysOf(model, cameras, a);
  const Tensor all = torch::ones({1, 2, 1, 32, 48});
  const Tensor from_a = model->Render(model->EncodeScene(a, rays, all).memory, cameras, 32, 48);
  EXPECT_TRUE(from_a.isfinite().all().item<bool>());
  // Nothing of the photos is left.
  EXPECT_TRUE(torch::equal(from_a, model->Render(model->EncodeScene(b, rays, all).memory, cameras, 32, 48)));
}

TEST(ViewCode, OfTheCanonicalViewLeavesTheOthersInAnyOrder) {
  const torch::NoGradGuard no_grad;
  ModelConfig config = TokensConfig();
  const Tensor images = Images("order", 1, 6, 32, 48);
  const Tensor order = torch::tensor({0, 1, 5, 3, 2, 4});
  for (const ViewCode code : {ViewCode::kNumber, ViewCode::kCanonical}) {
    config.view_code = code;
    config.camera_attention =
        code == ViewCode::kCanonical ? CameraAttention::kAlternating : CameraAttention::kGlobal;
    WildRayZer model = SmallModel(config);
    // Every view has a camera of its own.
    const Tensor c2w = model->EstimateCameras(model->Tokenize(images)).c2w[0];
    for (int64_t v = 2; v < 6; ++v) EXPECT_GT(Difference(c2w[v], c2w[1]), 1e-3);
    const Tensor straight = Predict(model, images, 2).images.index({0, order.slice(0, 2) - 2});
    const Tensor permuted = Predict(model, images.index_select(1, order), 2).images[0];
    if (code == ViewCode::kCanonical) {
      EXPECT_LT(Difference(permuted, straight), kRounding);
    } else {
      EXPECT_GT(Difference(permuted, straight), 1e-2);
    }
  }
  // The canonical view is told from the others.
  const Tensor tokens = SmallModel(config)->Tokenize(images.narrow(1, 0, 1).expand_as(images)).tokens[0];
  EXPECT_GT(Difference(tokens[0], tokens[1]), 1e-2);
  EXPECT_EQ(Difference(tokens[1], tokens[2]), 0.0);
}

// 60 degrees for an output of 0, never beyond 30 and 102 degrees.
TEST(FocalLength, CentredCoversTheUsualFieldsOfView) {
  const torch::NoGradGuard no_grad;
  CameraHead head(8, PoseRepresentation::kRotation6d, CanonicalView::kFirst, FocalLength::kCentred);
  const auto field_of_view = [&](double bias) {
    for (auto& item : head->named_parameters()) {
      item.value().zero_();
      if (item.key() == "canonical_k_head.2.bias") item.value().fill_(bias);
    }
    const double focal = head->forward(torch::zeros({1, 2, 8}), 128, 128)[0][1][9].item<double>();
    return 2 * std::atan(0.5 / focal) * 180 / std::numbers::pi;
  };
  EXPECT_NEAR(field_of_view(0), 60, 0.05);
  EXPECT_NEAR(field_of_view(100), 30, 0.5);
  EXPECT_NEAR(field_of_view(-100), 102.5, 0.5);
}

// Rays through points as far right of the centre as below it, in pixels, are as far off the axis.
TEST(FocalLength, CentredHasSquarePixelsInFramesOfAnyShape) {
  const torch::NoGradGuard no_grad;
  constexpr int64_t kHigh = 16, kWide = 32;
  ModelConfig config = TokensConfig();
  config.height = kHigh;
  config.width = kWide;
  for (const FocalLength focal : {FocalLength::kCentred, FocalLength::kBounded, FocalLength::kPublished}) {
    config.focal = focal;
    WildRayZer model = SmallModel(config);
    const Cameras cameras = model->EstimateCameras(model->Tokenize(Images("wide", 1, 2, kHigh, kWide)));
    // [6, H, W] of the first view, whose axes are the world's; pixel centres lie half a pixel off the axis.
    const Tensor rays = PluckerRays(cameras.c2w, cameras.fxfycxcy, kHigh, kWide)[0][0];
    const auto tangent = [&](int64_t axis, int64_t row, int64_t column) {
      return (rays[3 + axis][row][column] / rays[5][row][column]).item<double>();
    };
    const double right = tangent(0, kHigh / 2, kWide / 2 + 5), down = tangent(1, kHigh / 2 + 5, kWide / 2);
    const double fx = cameras.fxfycxcy[0][0][0].item<double>(), fy = cameras.fxfycxcy[0][0][1].item<double>();
    EXPECT_NEAR(right, 5.5 / (fx * kWide), 1e-6);
    if (focal == FocalLength::kCentred) {
      EXPECT_NEAR(right, down, 1e-6);
      EXPECT_NEAR(fy / fx, 2, 1e-6);
    } else {
      EXPECT_EQ(fx, fy);
      EXPECT_NEAR(2 * right, down, 1e-6);
    }
  }
  // The number is the same one as in a square of the same area.
  CameraHead head(8, PoseRepresentation::kRotation6d, CanonicalView::kFirst, FocalLength::kCentred);
  torch::manual_seed(2);
  for (auto& item : head->named_parameters()) item.value().uniform_(-0.5, 0.5);
  const Tensor tokens = torch::rand({1, 2, 8});
  const Tensor square = head->forward(tokens, 64, 64), wide = head->forward(tokens, 32, 128);
  EXPECT_NEAR((wide[0][0][9] * wide[0][0][10]).item<double>(), square[0][0][9].square().item<double>(), 1e-5);
}

// The same tokens of twice as large pictures.
ModelConfig Doubled(ModelConfig config) {
  config.patch *= 2;
  config.height *= 2;
  config.width *= 2;
  return config;
}

// Values of patches of p pixels as [p, p], of one of their tokens' numbers.
Tensor OfPatch(const Tensor& values, int64_t p) { return values.reshape({p, p}); }

TEST(PatchResize, EnlargesWhatChoosesCopies) {
  const torch::NoGradGuard no_grad;
  ModelConfig config = TokensConfig();
  config.match_views = config.copy_inputs = true;
  WildRayZer small = SmallModel(config);
  WildRayZer large(Doubled(config));
  CopyResizingPatches(small, large);
  const auto a = small->named_parameters(), b = large->named_parameters();
  const auto twice = [](const Tensor& grid) { return grid.repeat_interleave(2, 0).repeat_interleave(2, 1); };
  EXPECT_TRUE(
      torch::equal(OfPatch(b["copy_head.gate.1.bias"], 16), twice(OfPatch(a["copy_head.gate.1.bias"], 8))));
  EXPECT_TRUE(torch::equal(OfPatch(b["copy_head.gate.1.weight"].select(1, 5), 16),
                           twice(OfPatch(a["copy_head.gate.1.weight"].select(1, 5), 8))));
  // Patches of four times the pixels add up to the same token.
  EXPECT_LT(Difference(b["copy_head.tokenizer.1.weight"].sum(1), a["copy_head.tokenizer.1.weight"].sum(1)),
            1e-5);
}

TEST(PatchResize, GoesOnWhereTheSmallModelWas) {
  const torch::NoGradGuard no_grad;
  ModelConfig config = TokensConfig();
  WildRayZer small = SmallModel(config);
  WildRayZer large(Doubled(config));
  CopyResizingPatches(small, large);
  const auto twice = [](const Tensor& images) {
    return images.repeat_interleave(2, 3).repeat_interleave(2, 4);
  };
  const Tensor images = Images("resize", 1, 4, 32, 48);
  const Prediction a = Predict(small, images, 2);
  const Prediction b = Predict(large, twice(images), 2);
  EXPECT_LT(Difference(b.cameras.c2w, a.cameras.c2w), kRounding);
  // Directions are normalised in every pixel, so four of them do not quite add up to one.
  EXPECT_LT(Difference(b.images, twice(a.images)), 2e-2);

  WildRayZer back = SmallModel(TokensConfig());
  for (auto& item : back->named_parameters()) item.value().zero_();
  CopyResizingPatches(large, back);
  for (const auto& item : back->named_parameters()) {
    EXPECT_LT(Difference(item.value(), small->named_parameters()[item.key()]), 1e-6) << item.key();
  }
  config.patch = 12;
  config.height = config.width = 48;
  WildRayZer other(config);
  EXPECT_THROW(CopyResizingPatches(small, other), UsageError);
}

}  // namespace
}  // namespace wildrayzer
