// Weights in int8: into files, out of them, and what a model makes of them.
#include "wildrayzer/models/int8_weights.h"

#include <gtest/gtest.h>

#include <set>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

ModelConfig Int8Config() {
  ModelConfig config;
  config.height = config.width = 32;
  config.d = 64;
  config.d_head = 16;
  config.scene_tokens = 8;
  config.camera_estimator_layers = config.scene_encoder_layers = config.renderer_layers = 2;
  return config;
}

std::vector<TensorSource> Int8Sources(const TensorFile& file) {
  std::vector<TensorSource> sources;
  for (const TensorEntry& entry : file.tensors()) {
    if (!IsBlockMatrix(entry.name, entry.shape)) {
      sources.push_back(TensorSource::Of(entry));
      continue;
    }
    for (const TensorSource& source : QuantizedSources(entry)) sources.push_back(source);
  }
  return sources;
}

std::vector<TensorSource> SourcesOf(const torch::nn::Module& module) {
  std::vector<TensorSource> sources;
  for (const auto& item : module.named_parameters())
    sources.push_back(TensorSourceOf(item.key(), item.value()));
  return sources;
}

// A model of random weights, as float32 and as int8 files.
class Int8Files : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = WildRayZer(Int8Config());
    RandomInit(model_, /*seed=*/3);
    WriteSafetensors(exact_, SourcesOf(*model_));
    WriteSafetensors(rounded_, Int8Sources(OpenSafetensors(exact_)));
  }

  WildRayZer Load(const std::filesystem::path& path, Precision precision, bool keep = false) {
    WildRayZer model(Int8Config());
    LoadOptions options;
    options.precision = precision;
    options.keep_int8 = keep;
    LoadWeights(*model, Checkpoint::Open(path), options);
    model->eval();
    return model;
  }

  torch::Tensor Tokens(WildRayZer& model) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(4);
    const ViewTokens views = model->Tokenize(torch::rand({1, 2, 3, 32, 32}));
    return model->EstimateCameras(views).c2w;
  }

  std::filesystem::path folder_ = testing::FreshFolder("int8_files");
  std::filesystem::path exact_ = folder_ / "exact.safetensors";
  std::filesystem::path rounded_ = folder_ / "int8.safetensors";
  WildRayZer model_{nullptr};
};

TEST_F(Int8Files, OnLoadingAndBeforehandAreTheSame) {
  WildRayZer loading = Load(exact_, Precision::kInt8), before = Load(rounded_, Precision::kInt8);
  const auto a = loading->named_parameters(), b = before->named_parameters();
  ASSERT_EQ(a.size(), b.size());
  size_t in_int8 = 0;
  for (const auto& item : a) {
    const torch::Tensor* other = b.find(item.key());
    ASSERT_NE(other, nullptr) << item.key();
    EXPECT_EQ(item.value().scalar_type(), other->scalar_type()) << item.key();
    EXPECT_TRUE(torch::equal(item.value(), *other)) << item.key();
    in_int8 += item.value().scalar_type() == torch::kInt8;
  }
  EXPECT_EQ(in_int8, 6 * 4u);  // qkv, projection and MLP of six blocks
  EXPECT_TRUE(torch::equal(Tokens(loading), Tokens(before)));
}

TEST_F(Int8Files, AreMappedAndNotConverted) {
  const Checkpoint checkpoint = Checkpoint::Open(rounded_);
  WildRayZer model(Int8Config());
  LoadOptions options;
  options.precision = Precision::kInt8;
  LoadWeights(*model, checkpoint, options);
  for (const auto& [name, linear] : BlockLinears(*model))
    EXPECT_EQ(model->named_parameters()[name].data_ptr(), checkpoint.Get(name).data_ptr()) << name;
}

TEST_F(Int8Files, StayOnlyWhenAsked) {
  EXPECT_TRUE(HoldsInt8(*Load(rounded_, Precision::kFp32, /*keep=*/true)));
  WildRayZer left = Load(rounded_, Precision::kFp32);
  EXPECT_FALSE(HoldsInt8(*left));
  const auto parameters = left->named_parameters();
  EXPECT_EQ(parameters.find("transformer_encoder.0.attn.fc.weight_scale"), nullptr);
  const torch::Tensor exact = model_->named_parameters()["transformer_encoder.0.attn.fc.weight"];
  const torch::Tensor back = parameters["transformer_encoder.0.attn.fc.weight"];
  // Half a step of 1/127 of a row's largest number.
  EXPECT_TRUE(((back - exact).abs() <= exact.abs().amax(1, true) / 253).all().item<bool>());
  EXPECT_GT((back - exact).abs().max().item<double>(), 0);
  EXPECT_EQ(Load(rounded_, Precision::kBf16)
                ->named_parameters()["transformer_encoder.0.attn.fc.weight"]
                .scalar_type(),
            torch::kBFloat16);
}

TEST_F(Int8Files, GiveNearlyTheSameCameras) {
  WildRayZer rounded = Load(rounded_, Precision::kInt8);
  model_->eval();
  const double error = (Tokens(rounded) - Tokens(model_)).abs().max().item<double>();
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.01);  // each of 12 branches is off by 1 % of itself, its sum by less than that
}

TEST_F(Int8Files, DamagedOnesAreNamed) {
  const TensorFile file = OpenSafetensors(rounded_);
  const std::string matrix = "transformer_encoder.1.mlp.mlp.0.weight";
  const auto written = [&](const std::string& without, const std::string& renamed) {
    std::vector<TensorSource> sources;
    for (const TensorEntry& entry : file.tensors()) {
      TensorSource source = TensorSource::Of(entry);
      if (entry.name == without && renamed.empty()) continue;
      if (entry.name == without) source.name = renamed;
      sources.push_back(source);
    }
    const std::filesystem::path path = folder_ / "damaged.safetensors";
    WriteSafetensors(path, sources);
    return path;
  };
  const auto reason = [&](const std::filesystem::path& path) -> std::string {
    try {
      Load(path, Precision::kInt8);
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(reason(written(matrix + "_scale", "")).find(matrix), std::string::npos);
  // A matrix that is none of a block's.
  const std::string tokenizer = "image_tokenizer.1.weight";
  std::vector<TensorSource> sources;
  const TensorFile exact = OpenSafetensors(exact_);
  for (const TensorEntry& entry : exact.tensors()) {
    if (entry.name != tokenizer) {
      sources.push_back(TensorSource::Of(entry));
      continue;
    }
    for (const TensorSource& source : QuantizedSources(entry)) sources.push_back(source);
  }
  const std::filesystem::path odd = folder_ / "odd.safetensors";
  WriteSafetensors(odd, sources);
  EXPECT_NE(reason(odd).find(tokenizer), std::string::npos);
}

TEST_F(Int8Files, LeaveInt8AsTheyWouldInMemory) {
  const TensorFile file = OpenSafetensors(rounded_);
  const std::string name = "transformer_encoder.0.attn.to_qkv.weight";
  const std::filesystem::path path = folder_ / "back.safetensors";
  WriteSafetensors(path, {DequantizedSource(*file.Find(name), *file.Find(name + "_scale"), DType::kF32)});
  const torch::Tensor back = Checkpoint::Open(path).Get(name);
  const Checkpoint checkpoint = Checkpoint::Open(rounded_);
  EXPECT_TRUE(torch::equal(back, DequantizeMatrix(Int8MatrixOf(checkpoint, name))));
}

TEST(QuantizedSources, NameNumbersThatAreNotFinite) {
  const std::filesystem::path folder = testing::FreshFolder("int8_sources");
  const std::filesystem::path path = folder / "nan.safetensors";
  torch::Tensor matrix = torch::ones({2, 3});
  matrix[1][2] = std::numeric_limits<float>::infinity();
  WriteSafetensors(path, {TensorSourceOf("block.mlp.weight", matrix)});
  const TensorFile file = OpenSafetensors(path);
  try {
    WriteSafetensors(folder / "out.safetensors", QuantizedSources(file.tensors().front()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("block.mlp.weight"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "out.safetensors"));
}

TEST(BlockMatrices, AreThoseOfBlocksInEveryLayoutOfNames) {
  const std::vector<int64_t> matrix = {8, 8}, vector = {8};
  for (const char* name :
       {"transformer_encoder.3.attn.to_qkv.weight", "transformer_decoder.0.cross_attn.to_kv.weight",
        "module.transformer_encoder_geom.7.mlp.mlp.2.weight", "layer.0.attention.q_proj.weight",
        "model.layer.39.mlp.gate_proj.weight", "blocks.2.attn.qkv.weight", "blocks.2.mlp.w12.weight"})
    EXPECT_TRUE(IsBlockMatrix(name, matrix)) << name;
  for (const char* name :
       {"pose_predictor.rel_head.0.weight", "mlp_fuse.1.weight", "image_tokenizer.1.weight",
        "motion_mask_predictor.fusion_mlp.1.weight", "layer.0.attention.q_proj.bias"})
    EXPECT_FALSE(IsBlockMatrix(name, matrix)) << name;
  EXPECT_FALSE(IsBlockMatrix("transformer_encoder.3.attn.q_norm.weight", vector));
}

TEST(Dinov3InInt8, ComesFromEitherKindOfFile) {
  Dinov3Config config = Dinov3Config::Variant("vits16");
  config.layers = 2;
  const std::filesystem::path folder = testing::FreshFolder("int8_sources");
  Dinov3 exact = RandomDinov3(config, 5);
  const std::filesystem::path float_file = folder / "float.safetensors";
  const std::filesystem::path int8_file = folder / "int8.safetensors";
  WriteSafetensors(float_file, SourcesOf(*exact));
  WriteSafetensors(int8_file, Int8Sources(OpenSafetensors(float_file)));
  torch::manual_seed(6);
  const torch::Tensor images = torch::rand({1, 3, 32, 48});
  Dinov3LoadOptions int8, keep;
  int8.dtype = torch::kInt8;
  keep.keep_int8 = true;
  const torch::Tensor expected = exact->PatchFeatures(images);
  const torch::Tensor rounded = LoadDinov3(int8_file, int8)->PatchFeatures(images);
  EXPECT_TRUE(torch::equal(rounded, LoadDinov3(float_file, int8)->PatchFeatures(images)));
  EXPECT_TRUE(torch::equal(rounded, LoadDinov3(int8_file, keep)->PatchFeatures(images)));
  EXPECT_TRUE(torch::equal(rounded, RandomDinov3(config, 5, int8)->PatchFeatures(images)));
  const double error = ((rounded - expected).norm() / expected.norm()).item<double>();
  EXPECT_GT(error, 1e-4);
  EXPECT_LT(error, 0.05);  // two blocks of random matrices, each product off by 1 %
  // And out of int8 on loading.
  const double left =
      ((LoadDinov3(int8_file)->PatchFeatures(images) - expected).norm() / expected.norm()).item<double>();
  EXPECT_GT(left, 1e-4);
  EXPECT_LT(left, error);
}

}  // namespace
}  // namespace wildrayzer
