// The generator against the documented vectors: integers, doubles and tensors bit for bit.
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/testing/release_checkpoint.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kIncrement = 0x9E3779B97F4A7C15;

// The folder's own vectors when it is there, else the copies that come with the repository.
fs::path Vector(const std::string& name) {
  const fs::path golden = GoldenDir() / name;
  return fs::exists(golden) ? golden : TestData(name);
}

nlohmann::json ReadJson(const fs::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

TEST(Generator, HashesAndValuesAreExact) {
  const nlohmann::json vectors = ReadJson(Vector("generator.json"));
  for (const auto& [key, hash] : vectors.at("fnv1a64").items()) {
    EXPECT_EQ(Fnv1a64(key), std::strtoull(hash.get<std::string>().c_str(), nullptr, 16)) << key;
  }
  size_t checked = 0;
  for (const auto& [key, values] : vectors.at("raw_u64").items()) {
    for (const auto& [index, bits] : values.items()) {
      const uint64_t i = std::stoull(index);
      EXPECT_EQ(SplitMix64(Fnv1a64(key) + i * kIncrement),
                std::strtoull(bits.get<std::string>().c_str(), nullptr, 16));
      ++checked;
    }
  }
  for (const auto& [key, values] : vectors.at("u_f64_hex").items()) {
    for (const auto& [index, number] : values.items()) {
      const double expected = std::strtod(number.get<std::string>().c_str(), nullptr);
      EXPECT_EQ(GeneratorValue(key, std::stoull(index)), expected) << key << " " << index;
      ++checked;
    }
  }
  EXPECT_GT(checked, 0u);
}

TEST(Generator, TensorsAreExact) {
  const GoldenFile golden(Vector("generator.safetensors"));
  EXPECT_TRUE(
      BitEqual(GeneratedTensor("selftest/unit", golden.Shape("selftest/unit")), golden.Get("selftest/unit")));
  const torch::Tensor linear = GeneratedTensor("selftest/linear", {4, 768}, std::sqrt(3.0 / 768));
  EXPECT_TRUE(BitEqual(linear.slice(1, 0, 768, 64), golden.Get("selftest/linear_768_in")));
  EXPECT_TRUE(BitEqual(GeneratedTensor("selftest/bias", {16}, 0.02), golden.Get("selftest/bias")));
  EXPECT_TRUE(BitEqual(GeneratedTensor("selftest/norm", {16}, 0.1, 1.0), golden.Get("selftest/norm")));
  const torch::Tensor noise = NoiseImage("selftest/noise", {2, 3, 256, 256});
  EXPECT_TRUE(BitEqual(noise.slice(2, 0, 4).slice(3, 0, 4), golden.Get("selftest/noise_image_corner")));
}

TEST(Generator, SmoothImagesAgree) {
  const GoldenFile golden(Vector("generator.safetensors"));
  const torch::Tensor image = SmoothImage("selftest/image", 2, 256, 256);
  const auto worst = [](const torch::Tensor& a, const torch::Tensor& b) {
    return (a - b).abs().max().item<double>();
  };
  // The stored corner is the upper right one. 1e-6 absolute: the documented allowance for the order of
  // float32 operations in the upsampling.
  EXPECT_LE(worst(image.slice(2, 0, 12).slice(3, 244, 256), golden.Get("selftest/smooth_image_corner")),
            1e-6);
  EXPECT_LE(
      worst(image.slice(2, 0, 256, 16).slice(3, 0, 256, 16), golden.Get("selftest/smooth_image_stride16")),
      1e-6);
  const torch::Tensor rms = image.to(torch::kFloat64).pow(2).mean({1, 2, 3}).sqrt();
  EXPECT_LE(worst(rms, golden.Get("selftest/smooth_image_rms")), 1e-6);
}

// A golden folder with this golden.json (none when empty) and one file, whose corner is that of the input
// "other/input/image".
GoldenFile FolderWith(const std::string& json) {
  const fs::path folder = FreshFolder("golden_json");
  if (!json.empty()) std::ofstream(folder / "golden.json") << json;
  const torch::Tensor corner =
      SmoothImage("other/input/image", 2, 32, 32).slice(2, 0, 4).slice(3, 0, 4).contiguous();
  WriteSafetensors(folder / "x.safetensors",
                   {{"check/image_corner", DType::kF32, corner.sizes().vec(), [&](const ByteSink& sink) {
                       sink({static_cast<const std::byte*>(corner.data_ptr()), corner.nbytes()});
                     }}});
  return GoldenFile(folder / "x.safetensors");
}

std::string Refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Golden, KeysHaveTheFoldersPrefix) {
  EXPECT_EQ(FolderWith("").Key("input/image"), "input/image");
  EXPECT_EQ(FolderWith("{}").Key("input/image"), "input/image");
  EXPECT_EQ(FolderWith(R"({"key_prefix": "other/"})").Key("input/image"), "other/input/image");
  for (const char* json : {"{", "[]", R"({"key_prefix": 3})", "null"}) {
    EXPECT_THAT(Refusal([&] { FolderWith(json); }), HasSubstr("golden.json: ")) << json;
  }
  EXPECT_EQ(KeyPrefix("/nonexistent"), "");
}

TEST(Golden, AWrongPrefixFailsAtTheInput) {
  const auto check = [](const std::string& json) {
    const GoldenFile file = FolderWith(json);
    CheckInput(file, "check/image_corner", SmoothImage(file.Key("input/image"), 2, 32, 32));
  };
  EXPECT_NO_THROW(check(R"({"key_prefix": "other/"})"));
  EXPECT_THAT(Refusal([&] { check(R"({"key_prefix": "wrong/"})"); }),
              AllOf(HasSubstr("x.safetensors: 'check/image_corner'"), HasSubstr("prefix 'wrong/'")));
}

TEST(Golden, RelativeErrorIsTheDocumentedOne) {
  const torch::Tensor a = torch::tensor({3.0f, 4.0f});
  const torch::Tensor b = torch::tensor({3.0f, 5.0f});
  EXPECT_NEAR(RelativeError(a, b), 1.0 / std::sqrt(34.0), 1e-12);
  EXPECT_EQ(RelativeError(a, a), 0.0);
  EXPECT_EQ(RelativeError(a, torch::ones({3})), std::numeric_limits<double>::infinity());
  EXPECT_EQ(RelativeError(a * NAN, a), std::numeric_limits<double>::infinity());
}

TEST(Manifest, FillsByNameAndRefusesDifferences) {
  torch::nn::Module layer;
  const torch::Tensor weight = layer.register_parameter("weight", torch::empty({2, 3}));
  const torch::Tensor bias = layer.register_parameter("bias", torch::empty({2}));
  const std::vector<ManifestEntry> manifest{{"weight", "k/w", {2, 3}, 0.5, 0.0},
                                            {"bias", "k/b", {2}, 0.1, 1.0}};
  FillFromManifest(layer, manifest);
  EXPECT_EQ(weight[1][0].item<float>(), static_cast<float>(GeneratorValue("k/w", 3) * 0.5));
  EXPECT_EQ(bias[1].item<float>(), static_cast<float>(GeneratorValue("k/b", 1) * 0.1 + 1.0));
  EXPECT_THROW(FillFromManifest(layer, {manifest[0]}), Error);
  EXPECT_THROW(FillFromManifest(layer, {manifest[0], manifest[1], {"extra", "k", {1}, 1, 0}}), Error);
  EXPECT_THROW(FillFromManifest(layer, {manifest[0], {"bias", "k/b", {3}, 0.1, 1.0}}), Error);
}

TEST(ReleaseCheckpoint, ListsTheManifestWithTheGoldenWeights) {
  WRZ_NEED_GOLDEN();
  const fs::path layout = GoldenDir() / "state_dict_manifest.json";
  const fs::path weights = GoldenDir() / "wildrayzer_v3.weights.json";
  const nlohmann::json manifest = ReadJson(layout).at("models").at("inference_v3").at("state_dict");
  const std::vector<TensorSource> sources = ReleaseStateDict(layout, "inference_v3", weights);
  ASSERT_EQ(sources.size(), manifest.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    EXPECT_EQ(sources[i].name, manifest.at(i).at("name"));
    EXPECT_EQ(sources[i].shape, manifest.at(i).at("shape").get<std::vector<int64_t>>());
  }
  size_t compared = 0;
  for (const ManifestEntry& entry : ReadManifest(weights)) {
    if (entry.shape.size() != 1) continue;  // the small ones
    for (const TensorSource& source : sources) {
      if (source.name != entry.name || source.shape != entry.shape) continue;
      const torch::Tensor expected = Generate(entry);
      source.stream([&](std::span<const std::byte> bytes) {
        EXPECT_EQ(std::memcmp(bytes.data(), expected.data_ptr(), bytes.size()), 0) << entry.name;
        ++compared;
      });
    }
  }
  EXPECT_GT(compared, 50u);
}

}  // namespace
}  // namespace wildrayzer::testing
