// Where the model looks for the same point in other views: the attention that is taught to find it.
#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/testing/small_model.h"

namespace wildrayzer {
namespace {

using testing::Difference;
using testing::Images;
using testing::kRounding;
using testing::SmallConfig;
using testing::SmallModel;
using torch::Tensor;

ModelConfig MatchingConfig() {
  ModelConfig config = SmallConfig();
  config.scene = SceneLayout::kTokens;
  config.camera_attention = CameraAttention::kAlternating;
  config.view_code = ViewCode::kCanonical;
  config.token_masking = TokenMasking::kDrop;
  config.camera_estimator_layers = 4;
  config.motion.feature_layer = 3;
  config.use_motion = false;
  return config;
}

// Against the definition of attention, from the tokens that leave the second block.
TEST(MatchLogits, AreThoseOfTheThirdBlock) {
  WildRayZer model = SmallModel(MatchingConfig());
  std::map<std::string, Tensor> weights;
  for (const auto& item : model->named_parameters()) weights[item.key()] = item.value().detach();
  Tensor entering;
  Trace trace;
  trace.record = [&](const std::string& name, const Tensor& value) {
    if (name == "transformer_encoder.1") entering = value.detach();
  };
  const ViewTokens views = model->Tokenize(Images("match", 2, 3, 32, 48));
  const Tensor got = model->MatchLogits(model->EstimateCameras(views)).detach();
  model->EstimateCameras(views, trace);

  const std::string block = "transformer_encoder.2.";
  const Tensor centred = entering - entering.mean(-1, true);
  const Tensor normed =
      centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * weights.at(block + "norm1.weight");
  const auto part = [&](int64_t which, const char* norm, int64_t view) {
    // 24 image tokens a view follow three camera tokens; the first two of four heads of 16.
    const Tensor x = normed.matmul(weights.at(block + "attn.to_qkv.weight").narrow(0, 64 * which, 64).t())
                         .narrow(1, 3 + 24 * view, 24)
                         .view({2, 24, 4, 16})
                         .narrow(2, 0, 2)
                         .transpose(1, 2);
    return x / (x.square().mean(-1, true) + 1e-5).sqrt() * weights.at(block + "attn." + norm + ".weight");
  };
  ASSERT_EQ(got.sizes(), (torch::IntArrayRef{2, 3, 2, 24, 24}));
  for (int64_t v = 0; v < 3; ++v) {
    const Tensor expected = part(0, "q_norm", v).matmul(part(1, "k_norm", 0).transpose(-1, -2)) / 4.0;
    EXPECT_LT(Difference(got.select(1, v), expected), kRounding) << v;
  }
  // What it teaches reaches the blocks before, and nothing is kept where nothing learns.
  model->MatchLogits(model->EstimateCameras(views)).square().sum().backward();
  EXPECT_GT(
      model->named_parameters()["transformer_encoder.0.mlp.mlp.0.weight"].grad().abs().max().item<double>(),
      0);
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(model->EstimateCameras(views).matching.defined());
}

// Of scenes that some tokens have left, a different number in each.
TEST(LookLogits, AreOfTheTokensThatStayed) {
  WildRayZer model = SmallModel(MatchingConfig());
  Pass pass(model, FeatureSource(), Images("look", 2, 4, 32, 48), 2);
  Tensor masks = torch::zeros({2, 2, 1, 32, 48});
  masks[0][0].slice(1, 0, 16).fill_(1);  // the upper two rows of patches of the first scene's first input
  masks[1][0].slice(2, 8, 16).fill_(1);  // a column of the second's
  masks[1][1].fill_(1);
  const EncodedScene scene = pass.Encode(masks);
  pass.KeepLooks();
  pass.RenderTargets();
  const Tensor logits = pass.TargetLooks().detach(), hidden = pass.HiddenInFirst();
  ASSERT_EQ(logits.sizes(), (torch::IntArrayRef{2, 2, 2, 24, 24}));
  EXPECT_EQ(hidden[0].sum().item<int64_t>(), 12);
  EXPECT_EQ(hidden[1].sum().item<int64_t>(), 4);

  std::vector<Tensor> looks;
  model->Render(scene.memory, pass.cameras().Views(2, 2), 32, 48, {}, &looks);
  const Tensor q = torch::cat(looks, 1).detach(),
               k = scene.memory.blocks.at(1).keys.detach();  // [B, N, 4, 16]
  for (int64_t b = 0; b < 2; ++b) {
    int64_t place = 0;
    for (int64_t j = 0; j < 24; ++j) {
      if (hidden[b][j].item<bool>()) continue;
      for (const int64_t i : {0, 7, 23}) {
        const double expected = (q[b][24 + i][1] * k[b][place][1]).sum().item<double>() / 4;
        EXPECT_NEAR(logits[b][1][1][i][j].item<double>(), expected, 1e-5) << b << " " << i << " " << j;
      }
      ++place;
    }
  }
}

TEST(LookLogits, AreTheSameWhenBlocksAreComputedAgain) {
  const auto logits = [](int64_t every) {
    WildRayZer model = SmallModel(MatchingConfig());
    model->RecomputeBlocks(every);
    Pass pass(model, FeatureSource(), Images("look", 1, 3, 32, 48), 2);
    pass.Encode();
    pass.KeepLooks();
    pass.RenderTargets();
    return pass.TargetLooks().detach();
  };
  EXPECT_LT(Difference(logits(0), logits(1)), kRounding);
  EXPECT_LT(Difference(logits(0), logits(2)), kRounding);
}

}  // namespace
}  // namespace wildrayzer
