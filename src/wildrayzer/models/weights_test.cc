// Names, order and shapes of the state dict; loading and initialising weights.
#include "wildrayzer/models/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/nn/module.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::filesystem::path Folder() {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "wildrayzer_weights_test";
  std::filesystem::create_directories(folder);
  return folder;
}

ModelConfig TinyWeights() {
  ModelConfig config;
  config.patch = 8;
  config.d = 32;
  config.d_head = 16;
  config.scene_tokens = 3;
  config.camera_estimator_layers = 1;
  config.scene_encoder_layers = 1;
  config.renderer_layers = 1;
  config.use_motion = true;
  config.token_masking = TokenMasking::kNoise;
  config.motion.dino_width = 12;
  config.motion.layers = 1;
  config.motion.cross_view = false;
  return config;
}

WildRayZer RandomModel(const ModelConfig& config, uint64_t seed = 7) {
  WildRayZer model(config);
  RandomInit(model, seed);
  return model;
}

using Tensors = std::map<std::string, torch::Tensor>;

Tensors StateOf(const WildRayZer& model) {
  Tensors tensors;
  for (const auto& item : model->named_parameters()) tensors[item.key()] = item.value().detach().clone();
  for (const auto& item : model->named_buffers()) tensors[item.key()] = item.value().clone();
  return tensors;
}

DType TypeOf(const torch::Tensor& tensor) {
  if (tensor.scalar_type() == torch::kBFloat16) return DType::kBF16;
  return tensor.scalar_type() == torch::kInt64 ? DType::kI64 : DType::kF32;
}

Checkpoint Write(const std::string& name, const Tensors& tensors,
                 const std::map<std::string, std::string>& metadata = {}) {
  std::vector<TensorSource> sources;
  for (const auto& [key, tensor] : tensors) {
    const torch::Tensor data = tensor.contiguous();
    sources.push_back({key, TypeOf(data), data.sizes().vec(), [data](const ByteSink& sink) {
                         sink({static_cast<const std::byte*>(data.data_ptr()), data.nbytes()});
                       }});
  }
  WriteSafetensors(Folder() / name, sources, metadata);
  return Checkpoint::Open(Folder() / name);
}

std::string LoadError(torch::nn::Module& model, const Checkpoint& checkpoint,
                      const LoadOptions& options = {}) {
  try {
    LoadWeights(model, checkpoint, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(StateDict, EqualsTheReleasesNamesOrderAndShapes) {
  WRZ_NEED_GOLDEN();
  std::ifstream file(testing::GoldenDir() / "state_dict_manifest.json");
  const nlohmann::json models = nlohmann::json::parse(file).at("models");
  ASSERT_FALSE(models.empty());
  for (const auto& [stage, description] : models.items()) {
    SCOPED_TRACE(stage);
    TensorShapes shapes;
    std::vector<std::string> parameters;
    std::vector<std::string> buffers;
    for (const auto& entry : description.at("state_dict")) {
      const std::string name = entry.at("name");
      if (name.starts_with("loss_computer.") || name.starts_with("dinov3_pseudolabel_maker.")) continue;
      shapes[name] = entry.at("shape").get<std::vector<int64_t>>();
      (entry.at("kind") == "parameter" ? parameters : buffers).push_back(name);
    }
    const ModelConfig config = GuessFromCheckpoint(shapes, stage);
    WildRayZer model(config);
    std::vector<std::string> own;
    int64_t total = 0;
    for (const auto& item : model->named_parameters()) {
      own.push_back(item.key());
      total += item.value().numel();
      ASSERT_TRUE(shapes.contains(item.key())) << item.key();
      EXPECT_EQ(item.value().sizes().vec(), shapes.at(item.key())) << item.key();
    }
    // Stage 2 knows no noise token; a guess from its shapes must not invent one.
    EXPECT_EQ(own, parameters);
    std::vector<std::string> own_buffers;
    for (const auto& item : model->named_buffers()) own_buffers.push_back(item.key());
    EXPECT_EQ(own_buffers, buffers);
    EXPECT_EQ(total, description.at("parameters_without_loss_networks").get<int64_t>());
  }
}

TEST(StateDict, ShippedConfigurationsAreTheReleasesSizes) {
  const ModelConfig rayzer = ModelConfig::FromConfig(Config::Load("configs/rayzer.yaml"));
  const ModelConfig full = ModelConfig::FromConfig(Config::Load("configs/wildrayzer.yaml"));
  const auto count = [](const ModelConfig& config) {
    int64_t total = 0;
    WildRayZer model(config);
    for (const torch::Tensor& parameter : model->parameters()) total += parameter.numel();
    return total;
  };
  EXPECT_EQ(count(rayzer), 236590346);  // state_dict_manifest.json: stage 1, stage 3
  EXPECT_EQ(count(full), 277167651);
}

TEST(StateDict, ConfigurationIsGuessedFromShapes) {
  for (const PoseRepresentation pose : {PoseRepresentation::kRotation6d, PoseRepresentation::kQuaternion}) {
    ModelConfig config = TinyWeights();
    config.pose = pose;
    config.camera_estimator_layers = 3;
    config.motion.feature_layer = 2;  // shapes cannot tell: all blocks but the last
    config.renderer_layers = 2;
    WildRayZer model(config);
    TensorShapes shapes;
    for (const auto& item : model->named_parameters()) shapes[item.key()] = item.value().sizes().vec();
    EXPECT_EQ(GuessFromCheckpoint(shapes, "shapes"), config);

    std::erase_if(shapes, [](const auto& item) {
      return item.first.starts_with("motion_") || item.first == "noise_token";
    });
    const ModelConfig backbone = GuessFromCheckpoint(shapes, "shapes");
    EXPECT_FALSE(backbone.use_motion);
    EXPECT_EQ(backbone.token_masking, TokenMasking::kZero);
  }
}

TEST(LoadWeights, FillsEverythingWithoutCopying) {
  const WildRayZer source = RandomModel(TinyWeights());
  const Checkpoint checkpoint = Write("all.safetensors", StateOf(source));
  WildRayZer model(TinyWeights());
  const LoadReport report = LoadWeights(*model, checkpoint);
  EXPECT_THAT(report.missing, IsEmpty());
  EXPECT_THAT(report.unexpected, IsEmpty());
  const Tensors loaded = StateOf(model);
  for (const auto& [name, value] : StateOf(source)) EXPECT_TRUE(torch::equal(loaded.at(name), value)) << name;
  EXPECT_EQ(model->named_parameters()["scene_code"].data_ptr(), checkpoint.Get("scene_code").data_ptr());

  LoadOptions writable;
  writable.writable = true;
  LoadWeights(*model, checkpoint, writable);
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : model->parameters()) parameter.add_(1.0);  // would crash on the mapping
}

TEST(LoadWeights, PicksTensorsOutOfATrainingCheckpoint) {
  Tensors tensors;
  for (const auto& [name, value] : StateOf(RandomModel(TinyWeights()))) tensors["module." + name] = value;
  tensors["module.loss_computer.vgg.0.weight"] = torch::zeros({2});
  tensors["module.dinov3_pseudolabel_maker.img_norm_mean"] = torch::zeros({2});
  tensors["module.something_else"] = torch::zeros({2});
  WildRayZer model(TinyWeights());
  const Checkpoint checkpoint = Write("ddp.safetensors", tensors);
  const LoadReport report = LoadWeights(*model, checkpoint);
  // Under its own names a checkpoint can be hashed.
  const std::vector<std::string> stored = StoredModelNames(checkpoint);
  EXPECT_THAT(stored, Contains("module.cam_code"));
  EXPECT_THAT(stored, Not(Contains(HasSubstr("loss_computer"))));
  EXPECT_EQ(checkpoint.WeightsHash(stored).size(), 64u);
  EXPECT_THAT(report.unexpected, ElementsAre("something_else"));
  EXPECT_THAT(Warnings(), Contains(HasSubstr("something_else")));
}

TEST(LoadWeights, FindsTheModelBehindWhatToolsPutInFront) {
  const Tensors state = StateOf(RandomModel(TinyWeights()));
  for (const std::string prefix :
       {"module.", "_orig_mod.", "model.", "model._orig_mod.", "module.net.model."}) {
    Tensors tensors{{"loss_fn.net.weight", torch::zeros({2})}};
    for (const auto& [name, value] : state) tensors[prefix + name] = value;
    const Checkpoint checkpoint = Write("prefix.safetensors", tensors);
    EXPECT_NO_THROW(ConfigOfCheckpoint(checkpoint)) << prefix;
    WildRayZer model(TinyWeights());
    EXPECT_THAT(LoadWeights(*model, checkpoint).unexpected, ElementsAre("loss_fn.net.weight")) << prefix;
    EXPECT_TRUE(torch::equal(StateOf(model).at("cam_code"), state.at("cam_code"))) << prefix;
  }
  // Of two models the averaged one.
  Tensors twice;
  for (const auto& [name, value] : state) {
    twice["online_model." + name] = value;
    twice["ema_model." + name] = value + 1;
  }
  WildRayZer model(TinyWeights());
  LoadWeights(*model, Write("twice.safetensors", twice));
  EXPECT_TRUE(torch::equal(StateOf(model).at("cam_code"), state.at("cam_code") + 1));
  EXPECT_THAT(Warnings(),
              Contains(HasSubstr("holds the model 2 times; what is named 'ema_model.*' is used")));
}

TEST(LoadWeights, Bf16KeepsGeometryAndNormsInFp32) {
  const Checkpoint checkpoint = Write("bf16.safetensors", StateOf(RandomModel(TinyWeights())));
  WildRayZer model(TinyWeights());
  LoadOptions options;
  options.precision = Precision::kBf16;
  LoadWeights(*model, checkpoint, options);
  auto parameters = model->named_parameters();
  const auto type = [&](const char* name) { return parameters[name].scalar_type(); };
  EXPECT_EQ(type("transformer_encoder.0.attn.to_qkv.weight"), torch::kBFloat16);
  EXPECT_EQ(type("image_tokenizer.1.weight"), torch::kBFloat16);
  EXPECT_EQ(type("pose_predictor.rel_head.0.weight"), torch::kFloat32);
  EXPECT_EQ(type("scene_code"), torch::kFloat32);
  EXPECT_EQ(type("transformer_encoder.0.norm1.weight"), torch::kFloat32);
  EXPECT_EQ(type("motion_mask_predictor.scale1_refine.0.weight"), torch::kFloat32);

  WildRayZer exact(TinyWeights());
  LoadWeights(*exact, checkpoint);
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = testing::SmoothImage("bf16", 3, 16, 24).unsqueeze(0);
  PredictOptions forward;
  forward.features = FeatureSource::Given(testing::GeneratedTensor("bf16/dino", {1, 3, 12, 2, 3}));
  const Prediction a = Predict(model, images, 2, forward);
  const Prediction b = Predict(exact, images, 2, forward);
  // bf16 has 8 bits: the reference under autocast differs by 5e-3 on renderings (golden README, section 2).
  EXPECT_LT(testing::RelativeError(a.images, b.images), 2e-2);
  EXPECT_GT(testing::RelativeError(a.images, b.images), 0.0);
  EXPECT_EQ(a.images.scalar_type(), torch::kFloat32);
  EXPECT_EQ(a.cameras.c2w.scalar_type(), torch::kFloat32);

  // Converting afterwards is the same as loading in bf16.
  LoadOptions copy;
  copy.writable = true;
  LoadWeights(*exact, checkpoint, copy);
  CastWeights(*exact, Precision::kBf16);
  EXPECT_TRUE(torch::equal(Predict(exact, images, 2, forward).images, a.images));
}

TEST(LoadWeights, MissingNoiseTokenIsTheSameEveryTime) {
  Tensors tensors = StateOf(RandomModel(TinyWeights()));
  tensors.erase("noise_token");
  tensors.erase("motion_mask_predictor.head.2.bias");
  const Checkpoint checkpoint = Write("released.safetensors", tensors);
  WildRayZer first = RandomModel(TinyWeights(), 1);
  WildRayZer second = RandomModel(TinyWeights(), 2);
  EXPECT_THAT(LoadWeights(*first, checkpoint).missing, Contains("noise_token"));
  LoadWeights(*second, checkpoint);
  const torch::Tensor token = first->named_parameters()["noise_token"];
  EXPECT_TRUE(torch::equal(token, second->named_parameters()["noise_token"]));
  EXPECT_GT(token.abs().max().item<double>(), 0.0);
  EXPECT_LE(token.abs().max().item<double>(), 0.04);
  EXPECT_THAT(Warnings(), Contains(HasSubstr("noise_token")));
  EXPECT_EQ(first->named_parameters()["motion_mask_predictor.head.2.bias"].item<double>(), 0.0);
}

TEST(LoadWeights, PlainModelTakesTheBackboneOfAFullFile) {
  ModelConfig config = TinyWeights();
  const Checkpoint checkpoint = Write("full.safetensors", StateOf(RandomModel(config)));
  config.use_motion = false;
  config.token_masking = TokenMasking::kZero;
  WildRayZer model(config);
  EXPECT_THAT(LoadWeights(*model, checkpoint).unexpected, IsEmpty());
}

TEST(LoadWeights, MissingTensorsAreListed) {
  Tensors tensors = StateOf(RandomModel(TinyWeights()));
  tensors.erase("mlp_fuse.3.bias");
  tensors.erase("cam_code");
  const Checkpoint checkpoint = Write("missing.safetensors", tensors);
  WildRayZer model = RandomModel(TinyWeights());
  EXPECT_THAT(LoadError(*model, checkpoint), AnyOf(HasSubstr("cam_code, mlp_fuse.3.bias")));
  EXPECT_THAT(LoadError(*model, checkpoint), HasSubstr("missing.safetensors"));
  LoadOptions partial;
  partial.require_all = false;
  EXPECT_EQ(LoadError(*model, checkpoint, partial), "");
  EXPECT_THAT(CompareNames(*model, checkpoint).missing, ElementsAre("cam_code", "mlp_fuse.3.bias"));
}

TEST(LoadWeights, BadTensorsAreNamed) {
  const Tensors good = StateOf(RandomModel(TinyWeights()));
  WildRayZer model(TinyWeights());
  Tensors tensors = good;
  tensors["decoder_ln.weight"] = torch::ones({33});
  EXPECT_THAT(LoadError(*model, Write("shape.safetensors", tensors)),
              HasSubstr("tensor 'decoder_ln.weight' has shape [33], the model needs [32]"));
  tensors = good;
  tensors["decoder_ln.weight"] = torch::ones({32}, torch::kInt64);
  EXPECT_THAT(LoadError(*model, Write("type.safetensors", tensors)), HasSubstr("decoder_ln.weight"));
  tensors = good;
  tensors["transformer_decoder.0.mlp.mlp.0.weight"][5][6] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(LoadError(*model, Write("nan.safetensors", tensors)),
              HasSubstr("transformer_decoder.0.mlp.mlp.0.weight"));
}

TEST(ConfigOfCheckpoint, OwnFilesCarryTheirConfiguration) {
  ModelConfig config = TinyWeights();
  config.canonical = CanonicalView::kMiddle;  // cannot be guessed
  config.motion.cross_view = true;
  const Tensors tensors = StateOf(RandomModel(config));
  EXPECT_EQ(ConfigOfCheckpoint(Write("own.safetensors", tensors, {{kConfigMetadataKey, config.ToYaml()}})),
            config);
  const ModelConfig guessed = ConfigOfCheckpoint(Write("foreign.safetensors", tensors));
  EXPECT_EQ(guessed.canonical, CanonicalView::kFirst);
  EXPECT_FALSE(guessed.motion.cross_view);
  EXPECT_EQ(guessed.d_head, config.d_head);
  EXPECT_EQ(guessed.scene_tokens, config.scene_tokens);
  EXPECT_EQ(guessed.motion.dino_width, config.motion.dino_width);
  EXPECT_EQ(guessed.token_masking, TokenMasking::kNoise);
}

TEST(ConfigOfCheckpoint, TellsTheLayoutOfTheSceneFromTheWeights) {
  ModelConfig config = TinyWeights();
  config.scene = SceneLayout::kTokens;
  config.match_views = config.copy_inputs = config.motion.compare = true;
  const Tensors tensors = StateOf(RandomModel(config));
  EXPECT_EQ(tensors.count("scene_code"), 0u);
  const ModelConfig guessed = ConfigOfCheckpoint(Write("tokens.safetensors", tensors));
  EXPECT_EQ(guessed.scene, SceneLayout::kTokens);
  EXPECT_TRUE(guessed.match_views);
  EXPECT_TRUE(guessed.copy_inputs);
  EXPECT_TRUE(guessed.motion.compare);
  EXPECT_EQ(guessed.d, config.d);
  EXPECT_EQ(guessed.renderer_layers, config.renderer_layers);
  WildRayZer model(guessed);
  EXPECT_TRUE(LoadWeights(*model, Write("again.safetensors", tensors)).missing.empty());
  // Weights of one layout are no weights of the other.
  ModelConfig codes = TinyWeights();
  WildRayZer other(codes);
  EXPECT_THAT(LoadError(*other, Write("other.safetensors", tensors)), HasSubstr("scene_code"));
}

TEST(CastWeights, KeepsGeometryInFullPrecision) {
  WildRayZer model = RandomModel(TinyWeights());
  CastWeights(*model, Precision::kBf16);
  for (const auto& item : model->named_parameters()) {
    const bool geometry =
        item.key().starts_with("target_pose_tokenizer") || item.key().starts_with("pose_predictor");
    const bool matrix = item.value().dim() == 2 && item.key().ends_with(".weight");
    EXPECT_EQ(item.value().scalar_type() == torch::kBFloat16, matrix && !geometry) << item.key();
  }
}

TEST(RandomInit, FollowsTheMethod) {
  ModelConfig config = TinyWeights();
  config.d = 128;
  config.scene_tokens = 64;
  config.camera_estimator_layers = 3;
  auto parameters = RandomModel(config)->named_parameters();
  const auto std_of = [&](const std::string& name) { return parameters[name].std().item<double>(); };
  // Estimates from 16384 values or more: 3 % is five standard errors.
  EXPECT_NEAR(std_of("image_tokenizer.1.weight"), 0.02, 6e-4);
  EXPECT_NEAR(std_of("transformer_encoder.0.attn.to_qkv.weight"), 0.02 / std::sqrt(2.0), 5e-4);
  EXPECT_NEAR(std_of("transformer_encoder.2.mlp.mlp.2.weight"), 0.02 / std::sqrt(6.0), 3e-4);
  EXPECT_NEAR(std_of("motion_mask_predictor.motion_transformer.0.mlp.mlp.0.weight"), 0.02 / std::sqrt(2.0),
              5e-4);
  EXPECT_NEAR(std_of("motion_mask_predictor.scale1_refine.0.weight"), 1.0 / std::sqrt(3.0 * 128 * 9), 6e-4);
  EXPECT_LE(parameters["scene_code"].abs().max().item<double>(), 0.04);
  EXPECT_NEAR(std_of("scene_code"), 0.02 * 0.8796, 6e-4);  // of a normal cut at two standard deviations
  EXPECT_EQ(parameters["mlp_fuse.1.bias"].abs().max().item<double>(), 0.0);
  EXPECT_TRUE(torch::equal(parameters["transformer_decoder.0.norm2.weight"], torch::ones({128})));

  config.depth_init = false;
  auto uniform = RandomModel(config)->named_parameters();
  EXPECT_NEAR(uniform["transformer_encoder.0.attn.to_qkv.weight"].std().item<double>(), 0.02 / std::sqrt(6.0),
              3e-4);
}

TEST(RandomInit, DependsOnTheSeedOnly) {
  const Tensors a = StateOf(RandomModel(TinyWeights(), 3));
  const Tensors b = StateOf(RandomModel(TinyWeights(), 3));
  const Tensors c = StateOf(RandomModel(TinyWeights(), 4));
  for (const auto& [name, value] : a) EXPECT_TRUE(torch::equal(value, b.at(name))) << name;
  EXPECT_FALSE(torch::equal(a.at("image_tokenizer.1.weight"), c.at("image_tokenizer.1.weight")));
}

}  // namespace
}  // namespace wildrayzer
