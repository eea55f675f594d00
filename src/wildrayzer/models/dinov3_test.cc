// DINOv3 against the golden vectors: the weights are written under the original release's names and loaded
// from the file.
#include "wildrayzer/models/dinov3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <string>

#include "wildrayzer/models/dinov3_test_files.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::GoldenFile;
using testing::RelativeError;

// Required by the golden README; float32 against float64 gives 1e-6.
constexpr double kFeatureTolerance = 1e-4;

// "16x16" at the end of a tensor's name.
std::pair<int64_t, int64_t> SizeInName(const std::string& name) {
  long long rows = 0;
  long long columns = 0;
  const size_t start = name.rfind('_');
  EXPECT_EQ(std::sscanf(name.c_str() + start + 1, "%lldx%lld", &rows, &columns), 2) << name;
  return {rows, columns};
}

torch::Tensor Normalised(const torch::Tensor& images) {
  const torch::Tensor mean = torch::tensor({0.485f, 0.456f, 0.406f}).view({1, 3, 1, 1});
  const torch::Tensor deviation = torch::tensor({0.229f, 0.224f, 0.225f}).view({1, 3, 1, 1});
  return (images - mean) / deviation;
}

// One golden file with the model that its weights make.
struct BackboneCase {
  explicit BackboneCase(const std::filesystem::path& path) : golden(path) {
    const auto manifest = testing::ReadManifest(path.parent_path() / (golden.stem() + ".weights.json"));
    const TemporaryFolder folder;
    const auto file = folder.path() / "model.safetensors";
    WriteMetaSafetensors(file, manifest, golden.Shape("rope/periods")[0]);
    model = LoadDinov3(file);
    const int64_t patches = golden.Shape("last_hidden_state")[1] - model->config().prefix_tokens();
    side = std::llround(std::sqrt(static_cast<double>(patches))) * model->config().patch;
    images = torch::cat({testing::SmoothImage(golden.Key("input/dino"), 1, side, side),
                         testing::NoiseImage(golden.Key("input/dino_noise"), {1, 3, side, side})});
    testing::CheckInput(golden, "check/image_corner", images);
  }

  GoldenFile golden;
  Dinov3 model{nullptr};
  int64_t side = 0;
  torch::Tensor images;  // [2, 3, side, side] in [0, 1]
};

void CheckRope(const BackboneCase& c) {
  const Dinov3Config& config = c.model->config();
  EXPECT_LT(RelativeError(RopePeriods(config), c.golden.Get("rope/periods")), 1e-6);
  for (const std::string& name : c.golden.NamesWithPrefix("rope/cos_")) {
    const auto [rows, columns] = SizeInName(name);
    const RopeTable table = MakeRopeTable(config, rows, columns);
    // Angles reach 2 pi; one float32 rounding of such an angle moves sine and cosine by up to 5e-7.
    EXPECT_LT(RelativeError(table.cos, c.golden.Get(name)), 1e-6) << name;
    std::string sine = name;
    sine.replace(5, 3, "sin");
    EXPECT_LT(RelativeError(table.sin, c.golden.Get(sine)), 1e-6) << sine;
  }
}

void CheckProbe(const BackboneCase& c, const std::string& module, const torch::Tensor& value) {
  const std::string name = "probe/" + module;
  if (!c.golden.Has(name + "/slice")) return;
  const int64_t tokens = value.size(1);
  const torch::Tensor rows = torch::tensor({int64_t{0}, int64_t{1}, tokens / 2, tokens - 1});
  EXPECT_LT(RelativeError(value[0].index_select(0, rows).narrow(1, 0, 16), c.golden.Get(name + "/slice")),
            kFeatureTolerance)
      << name;
  const torch::Tensor rms = value.square().mean().sqrt().view({1});
  EXPECT_LT(RelativeError(rms, c.golden.Get(name + "/rms")), kFeatureTolerance) << name;
}

// Walks through the layers by hand, so that the first one that deviates is named.
void CheckProbes(BackboneCase& c) {
  const int64_t grid = c.side / c.model->config().patch;
  const RopeTable rope = MakeRopeTable(c.model->config(), grid, grid);
  torch::Tensor x = c.model->embeddings->forward(Normalised(c.images));
  for (size_t i = 0; i < c.model->layers.size(); ++i) {
    Dinov3Layer& layer = c.model->layers[i];
    const std::string block = "blocks." + std::to_string(i) + ".";
    const torch::Tensor normed = layer->norm1->forward(x);
    CheckProbe(
        c, block + "attn.qkv",
        torch::cat({layer->attention->q_proj->forward(normed), layer->attention->k_proj->forward(normed),
                    layer->attention->v_proj->forward(normed)},
                   -1));
    const torch::Tensor attended = layer->attention->forward(normed, rope);
    CheckProbe(c, block + "attn.proj", attended);
    x = x + layer->layer_scale1->forward(attended);
    const torch::Tensor inner = layer->mlp->forward(layer->norm2->forward(x));
    CheckProbe(c, block + "mlp", inner);
    const torch::Tensor scaled = layer->layer_scale2->forward(inner);
    CheckProbe(c, block + "ls2", scaled);
    x = x + scaled;
  }
}

void CheckOutputs(BackboneCase& c) {
  EXPECT_LT(RelativeError(c.model->forward(Normalised(c.images)), c.golden.Get("last_hidden_state")),
            kFeatureTolerance);
  for (const std::string& name : c.golden.NamesWithPrefix("last_hidden_state_")) {
    const auto [height, width] = SizeInName(name);
    const torch::Tensor image = testing::SmoothImage(c.golden.Key("input/dino_rect"), 1, height, width);
    EXPECT_LT(RelativeError(c.model->forward(Normalised(image)), c.golden.Get(name)), kFeatureTolerance)
        << name;
  }
  const torch::Tensor features = c.model->PatchFeatures(c.images);
  EXPECT_EQ(features.scalar_type(), torch::kFloat32);
  const torch::Tensor unit = features / features.norm(2, 1, /*keepdim=*/true);
  const torch::Tensor expected = c.golden.Get("patch_features_l2norm");
  const int64_t step = features.size(2) / expected.size(2);
  EXPECT_LT(RelativeError(unit.slice(2, 0, torch::nullopt, step).slice(3, 0, torch::nullopt, step), expected),
            kFeatureTolerance);
}

void CheckAll(const std::filesystem::path& path) {
  SCOPED_TRACE(path.string());
  const torch::NoGradGuard guard;
  BackboneCase c(path);
  CheckRope(c);
  CheckProbes(c);
  CheckOutputs(c);
}

TEST(Dinov3, GoldenVectorsOfTheRepository) { CheckAll(testing::TestData("dinov3_tiny7b.safetensors")); }

TEST(Dinov3, GoldenVectors) {
  WRZ_NEED_GOLDEN();
  const auto files = testing::GoldenFiles("dinov3_");
  ASSERT_FALSE(files.empty());
  for (const auto& path : files) CheckAll(path);
}

// Parameter counts of weights.md section 1.3, which agree with the published files to the byte.
TEST(Dinov3, ReleasedSizesHaveTheirPublishedParameters) {
  const std::vector<std::tuple<std::string, size_t, int64_t>> expected = {
      {"vits16", 211, 21596544},   {"vits16plus", 235, 28692864},  {"vitb16", 211, 85660416},
      {"vitl16", 415, 303129600},  {"vitl16plus", 463, 403891200}, {"vith16plus", 615, 840592640},
      {"vit7b16", 687, 6716035072}};
  for (const auto& [variant, tensors, numbers] : expected) {
    const Dinov3 model(
        Dinov3Config::Variant(variant));  // nothing is written to the parameters, so no memory is used
    int64_t total = 0;
    for (const torch::Tensor& parameter : model->parameters()) total += parameter.numel();
    EXPECT_EQ(model->parameters().size(), tensors) << variant;
    EXPECT_EQ(total, numbers) << variant;
  }
  EXPECT_THROW(Dinov3Config::Variant("vitx16"), UsageError);
}

TEST(Dinov3, PeriodsRoundedToBfloat16) {
  Dinov3Config config = Dinov3Config::Variant("vits16");
  config.bf16_periods = true;
  const torch::Tensor expected = torch::tensor({1.0, 1.3359375, 1.78125, 2.375, 3.15625, 4.21875, 5.625, 7.5,
                                                10.0, 13.3125, 17.75, 23.75, 31.625, 42.25, 56.25, 75.0},
                                               torch::kFloat32);
  EXPECT_TRUE(torch::equal(RopePeriods(config), expected));
}

TEST(Dinov3, SatellitePixelsAndExcessPixels) {
  Dinov3Config config = TinyConfig();
  Dinov3 model(config);
  model->InitializeRandom(3);
  torch::manual_seed(1);
  const torch::Tensor images = torch::rand({2, 3, 40, 55});
  const torch::Tensor mean = torch::tensor({0.430f, 0.411f, 0.296f}).view({1, 3, 1, 1});
  const torch::Tensor deviation = torch::tensor({0.213f, 0.156f, 0.143f}).view({1, 3, 1, 1});
  const torch::Tensor features = model->PatchFeatures(images, kSatellitePixels);
  EXPECT_EQ(features.sizes(), (std::vector<int64_t>{2, config.width, 2, 3}));
  const torch::Tensor cropped = ((images - mean) / deviation).slice(2, 0, 32).slice(3, 0, 48);
  const torch::Tensor tokens = model->forward(cropped).narrow(1, config.prefix_tokens(), 6);
  EXPECT_LT(RelativeError(features.flatten(2).transpose(1, 2), tokens), 1e-6);
  EXPECT_THROW(model->forward(images.slice(2, 0, 15)), c10::Error);
  EXPECT_THROW(model->PatchFeatures(images * NAN), Error);
  Dinov3 same(config);
  same->InitializeRandom(3);
  EXPECT_TRUE(torch::equal(same->PatchFeatures(images), model->PatchFeatures(images)));
}

}  // namespace
}  // namespace wildrayzer
