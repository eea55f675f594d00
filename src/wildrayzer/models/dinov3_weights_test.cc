// Every container and naming in which DINOv3 is published gives the same features, and damaged ones one clear
// line.
#include "wildrayzer/models/dinov3_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/models/dinov3_test_files.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Dinov3Files : public ::testing::Test {
 protected:
  Dinov3Files() : model_(TinyConfig()) {
    model_->InitializeRandom(5);
    const torch::NoGradGuard guard;
    for (auto& item :
         model_->named_parameters()) {  // no value may be zero, or a swapped bias would not be seen
      if (item.value().dim() == 1) FillNormal(item.value(), 0.3, 6, item.key());
      tensors_[item.key()] = item.value();
    }
    images_ = torch::rand({1, 3, 48, 64});
    features_ = model_->PatchFeatures(images_);
  }

  static nlohmann::json Json() {
    return {{"model_type", "dinov3_vit"}, {"hidden_size", 64},        {"intermediate_size", 96},
            {"num_hidden_layers", 2},     {"num_attention_heads", 1}, {"hidden_act", "silu"},
            {"use_gated_mlp", true},      {"num_register_tokens", 4}, {"patch_size", 16},
            {"layer_norm_eps", 1e-5},     {"rope_theta", 100.0}};
  }
  static void WriteText(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

  fs::path Folder(const std::string& name) const {
    const fs::path folder = temporary_.path() / name;
    fs::create_directories(folder);
    return folder;
  }

  // The same weights under the original release's names, with the buffers of its files.
  NamedTensors Meta() const {
    NamedTensors meta;
    const auto at = [&](const std::string& name) { return tensors_.at(name); };
    meta["cls_token"] = at("embeddings.cls_token");
    meta["mask_token"] = at("embeddings.mask_token").squeeze(0);
    meta["storage_tokens"] = at("embeddings.register_tokens");
    for (const std::string kind : {"weight", "bias"}) {
      meta["patch_embed.proj." + kind] = at("embeddings.patch_embeddings." + kind);
      meta["norm." + kind] = at("norm." + kind);
      meta["local_cls_norm." + kind] = torch::full({64}, 7.0);
    }
    meta["rope_embed.periods"] = torch::full({16}, 7.0);
    for (const std::string i : {"0", "1"}) {
      const std::string from = "layer." + i + ".";
      const std::string to = "blocks." + i + ".";
      meta[to + "attn.qkv.weight"] =
          torch::cat({at(from + "attention.q_proj.weight"), at(from + "attention.k_proj.weight"),
                      at(from + "attention.v_proj.weight")});
      meta[to + "attn.qkv.bias"] = torch::cat(
          {at(from + "attention.q_proj.bias"), torch::full({64}, 9.0), at(from + "attention.v_proj.bias")});
      meta[to + "attn.qkv.bias_mask"] = torch::full({192}, std::nan(""));
      meta[to + "ls1.gamma"] = at(from + "layer_scale1.lambda1");
      meta[to + "ls2.gamma"] = at(from + "layer_scale2.lambda1");
      for (const std::string kind : {"weight", "bias"}) {
        meta[to + "norm1." + kind] = at(from + "norm1." + kind);
        meta[to + "norm2." + kind] = at(from + "norm2." + kind);
        meta[to + "attn.proj." + kind] = at(from + "attention.o_proj." + kind);
        meta[to + "mlp.w1." + kind] = at(from + "mlp.gate_proj." + kind);
        meta[to + "mlp.w2." + kind] = at(from + "mlp.up_proj." + kind);
        meta[to + "mlp.w3." + kind] = at(from + "mlp.down_proj." + kind);
      }
    }
    return meta;
  }

  void ExpectSame(const fs::path& path, const std::string& what) {
    EXPECT_TRUE(torch::equal(LoadDinov3(path)->PatchFeatures(images_), features_)) << what;
  }

  // Loading `tensors` as a bare file fails with a line that names the file and `problem`.
  void ExpectError(const NamedTensors& tensors, const std::string& problem) {
    const fs::path path = temporary_.path() / "bad.safetensors";
    WriteTensors(path, tensors);
    ExpectErrorAt(path, problem);
  }
  static void ExpectErrorAt(const fs::path& path, const std::string& problem) {
    try {
      LoadDinov3(path);
      ADD_FAILURE() << "accepted: " << problem;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(problem));
      EXPECT_THAT(error.what(), HasSubstr(path.filename().string()));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }

  TemporaryFolder temporary_;
  Dinov3 model_;
  NamedTensors tensors_;
  torch::Tensor images_;
  torch::Tensor features_;
};

TEST_F(Dinov3Files, HuggingFaceFolder) {
  const fs::path folder = Folder("single");
  WriteTensors(folder / "model.safetensors", tensors_);
  ExpectSame(folder, "sizes guessed");
  WriteText(folder / "config.json", Json().dump());
  ExpectSame(folder, "folder with config.json");
  ExpectSame(folder / "model.safetensors", "file beside config.json");
}

TEST_F(Dinov3Files, ShardedHuggingFaceFolder) {
  const fs::path folder = Folder("sharded");
  NamedTensors shards[2];
  nlohmann::json index = {{"metadata", nlohmann::json::object()}, {"weight_map", nlohmann::json::object()}};
  int64_t bytes = 0;
  size_t i = 0;
  for (const auto& [name, tensor] : tensors_) {
    const size_t shard = i++ % 2;
    shards[shard][name] = tensor;
    index["weight_map"][name] = "model-0000" + std::to_string(shard + 1) + "-of-00002.safetensors";
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  index["metadata"]["total_size"] = bytes;
  WriteTensors(folder / "model-00001-of-00002.safetensors", shards[0]);
  WriteTensors(folder / "model-00002-of-00002.safetensors", shards[1]);
  WriteText(folder / "model.safetensors.index.json", index.dump());
  WriteText(folder / "config.json", Json().dump());
  ExpectSame(folder, "two shards");
}

TEST_F(Dinov3Files, PrefixedNames) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : tensors_) {
    renamed["dinov3_vit." + std::string(name.starts_with("layer.") ? "model." : "") + name] = tensor;
  }
  WriteTensors(temporary_.path() / "prefixed.safetensors", renamed);
  ExpectSame(temporary_.path() / "prefixed.safetensors", "prefixes");
  renamed["layer.0.norm1.weight"] = tensors_["layer.0.norm1.weight"];
  ExpectError(renamed, "both 'layer.0.norm1.weight'");
}

TEST_F(Dinov3Files, MetaFiles) {
  const NamedTensors meta = Meta();
  WriteTensors(temporary_.path() / "meta.safetensors", meta);
  ExpectSame(temporary_.path() / "meta.safetensors", "original names in safetensors");
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : meta) {
    const torch::Tensor values = tensor.contiguous();
    sources.push_back({name, DType::kF32, values.sizes().vec(), [values](const ByteSink& sink) {
                         sink({static_cast<const std::byte*>(values.data_ptr()), values.nbytes()});
                       }});
  }
  const fs::path pth = temporary_.path() / "dinov3_tiny_pretrain_lvd1689m.pth";
  WriteTorchArchive(pth, TorchValue::MakeStateDict(std::move(sources)));
  ExpectSame(pth, ".pth");
}

TEST_F(Dinov3Files, Float32IsNotCopied) {
  const fs::path path = temporary_.path() / "meta.safetensors";
  WriteTensors(path, Meta());
  const Checkpoint checkpoint = Checkpoint::Open(path);
  Dinov3 loaded =
      LoadDinov3(checkpoint, GuessDinov3Config(checkpoint, MapDinov3Names(path, checkpoint.names())));
  const auto parameters = loaded->named_parameters();
  const auto* qkv = static_cast<const float*>(checkpoint.Get("blocks.1.attn.qkv.weight").data_ptr());
  EXPECT_EQ(parameters["layer.1.attention.q_proj.weight"].data_ptr(), qkv);
  EXPECT_EQ(parameters["layer.1.attention.v_proj.weight"].data_ptr(), qkv + 2 * 64 * 64);
  EXPECT_EQ(parameters["norm.bias"].data_ptr(), checkpoint.Get("norm.bias").data_ptr());
  EXPECT_FALSE(parameters["norm.bias"].requires_grad());
}

TEST_F(Dinov3Files, Bfloat16) {
  const fs::path path = temporary_.path() / "plain.safetensors";
  WriteTensors(path, tensors_);
  Dinov3LoadOptions options;
  options.dtype = torch::kBFloat16;
  Dinov3 loaded = LoadDinov3(path, options);
  for (const auto& item : loaded->named_parameters()) {
    const bool matrix = item.value().dim() == 2 || item.value().dim() == 4;
    EXPECT_EQ(item.value().scalar_type(), matrix ? torch::kBFloat16 : torch::kFloat32) << item.key();
  }
  const torch::Tensor features = loaded->PatchFeatures(images_);
  EXPECT_EQ(features.scalar_type(), torch::kFloat32);
  const double error = ((features - features_).norm() / features_.norm()).item<double>();
  EXPECT_LT(error, 2e-2);  // 8-bit mantissas in the products, float32 in between
  EXPECT_GT(error, 1e-4);  // it did run in bf16

  // A file in bf16 gives what its rounded numbers give in float32.
  NamedTensors rounded;
  for (const auto& [name, tensor] : tensors_) rounded[name] = tensor.to(torch::kBFloat16);
  WriteTensors(temporary_.path() / "bf16.safetensors", rounded);
  const Dinov3 wide = LoadDinov3(temporary_.path() / "bf16.safetensors");
  EXPECT_TRUE(torch::equal(wide->named_parameters()["layer.0.mlp.up_proj.weight"],
                           tensors_["layer.0.mlp.up_proj.weight"].to(torch::kBFloat16).to(torch::kFloat32)));
}

TEST_F(Dinov3Files, Bfloat16PeriodsChangeTheFeatures) {
  const fs::path path = temporary_.path() / "plain.safetensors";
  WriteTensors(path, tensors_);
  Dinov3LoadOptions options;
  options.bf16_periods = true;
  EXPECT_FALSE(torch::equal(LoadDinov3(path, options)->PatchFeatures(images_), features_));
}

TEST_F(Dinov3Files, DamagedFiles) {
  const auto changed = [&](const std::function<void(NamedTensors&)>& change) {
    NamedTensors copy = tensors_;
    change(copy);
    return copy;
  };
  ExpectError(changed([](auto& t) { t.erase("layer.1.norm2.bias"); }),
              "'layer.1.norm2.bias' of DINOv3 is missing");
  ExpectError(changed([](auto& t) { t["head.weight"] = torch::ones({3}); }),
              "unexpected tensor 'head.weight'");
  ExpectError(changed([](auto& t) {
                t["layer.1.attention.q_proj.weight"] = torch::ones({64, 32});
              }),
              "'layer.1.attention.q_proj.weight' gives shape [64, 32] instead of [64, 64]");
  ExpectError(changed([](auto& t) { t["norm.weight"] = torch::full({64}, std::nan("")); }), "'norm.weight'");
  ExpectError(changed([](auto& t) { t["layer.900.norm1.weight"] = torch::ones({64}); }),
              "'layer.2.norm1.weight'");
  ExpectError({{"weight", torch::ones({2})}}, "is not a DINOv3 ViT");
  NamedTensors meta = Meta();
  meta["cls_norm.weight"] = torch::ones({64});
  ExpectError(meta, "separate norm for the class token");
  meta = Meta();
  meta["blocks.0.attn.qkv.weight"] = torch::ones({190, 64});
  ExpectError(meta, "three equal parts");
  ExpectErrorAt(temporary_.path() / "nowhere", "download facebook/dinov3");
}

TEST_F(Dinov3Files, DamagedConfigurations) {
  const fs::path folder = Folder("config");
  WriteTensors(folder / "model.safetensors", tensors_);
  const auto expect = [&](const nlohmann::json& json, const std::string& problem) {
    WriteText(folder / "config.json", json.dump());
    try {
      LoadDinov3(folder);
      ADD_FAILURE() << "accepted: " << problem;
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), HasSubstr(problem));
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(problem));
    }
  };
  const auto with = [](const char* name, const nlohmann::json& value) {
    nlohmann::json json = Json();
    json[name] = value;
    return json;
  };
  expect(nlohmann::json::array(), "not a JSON object");
  expect(with("model_type", "dinov2"), "dinov2");
  expect(with("hidden_size", "wide"), "hidden_size");
  expect(with("hidden_size", 1.5), "hidden_size");
  expect(with("hidden_size", 128), "does not have the sizes");
  expect(with("num_hidden_layers", 1000000), "1000000 layers");
  expect(with("num_attention_heads", 5), "5 heads");
  expect(with("rope_theta", -1.0), "RoPE");
  expect(with("hidden_act", "relu"), "relu");
  nlohmann::json lacking = Json();
  lacking.erase("num_attention_heads");
  expect(lacking, "\"num_attention_heads\" is missing");
}

}  // namespace
}  // namespace wildrayzer
